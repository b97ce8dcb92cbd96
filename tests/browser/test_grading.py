"""What JupyterLab offers of nbgrader: everybody the assignment list, an instructor the way to their course's desk."""

import pytest
from playwright.sync_api import expect

READY_MS = 90_000
#: All that nbgrader's server extensions answer.
NBGRADER = ("assignments", "courses", "formgrader", "nbgrader_version")


@pytest.fixture
def lab(platform, visitor):
    """Open a person's JupyterLab, and list what nbgrader's menu shows."""

    def open_lab(person):
        person.start("small")
        guest = visitor()
        guest.asked = []
        base = f"{platform.address}/user/{person.login}/"
        guest.page.on("request", lambda request: guest.asked.append(request.url.removeprefix(base)))
        guest.log_in(person.login, platform.passwords[person.login], then="/hub/home")
        guest.page.wait_for_url("**/hub/home")
        guest.open(f"/user/{person.login}/lab?reset")  # a tab that was left open would use nbgrader
        guest.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=READY_MS)
        guest.page.wait_for_timeout(3000)
        asked = [path for path in guest.asked if path.startswith(NBGRADER)]
        assert not asked, "opening JupyterLab must not load nbgrader"
        guest.page.locator(".lm-MenuBar-itemLabel", has_text="Nbgrader").click()
        guest.page.locator(".lm-Menu-itemLabel:visible").first.wait_for()
        return guest, guest.page.locator(".lm-Menu-itemLabel:visible").all_inner_texts()

    return open_lab


def has_no_formgrader(platform, guest, login):
    for path in ("formgrader", "formgrader/manage_students", "formgrader/api/assignments", "formgraders"):
        assert guest.page.context.request.get(f"{platform.address}/user/{login}/{path}").status == 404, path


def test_an_attendee_has_the_assignment_list_with_what_the_course_released(platform, lab, ada):
    guest, menu = lab(ada)
    assert menu == ["Assignment List"]
    guest.page.locator(".lm-Menu-item:visible", has_text="Assignment List").click()
    # A server's start has fetched it.
    expect(guest.page.locator("#fetched_assignments_list")).to_contain_text("00_prerequisites", timeout=READY_MS)
    guest.keep("grading-attendee")
    has_no_formgrader(platform, guest, "mh-ada")


def test_an_instructors_own_server_is_like_everybodys_with_the_way_to_the_desk(platform, lab, carol):
    """test_cycle.py takes it."""
    guest, menu = lab(carol)
    assert menu == ["Assignment List", "Formgrader"]
    guest.keep("grading-instructor")
    has_no_formgrader(platform, guest, "mh-carol")
