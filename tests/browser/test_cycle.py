"""nbgrader's whole cycle in the browser: an instructor at the course's desk, two attendees in their own servers.

The assignment is tests/live/vision/source/ps2 under another name, as an instructor would add one to the course.
"""

import pwd
import re
import shutil
import sqlite3
import subprocess
import time

import pytest
from playwright.sync_api import expect

from hub.grading import config
from tests.live import HERE

READY_MS = 90_000
DESK, NAME, LOGINS = "mh-grader-mandrill", "tiny", ("mh-ada", "mh-bela")


@pytest.fixture
def course(platform):
    """The course directory with one more assignment, which nobody has generated or released; afterwards as before."""
    place = platform.layout.courses / "mandrill"
    exchange = platform.layout.exchange / "mandrill"

    def clean() -> None:
        for path in [*place.glob(f"*/{NAME}"), *place.glob(f"*/mh-*/{NAME}"), exchange / "outbound" / NAME,
                     *exchange.glob(f"people/*/inbound/*+{NAME}+*"), *exchange.glob(f"people/*/feedback/{NAME}"),
                     *platform.layout.homes.glob(f"mh-*/mandrill/{NAME}")]:
            shutil.rmtree(path, ignore_errors=True)
        account = pwd.getpwnam(DESK)
        subprocess.run([platform.layout.server_bin / "nbgrader", "db", "assignment", "remove", NAME, "--force"],
                       cwd=place, capture_output=True, env=config.command_line(platform.layout, "mandrill"),
                       user=account.pw_uid, group=account.pw_gid, extra_groups=[])

    clean()
    source = place / "source" / NAME
    shutil.copytree(HERE / "vision/source/ps2", source)
    (source / "ps2.ipynb").rename(source / f"{NAME}.ipynb")
    subprocess.run(["chown", "-R", f"{DESK}:{DESK}", source], check=True)
    yield place
    clean()


class Attendee:
    """A person in JupyterLab, with the assignment list."""

    def __init__(self, platform, guest, person) -> None:
        self.platform, self.guest, self.page, self.login = platform, guest, guest.page, person.login
        guest.log_in(person.login, platform.passwords[person.login], then="/hub/home")
        self.page.wait_for_url("**/hub/home")

    def open_list(self) -> None:
        self.guest.open(f"/user/{self.login}/lab?reset")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=READY_MS)
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Nbgrader").click()
        self.page.locator(".lm-Menu-item:visible", has_text="Assignment List").click()

    def row(self, part: str):
        """Their row of the assignment in ``part``: released, fetched or submitted."""
        return self.page.locator(f"#{part}_assignments_list > .list_item").filter(has_text=NAME)

    def press(self, part: str, button: str) -> None:
        self.row(part).get_by_role("button", name=button, exact=True).first.click()

    def open_notebook(self) -> None:
        self.guest.open(f"/user/{self.login}/lab/tree/mandrill/{NAME}/{NAME}.ipynb?reset")
        expect(self.page.get_by_role("heading", name="Twice again")).to_be_visible(timeout=READY_MS)

    def write(self, mark: str, text: str) -> None:
        """Replace the text of the cell that shows ``mark``."""
        cell = self.page.locator(".jp-Cell").filter(has_text=mark).first
        cell.dblclick()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1000)


class Desk:
    """formgrader, in a tab of its own."""

    def __init__(self, page, address: str) -> None:
        self.page, self.address = page, address

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/user/{DESK}/formgrader/{path}")

    def keep(self, guest, name: str) -> None:
        own, guest.page = guest.page, self.page
        guest.keep(name)
        guest.page = own

    def press(self, row: str, column: str) -> str:
        """Press the icon of a row, and its answer away; returns what that said."""
        self.page.locator("tr").filter(has_text=row).locator(f"td.{column} a").click()
        dialog = self.page.locator(".modal-dialog")
        expect(dialog).to_be_visible(timeout=60_000)
        said = dialog.inner_text()
        dialog.get_by_role("button", name="OK").click()
        expect(dialog).to_have_count(0)
        return said


