"""Inside JupyterLab: the time left in the job, the warnings before it ends, and before an idle server stops."""

import re
import time
from datetime import datetime

import pytest
from playwright.sync_api import expect

READY_MS = 90_000
TIME = re.compile(r"/mandrillhub/time(\?|$)")
ALERT = ".Toastify__toast"
#: Screenshots want the whole notification.
SLIDE_IN_MS = 1000


def pretend(page, **shifted):
    """Change what the server answers: seconds from its ``now``. What the page sends still reaches the server."""

    def answer(route):
        if route.request.method != "GET":
            route.continue_()
            return
        response = route.fetch()
        state = response.json()
        route.fulfill(response=response, json=state | {key: state["now"] + by for key, by in shifted.items()})

    page.route(TIME, answer)


def logged_in(platform, visitor, login):
    guest = visitor()
    guest.problems = []
    guest.page.on("console", lambda message: guest.problems.append(message.text) if message.type == "error" else None)
    guest.log_in(login, platform.passwords[login], then="/hub/home")  # the hub would choose the running server
    guest.page.wait_for_url("**/hub/home")
    return guest


def time_left(page):
    return page.locator("#mandrillhub-time-left")


@pytest.fixture
def small(ada):
    """Ada's server of the profile `small`: half an hour, no GPU."""
    ada.start("small")
    return ada


def test_the_status_bar_shows_the_jobs_own_end(platform, visitor, small):
    guest = logged_in(platform, visitor, "mh-ada")
    with guest.page.expect_response(TIME, timeout=READY_MS) as answer:
        guest.open("/user/mh-ada/lab")
    state = answer.value.json()
    ends = platform.slurm("squeue", "--noheader", "--user=mh-ada", "--states=R", "--format=%e").split()[0]
    assert abs(datetime.fromisoformat(ends).timestamp() - state["ends_at"]) < 30, "Slurm's own end of the job"
    assert state["idle_after"] == 3600, "no GPU: an hour"
    expect(time_left(guest.page)).to_have_text(re.compile(r"^(30|29|28|27) min left$"))
    guest.page.wait_for_timeout(2000)
    expect(guest.page.locator(ALERT)).to_have_count(0)
    guest.keep("time-left")
    assert not guest.errors, guest.errors
    assert not [text for text in guest.problems if "mandrillhub" in text.lower()]


@pytest.mark.parametrize("minutes, words", [(14.9, "in 15 min"), (4.9, "in 5 min")])
def test_a_warning_before_the_job_ends(platform, visitor, small, minutes, words):
    guest = logged_in(platform, visitor, "mh-ada")
    pretend(guest.page, ends_at=minutes * 60)
    guest.open("/user/mh-ada/lab")
    alert = guest.page.locator(ALERT).filter(has_text="Your job ends at")
    expect(alert).to_contain_text(words, timeout=READY_MS)
    expect(alert).to_contain_text("Save now")
    expect(alert).to_have_count(1)
    guest.page.wait_for_timeout(SLIDE_IN_MS)
    guest.keep(f"warning-end-{int(minutes + 1)}")
    alert.get_by_role("button", name="Save all").click()
    expect(alert).to_have_count(0)
    assert not guest.errors, guest.errors


def test_an_idle_server_warns_and_i_am_still_here_counts(platform, visitor, small):
    guest = logged_in(platform, visitor, "mh-ada")
    pretend(guest.page, idle_since=-50 * 60)
    guest.open("/user/mh-ada/lab")
    alert = guest.page.locator(ALERT).filter(has_text="Nothing has run here for 50 min")
    expect(alert).to_contain_text("this server stops at", timeout=READY_MS)
    guest.page.wait_for_timeout(SLIDE_IN_MS)
    guest.keep("warning-idle")
    with guest.page.expect_response(lambda response: TIME.search(response.url) and response.request.method == "POST"
                                    ) as answer:
        alert.get_by_role("button", name="I am still here").click()
    assert answer.value.status == 200
    state = answer.value.json()
    assert state["now"] - state["idle_since"] < 5, "the server took it as activity"
    expect(alert).to_have_count(0)
    assert abs(state["now"] - time.time()) < 60
    assert not guest.errors, guest.errors
