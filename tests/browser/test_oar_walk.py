"""An attendee's way on a real OAR, in a browser, from a workshop.yml with ``cluster: {kind: oar}``.

The platform's root changes from its embedded cluster to OAR and, afterwards, back.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.integration.oar.cluster import run, started, until
from tests.live import HERE, Platform

READY_MS = 60_000


@pytest.fixture(scope="module")
def oar():
    with started() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def platform(oar):
    """The platform on OAR, on the root of the ordinary one. ``said``: what `make up` printed."""
    ordinary = Platform()
    ordinary.make("up")
    platform = Platform(workshop=HERE / "oar.yml")
    try:
        Path(platform.layout.var / "up.txt").write_text(platform.make("up").stdout)
        yield platform
    finally:
        said = ordinary.make("up").stdout
    assert "leaving the cluster of before (oar)" in said
    assert not [line for line in queue() if "mh-" in line], "no job of the platform is left on OAR"


def code(person, text: str) -> str:
    """Run code in their kernel; in a thread, because Playwright's event loop has this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(person.run, text).result()


def queue() -> list[str]:
    return run("oarstat").splitlines()[2:]


def test_what_make_up_says_of_the_cluster(platform):
    said = (platform.layout.var / "up.txt").read_text()
    assert "leaving the cluster of before (embedded)" in said
    assert re.search(r"asking OAR: 3 profiles fit on its nodes", said), said
    assert "no node that is up fits the profile huge" in said and "emulated" not in said
    status = platform.make("status").stdout
    assert re.search(r"GPU notebook +1 +1", status) and re.search(r"CPU notebook +2 +2", status)
    assert re.search(r"Huge GPU +0 +0", status) and "slurm" not in status


@pytest.mark.timeout(240)
def test_from_the_login_to_the_notebook_and_out_again(platform, visitor, ada, bela, oar):
    """A GPU that somebody else has; OAR's database goes away meanwhile, and comes back."""
    bela.start("gpu")
    assert code(bela, "import os; print(os.environ['OAR_JOB_ID'], 'SLURM_CONF' in os.environ)").endswith(" False")
    guest = visitor()
    page = guest.page
    guest.log_in("mh-ada", platform.passwords["mh-ada"])
    card = page.locator("article, section, li, div").filter(has=page.get_by_role("heading", name="GPU notebook")).last
    expect(card).to_contain_text("All busy")
    guest.keep("oar-cards")
    page.locator("button[name=profile][value=gpu]").click()
    status = page.get_by_role("status")
    expect(status).to_contain_text("You are next. All nodes that fit are busy. Expected to start at", timeout=15_000)
    guest.keep("oar-waiting")

    oar.stop_database()
    try:
        expect(status).to_contain_text("The cluster does not answer right now. Nothing is lost", timeout=20_000)
        guest.keep("oar-silent")
        until(lambda: bela.get("/hub/mandrillhub/capacity").json()["gpu"]["free"] is None)
        assert code(bela, "print(6 * 7)") == "42", "who has a server works on"
        assert bela.server()["ready"]
    finally:
        oar.start_database()
    expect(status).to_contain_text("You are next. All nodes that fit are busy", timeout=40_000)
    assert len([line for line in queue() if " W " in line]) == 1, "and nobody waits twice"

    bela.stop()
    page.wait_for_url("**/user/mh-ada/lab/**", timeout=READY_MS)
    expect(page.get_by_role("heading", name="Before the day: are you ready?")).to_be_visible(timeout=READY_MS)
    expect(page.locator("#mandrillhub-time-left")).to_have_text(re.compile(r"^(1 h|59 min|58 min|57 min) left$"))
    guest.keep("oar-lab")
    platform.solve("mh-ada", "03_regression")
    guest.open("/user/mh-ada/lab/tree/mandrill/03_regression/mandrill_regression.ipynb?reset")
    expect(page.get_by_role("heading", name="How old is this mandrill?")).to_be_visible(timeout=READY_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    outputs = page.locator(".jp-OutputArea-output")
    expect(outputs.first).to_contain_text(re.compile(r"job \d+ on \S+: 1 CPU"), timeout=READY_MS)
    expect(outputs.locator("img").first).to_be_visible(timeout=READY_MS)
    outputs.locator("img").first.scroll_into_view_if_needed()
    guest.keep("oar-notebook")
    table = platform.make("status").stdout
    assert re.search(r"mh-ada +\d+ +default +running +oart-gpu1", table), table

    guest.open("/hub/home")
    page.get_by_role("button", name=re.compile("Stop")).first.click()
    until(lambda: ada.server() is None, 30, "Stop did not stop the server")
    until(lambda: not queue(), 20, lambda: f"OAR still has {queue()}")
    assert not guest.errors, guest.errors


@pytest.mark.timeout(120)
def test_who_lost_a_gpu_to_an_ordinary_job_is_told(platform, visitor, ada, bela):
    ada.start("idle")
    bela.start("gpu")
    until(lambda: ada.server() is None, 60, "the hub does not see that the server ended")
    guest = visitor()
    guest.log_in("mh-ada", platform.passwords["mh-ada"], then="/user/mh-ada/lab")
    expect(guest.page.locator("main")).to_contain_text("GPU when idle on oart-gpu1: a job of higher priority took its "
                                                       "place. Your files are safe.")
    expect(guest.page.get_by_role("button", name="Start again GPU when idle")).to_be_visible()
    guest.keep("oar-besteffort")


@pytest.mark.timeout(120)
def test_down_cancels_this_hubs_jobs_and_no_other(platform, ada, oar):
    user = oar.users[0]
    theirs = run("runuser", "-u", user, "--", "sh", "-c", "cd && oarsub -l core=1,walltime=0:10:00 'sleep 300'")
    theirs = re.search(r"OAR_JOB_ID=(\d+)", theirs)[1]
    try:
        ada.start("cpu")
        assert len(queue()) == 2
        platform.make("down")
        assert [line.split()[0] for line in queue()] == [theirs]
    finally:
        run("oardel", theirs)
        platform.make("up")
    until(lambda: platform.person("mh-ada").server() is None, 30)