@pytest.mark.timeout(400)
def test_release_work_submit_grade_and_feedback(platform, course, visitor, ada, bela, carol, note):
    begin = time.monotonic()
    for person in (ada, bela, carol):
        person.post_form(profile="small").raise_for_status()
    for person in (ada, bela, carol):
        assert person.events()[-1].get("ready")
    teacher, first, second = visitor(), visitor(), visitor()
    try:
        desk = open_desk(platform, teacher, note)
        release(desk, teacher)
        a, b = Attendee(platform, first, ada), Attendee(platform, second, bela)
        work_and_submit(platform, a, b)
        collect_and_grade(desk, teacher, course)
        read_feedback(platform, a, b)
        for guest in (teacher, first, second):
            assert not guest.errors, guest.errors
            assert not guest.outside, guest.outside
    finally:
        platform.person("mh-carol").close_desk(DESK)
    note(f"the cycle in the browser: {time.monotonic() - begin:.0f} s")


def open_desk(platform, guest, note) -> Desk:
    """From the instructor's JupyterLab: the menu entry starts the desk, and its page waits."""
    guest.log_in("mh-carol", platform.passwords["mh-carol"], then="/hub/home")
    guest.page.wait_for_url("**/hub/home")
    guest.keep("cycle-01-home")
    guest.open("/user/mh-carol/lab?reset")
    guest.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=READY_MS)
    guest.page.locator(".lm-MenuBar-itemLabel", has_text="Nbgrader").click()
    guest.keep("cycle-02-menu")
    pressed = time.monotonic()
    with guest.page.context.expect_page() as opened:
        guest.page.locator(".lm-Menu-item:visible", has_text="Formgrader").click()
    desk = Desk(opened.value, guest.address)
    desk.page.on("pageerror", lambda error: guest.errors.append(str(error)))
    desk.page.on("request", guest._note_if_outside)
    desk.page.wait_for_url("**/spawn-pending/**")
    desk.keep(guest, "cycle-03-waiting")
    expect(desk.page.get_by_role("link", name="Add new assignment...")).to_be_visible(timeout=READY_MS)
    note(f"Formgrader in the menu to formgrader on screen, the desk being off: {time.monotonic() - pressed:.1f} s")
    return desk


def release(desk, guest) -> None:
    """With a due date that lies behind, so that every submission is late."""
    row = desk.page.locator("tr").filter(has_text=NAME)
    expect(row).to_contain_text("draft")
    row.locator("td.edit a").click()
    dialog = desk.page.locator(".modal-dialog")
    dialog.locator("input.modal-duedate").fill("2026-01-05T18:00")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("2026-01-05 18:00")
    assert "Successfully created the student version" in desk.press(NAME, "assign")
    assert "Successfully released" in desk.press(NAME, "release")
    expect(row).to_contain_text("released")
    desk.keep(guest, "cycle-04-released")
    assert row.locator("td.name a").get_attribute("href").endswith(f"/user/{DESK}/lab/tree/./source/{NAME}")


def work_and_submit(platform, a, b) -> None:
    for person in (a, b):
        person.open_list()
        expect(person.row("released")).to_be_visible(timeout=READY_MS)
        if person is a:
            person.guest.keep("cycle-05-assignment-list")
        person.press("released", "Fetch")
        expect(person.row("fetched")).to_be_visible(timeout=READY_MS)
        assert "hidden" not in (platform.layout.homes / person.login / f"mandrill/{NAME}/{NAME}.ipynb").read_text()

    theirs = platform.layout.homes / b.login / f"mandrill/{NAME}/{NAME}.ipynb"
    theirs.write_text(theirs.read_text().replace("YOUR ANSWER HERE", "I do not know."))
    b.press("fetched", "Submit")
    expect(b.row("submitted")).to_be_visible(timeout=READY_MS)

    a.open_notebook()
    a.guest.keep("cycle-06-notebook")
    a.write("YOUR CODE HERE", "def double(number):\n    return 6\n")
    a.write("YOUR ANSWER HERE", "Because one often needs two.")
    a.save()
    a.page.get_by_role("button", name="Validate").click()
    dialog = a.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Success! Your notebook passes all the tests.", timeout=READY_MS)
    a.guest.keep("cycle-07-validated")
    dialog.get_by_role("button", name="OK").click()
    a.open_list()
    a.press("fetched", "Submit")
    expect(a.row("submitted")).to_be_visible(timeout=READY_MS)
    # Again: the hidden test would not have passed.
    a.open_notebook()
    a.write("return 6", "def double(number):\n    return 2 * number\n")
    a.save()
    a.open_list()
    a.press("fetched", "Submit")
    expect(a.row("submitted").locator(".nested_list_item")).to_have_count(2, timeout=READY_MS)
    a.guest.keep("cycle-08-submitted-twice")


