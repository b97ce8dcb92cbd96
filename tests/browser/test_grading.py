"""What JupyterLab offers of nbgrader: the assignment list to an attendee, formgrader to an instructor."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SCREENSHOTS

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


def test_an_attendee_has_the_assignment_list_and_nothing_of_an_instructors(platform, lab, ada):
    guest, menu = lab(ada)
    assert menu == ["Assignment List"]
    guest.page.locator(".lm-Menu-item:visible", has_text="Assignment List").click()
    expect(guest.page.locator("#nbgrader-assignment-list")).to_contain_text("There are no assignments to fetch.")
    guest.keep("grading-attendee")
    for path in ("formgrader", "formgrader/manage_students", "formgrader/api/assignments", "formgraders"):
        answer = guest.page.context.request.get(f"{platform.address}/user/mh-ada/{path}")
        assert answer.status == 404, path


def test_an_instructors_formgrader_opens_in_a_tab_of_its_own(lab, carol, ada):
    guest, menu = lab(carol)
    assert menu == ["Assignment List", "Course List", "Formgrader", "Create assignment"]
    with guest.page.context.expect_page() as opened:
        guest.page.locator(".lm-Menu-item:visible", has_text="Formgrader").click()
    opened.value.wait_for_load_state()
    expect(opened.value.get_by_role("link", name="Add new assignment...")).to_be_visible(timeout=READY_MS)
    opened.value.screenshot(path=SCREENSHOTS / "grading-instructor.png")
    answer = ada.get("/user/mh-carol/formgrader")
    assert "Manage Assignments" not in answer.text, "another person's formgrader"
