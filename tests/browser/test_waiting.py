"""What a person sees who waits: in line, in the queue, while the scheduler is silent; and who would rather not wait."""

import json
import re

import pytest
from playwright.sync_api import expect

from hub.daemons import Daemons
from tests.integration.test_ended import job, silenced

READY_MS = 90_000


def log_in(platform, visitor, login):
    guest = visitor()
    guest.log_in(login, platform.passwords[login], then="/hub/home")
    guest.page.wait_for_url("**/hub/home")
    return guest


def press(guest, profile):
    guest.open("/hub/spawn")
    guest.page.locator(f"#spawn_form button[name=profile][value={profile}]").click()
    guest.page.wait_for_url(re.compile("/spawn-pending/|/user/"))  # a quick server is there at once


def shown(guest):
    return guest.page.locator("#progress-message")


@pytest.mark.timeout(240)
def test_a_queued_start_is_swapped_with_one_click(platform, visitor, ada, bela):
    ada.start("rare")
    guest = log_in(platform, visitor, "mh-bela")
    press(guest, "rare")
    expect(shown(guest)).to_contain_text("All nodes that fit are busy", timeout=15_000)
    swap = guest.page.get_by_role("button", name="Take CPU notebook instead")
    expect(swap).to_be_visible(timeout=20_000)
    expect(guest.page.get_by_role("button", name=re.compile("Take .* instead"))).to_have_count(3)
    guest.keep("waiting-swap")
    waiting = platform.slurm("squeue", "-h", "--user=mh-bela", "--states=PD", "--format=%i").split()
    swap.click()
    expect(shown(guest)).to_contain_text("Cancelling this one, then starting CPU notebook")
    guest.keep("waiting-swapping")
    guest.page.wait_for_url("**/user/mh-bela/lab/**", timeout=READY_MS)
    jobs = platform.slurm("squeue", "-h", "--user=mh-bela", "--states=PD,R", "--format=%i %P %j").split()
    assert jobs[1:] == ["cpu", "jupyter-cpu"] and jobs[0] not in waiting
    assert not guest.errors, guest.errors


def test_a_swap_that_is_refused_lands_on_the_start_page(platform, visitor, ada, bela):
    ada.start("rare")
    guest = log_in(platform, visitor, "mh-bela")
    press(guest, "rare")
    swap = guest.page.get_by_role("button", name="Take CPU notebook instead")
    expect(swap).to_be_visible(timeout=25_000)
    # the profile is no longer offered at the moment of the click
    guest.page.evaluate("() => { const send = HTMLFormElement.prototype.submit; HTMLFormElement.prototype.submit = "
                        "function () { this.elements.profile.value = 'gone'; send.call(this); }; }")
    swap.click()
    expect(guest.page.get_by_role("alert")).to_contain_text("there is no profile 'gone'", timeout=20_000)
    expect(guest.page.get_by_role("button", name=re.compile("Start"))).not_to_have_count(0)
    guest.keep("waiting-swap-refused")
    assert bela.server() is None
    assert "mh-bela" not in platform.slurm("squeue", "-h", "--states=PD,R", "--format=%u")


@pytest.mark.timeout(240)
def test_a_scheduler_that_falls_silent_loses_nobody(platform, visitor, ada, bela):
    ada.start("rare")
    guest = log_in(platform, visitor, "mh-bela")
    press(guest, "rare")
    expect(shown(guest)).to_contain_text("You are next", timeout=15_000)
    Daemons(platform.layout, platform.layout.hub_bin).stop("slurmctld")
    try:
        expect(shown(guest)).to_contain_text("The cluster does not answer right now. Nothing is lost",
                                             timeout=40_000)
        guest.keep("waiting-silent")
    finally:
        platform.make("up")
    expect(shown(guest)).to_contain_text("You are next", timeout=60_000)
    guest.page.get_by_role("button", name="Cancel").click()
    guest.page.wait_for_url(re.compile(r"/hub/spawn(/mh-bela)?(\?.*)?$"))


def test_the_place_in_line_is_told(platform, visitor, ada, bela):
    """The page, with the events that spawner_profiles/progress.py makes of a full line."""
    bela.start("rare")  # else a quick server may be there before the page
    guest = log_in(platform, visitor, "mh-ada")
    event = {"progress": 5, "phase": "in_line", "position": 7, "seconds": 4,
             "message": "Your start is number 7 in line; about 4 s"}
    guest.page.add_init_script("window.EventSource = class { close() {} constructor() { setTimeout(() => "
                               f"this.onmessage({{data: JSON.stringify({json.dumps(event)})}}), 100); }} }}")
    press(guest, "rare")
    expect(shown(guest)).to_contain_text("your start is number 7 in line; about 4 s")
    expect(guest.page.locator("[data-step=submitted]")).to_contain_text("number 7")
    guest.keep("waiting-in-line")


@pytest.mark.timeout(300)
def test_a_node_fails_under_an_open_notebook(platform, visitor, ada):
    guest = log_in(platform, visitor, "mh-ada")
    page = guest.page
    press(guest, "cpu")
    page.wait_for_url("**/user/mh-ada/lab/**", timeout=READY_MS)
    expect(page.get_by_role("tab", name=re.compile("prerequisites.ipynb"))).to_be_visible(timeout=READY_MS)
    first, node = job(platform, "mh-ada")
    with silenced(platform, node):
        dialog = page.get_by_role("dialog").filter(has_text=re.compile("not running|unavailable", re.IGNORECASE))
        expect(dialog).to_be_visible(timeout=150_000)
        guest.keep("lab-server-gone")
        dialog.get_by_role("button", name=re.compile("Restart")).click()
        # JupyterLab opens the hub's page in this tab or in one of its own
        page.wait_for_timeout(3000)
        page = page.context.pages[-1]
        expect(page.get_by_text(re.compile(r"Your machine ended at \d\d:\d\d"))).to_be_visible()
        expect(page.get_by_text(f"on {node}: its node failed. Your files are safe.")).to_be_visible()
        guest.page = page
        guest.keep("ended-start-page")
        guest.open("/hub/home")
        guest.keep("ended-home")
        guest.open("/user/mh-ada/lab")
        guest.keep("ended-not-running")
        page.get_by_role("button", name="Start again").click()
        page.wait_for_url("**/user/mh-ada/lab**", timeout=READY_MS)
        second, elsewhere = job(platform, "mh-ada")
        assert second != first and elsewhere != node
    assert not guest.errors, guest.errors