def collect_and_grade(desk, guest, course) -> None:
    desk.open("manage_assignments")
    assert "Successfully" in desk.press(NAME, "collect")
    row = desk.page.locator("tr").filter(has_text=NAME)
    expect(row.locator("td.num-submissions")).to_have_text("2")
    desk.keep(guest, "cycle-09-collected")
    row.locator("td.num-submissions a").click()
    for login in LOGINS:
        expect(desk.page.locator("tr").filter(has_text=login)).to_contain_text("needs autograding")
        said = desk.press(login, "autograde")
        assert "Successfully autograded" in said, said
        expect(desk.page.locator("tr").filter(has_text=login)).to_contain_text("needs manual grading")
    expect(desk.page.locator("tr").filter(has_text=LOGINS[0])).to_contain_text("2 / 5")
    expect(desk.page.locator("tr").filter(has_text=LOGINS[1])).to_contain_text("0 / 5")
    desk.keep(guest, "cycle-10-autograded")
    with sqlite3.connect(course / "gradebook.db") as database:
        late = database.execute(
            "select count(*) from submitted_assignment s join assignment a on a.id = s.assignment_id "
            "where a.name = ? and s.timestamp > a.duedate", (NAME,)).fetchone()
    assert late == (2,), "nbgrader knows that both were late"

    desk.open(f"gradebook/{NAME}/{NAME}")
    desk.page.locator("tbody tr a").first.click()
    desk.page.wait_for_url("**/formgrader/submissions/**")
    for number in range(2):
        answered = desk.page.get_by_text("Because one often needs two.").count() > 0
        expect(desk.page.locator("#double_test")).to_have_attribute("placeholder", "2" if answered else "0")
        desk.page.locator("#why").fill("3" if answered else "1")
        desk.page.locator("#why-comment").fill("Well said." if answered else "Say more.")
        desk.page.locator("#why-comment").blur()
        desk.page.wait_for_timeout(1000)
        desk.keep(guest, f"cycle-11-manual-{'ada' if answered else 'bela'}")
        if number == 0:
            desk.page.get_by_role("link", name="Next").click()
            desk.page.wait_for_load_state()
    desk.open(f"manage_submissions/{NAME}")
    expect(desk.page.locator("tr").filter(has_text=LOGINS[0])).to_contain_text("5 / 5")
    expect(desk.page.locator("tr").filter(has_text=LOGINS[1])).to_contain_text("1 / 5")
    desk.keep(guest, "cycle-12-graded")
    desk.open("manage_assignments")
    assert "Successfully" in desk.press(NAME, "generate-feedback")
    assert "Successfully" in desk.press(NAME, "release-feedback")
    desk.keep(guest, "cycle-13-feedback-released")


def read_feedback(platform, a, b) -> None:
    for person, said, other in ((a, "Well said.", "Say more."), (b, "Say more.", "Well said.")):
        person.open_list()
        expect(person.row("submitted")).to_contain_text("feedback available to fetch", timeout=READY_MS)
        person.press("submitted", "Fetch Feedback")
        expect(person.row("submitted")).to_contain_text("view feedback", timeout=READY_MS)
        person.guest.keep(f"cycle-14-feedback-{person.login}")
        pages = list((platform.layout.homes / person.login / f"mandrill/{NAME}/feedback").glob(f"*/{NAME}.html"))
        assert len(pages) == 1
        assert said in pages[0].read_text() and other not in pages[0].read_text()
        assert pages[0].owner() == person.login
    person.page.get_by_text("(view feedback)").click()
    person.page.get_by_role("listitem", name=re.compile(f"{NAME}.html")).dblclick()
    read = person.page.frame_locator(".jp-HTMLViewer iframe").locator("body")
    expect(read).to_contain_text(re.compile(r"Score: 1\.0 / 5\.0"), timeout=READY_MS)
    expect(read).to_contain_text("Say more.")
    person.page.wait_for_timeout(1000)
    person.guest.keep("cycle-15-feedback-read")
