"""nbgrader's cycle over our exchange: real accounts, nbgrader's own commands."""

import json
import re
from datetime import datetime, timedelta

from .school import ACCOUNTS, ASSIGNMENT

ADA, BELA, EVE, VISION, AUDIO = "mh-x-ada", "mh-x-bela", "mh-x-eve", ACCOUNTS["vision"], ACCOUNTS["audio"]
COURSE = ("--course", "vision")


def test_the_whole_cycle(school):
    """Release is in the fixture. One each of fetch, submit and collect is a process of its own, as on a terminal."""
    for login, course in ((ADA, "vision"), (BELA, "vision"), (EVE, "audio")):
        ran = school.nbgrader(login, "list")
        assert re.findall(r"\] (\w+ ps1)", ran.out) == [f"{course} ps1"], "people see their own course alone"
    for login, run in ((ADA, school.command), (BELA, school.nbgrader)):
        ran = run(login, "fetch_assignment", ASSIGNMENT, *COURSE)
        assert ran.rc == 0, ran.out
        fetched = (school.home(login) / "vision" / ASSIGNMENT / "p1.ipynb").read_text()
        assert "SOLUTION" not in fetched and "NotImplementedError" in fetched

    school.answer(ADA, "def twice(x):\n    return x")
    ran = school.command(ADA, "submit", ASSIGNMENT, *COURSE)
    assert ran.rc == 0, ran.out
    school.answer(ADA, "def twice(x):\n    return x + x")
    assert school.nbgrader(ADA, "submit", ASSIGNMENT, *COURSE).rc == 0
    assert school.nbgrader(BELA, "submit", ASSIGNMENT, *COURSE).rc == 0
    ran = school.nbgrader(ADA, "list", "--inbound")
    assert ran.out.count(f"vision {ADA} ps1 20") == 2 and BELA not in ran.out, ran.out
    assert "(no feedback available)" in ran.out

    ran = school.command(VISION, "collect", ASSIGNMENT, *COURSE)
    assert ran.rc == 0 and f"Collecting submission: {ADA} ps1" in ran.out, ran.out
    assert "x + x" in (school.collected(ADA) / "p1.ipynb").read_text(), "the second of the two"
    assert (school.collected(ADA) / "timestamp.txt").read_text() == \
        (school.submissions(ADA)[-1] / "timestamp.txt").read_text()
    ran = school.nbgrader(VISION, "collect", ASSIGNMENT, *COURSE)
    assert f"Submission already exists, use --update to update: {ADA} ps1" in ran.out
    ran = school.nbgrader(VISION, "collect", "--update", ASSIGNMENT, *COURSE)
    assert f"No newer submission to collect: {BELA} ps1" in ran.out
    school.answer(BELA, "def twice(x):\n    return 3 * x")
    assert school.nbgrader(BELA, "submit", ASSIGNMENT, *COURSE).rc == 0
    ran = school.nbgrader(VISION, "collect", "--update", ASSIGNMENT, *COURSE)
    assert f"Updating submission: {BELA} ps1" in ran.out
    assert "3 * x" in (school.collected(BELA) / "p1.ipynb").read_text()
    assert sorted(path.name for path in school.collected(BELA).parent.iterdir()) == [ASSIGNMENT], "nothing left over"

    for step in ("autograde", "generate_feedback", "release_feedback"):
        ran = school.nbgrader(VISION, step, ASSIGNMENT, *COURSE)
        assert ran.rc == 0, ran.out
    scores = school.python(VISION, "from nbgrader.api import Gradebook\n"
                           "with Gradebook('sqlite:///gradebook.db') as gb:\n"
                           "    print({s.student.id: s.score for s in gb.assignment_submissions('ps1')})")
    assert eval(scores.out.splitlines()[-1]) == {ADA: 3, BELA: 0}

    ran = school.nbgrader(ADA, "list", "--inbound")
    assert ran.out.count("(feedback ready to be fetched)") == ran.out.count("(no feedback available)") == 1, ran.out
    ran = school.nbgrader(ADA, "fetch_feedback", ASSIGNMENT, *COURSE)
    assert ran.rc == 0, ran.out
    (page,) = (school.home(ADA) / "vision" / ASSIGNMENT / "feedback").glob("*/p1.html")
    text = re.sub(r"<[^>]+>", "", page.read_text())
    assert "x + x" in text and "Score: 3.0 / 3.0" in text
    assert "(feedback already fetched)" in school.nbgrader(ADA, "list", "--inbound").out
    ran = school.nbgrader(VISION, "list", "--inbound", *COURSE)
    assert (ran.out.count(f"vision {ADA} ps1"), ran.out.count(f"vision {BELA} ps1")) == (2, 2), "the course sees all"


def test_the_assignment_list_and_formgrader_say_the_same(school):
    """They ask nbgrader's classes themselves, without the commands."""
    ran = school.python(ADA, """
import json
from nbgrader.server_extensions.assignment_list.handlers import AssignmentList
listing = AssignmentList()
listing.root_dir = "."
print(json.dumps([listing.list_courses(), listing.list_assignments(course_id="vision")]))""")
    courses, found = json.loads(ran.out.splitlines()[-1])
    assert courses == {"success": True, "value": ["vision"]}
    assert found["success"], found
    assert [(each["status"], each["path"]) for each in found["value"] if "path" in each] == [("fetched", "vision/ps1")]
    (submitted,) = (each for each in found["value"] if "submissions" in each)
    assert [each["has_local_feedback"] for each in submitted["submissions"]] == [False, True]
    assert submitted["submissions"][1]["local_feedback_path"].startswith("vision/ps1/feedback/20")
    ran = school.python(VISION, """
import json
from nbgrader.apps import NbGrader, NbGraderAPI
app = NbGrader()
app.load_config_file()
app.config.CourseDirectory.course_id = "vision"
api = NbGraderAPI(config=app.config)
print(json.dumps([sorted(api.get_released_assignments()), api.collect("ps1"), api.get_assignment("ps1")["status"]]))""")
    released, collected, status = json.loads(ran.out.splitlines()[-1])
    assert (released, status) == (["ps1"], "released")
    assert collected["success"] and "No newer submission" in collected["log"]


def test_late_and_before_the_due_date(school):
    """The last submission before the due date is taken where the course asks for it; else the last, and it is late."""
    before = datetime.strptime((school.submissions(ADA)[-1] / "timestamp.txt").read_text(), "%Y-%m-%d %H:%M:%S.%f %Z")
    due = before + timedelta(milliseconds=1)
    ran = school.nbgrader(VISION, "db", "assignment", "add", ASSIGNMENT, f"--duedate={due} UTC", *COURSE)
    assert ran.rc == 0, ran.out
    school.answer(ADA, "late = 1\ndef twice(x): return 2 * x")
    assert school.nbgrader(ADA, "submit", ASSIGNMENT, *COURSE).rc == 0
    code = """
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as gb:
    print(gb.find_submission("ps1", "mh-x-ada").total_seconds_late)"""
    for options, late in ((["--before-duedate"], False), (["--update"], True)):
        ran = school.nbgrader(VISION, "collect", *options, ASSIGNMENT, *COURSE)
        assert ran.rc == 0, ran.out
        assert ("late = 1" in (school.collected(ADA) / "p1.ipynb").read_text()) == late, ran.out
        ran = school.nbgrader(VISION, "autograde", ASSIGNMENT, "--student", ADA, *COURSE)
        assert ran.rc == 0, ran.out
        assert (float(school.python(VISION, code).out.splitlines()[-1]) > 0) == late


def test_only_what_submit_writes_is_a_submission(school):
    """Names and times as people may make them up: none reaches nbgrader's parser of dates but those of its own form."""
    names = ["mh-x-ada+ps1+2026-11-21 10:00:00.000001 UTC", "mh-x-ada+ps1+2026-11-21 10:00:00", "mh-x-ada+ps1",
             "mh-x-ada+ps1+tomorrow", "mh-x-ada+ps1+2026-13-41 10:00:00 UTC", "mh-x-ada+ps1+2026-11-21 10:00:00 UTC+r",
             "mh-x-ada+ps1+0001-01-01 00:00:00 -2359", "mh-x-ada+p\ns1+2026-11-21 10:00:00 UTC", ".making", "++"]
    ran = school.python(ADA, f"""
from hub.grading.exchange import Submission
print([str(Submission.of(name) and Submission.of(name).time) for name in {names!r}])""")
    good = ["2026-11-21 10:00:00.000001", "2026-11-21 10:00:00"]
    assert ran.rc == 0, ran.out
    found = eval(ran.out.splitlines()[-1])
    assert found[:2] == good
    assert [name for name, time in zip(names, found) if time == "None"] == [*names[2:6], *names[7:]]
    assert found[6].startswith("0001-01-0"), "a time like any other, which the file system contradicts"


def test_what_cannot_be_submitted_is_told_and_leaves_nothing(school):
    before = school.submissions(ADA)
    (school.home(ADA) / "vision/ps1/big").touch()
    with open(school.home(ADA) / "vision/ps1/big", "wb") as stream:
        stream.truncate(200_000_000)
    ran = school.nbgrader(ADA, "submit", ASSIGNMENT, *COURSE)
    (school.home(ADA) / "vision/ps1/big").unlink()
    assert ran.rc and "is not submitted: Directory size is too big" in ran.out and "Traceback" not in ran.out
    assert school.submissions(ADA) == before
    ran = school.nbgrader(ADA, "submit", ASSIGNMENT)
    assert ran.rc and "No course id specified" in ran.out


def test_who_left_the_course_is_out_and_back_with_all_they_had(school):
    school.people["vision"].remove(BELA)
    try:
        assert school.make_places("vision")
        for command in ("submit", "fetch_feedback"):
            ran = school.nbgrader(BELA, command, ASSIGNMENT, *COURSE)
            assert ran.rc and "You do not have access to this course" in ran.out
        assert "vision" not in school.nbgrader(BELA, "list").out
        assert BELA not in school.nbgrader(VISION, "collect", "--update", ASSIGNMENT, *COURSE).out
    finally:
        school.people["vision"].append(BELA)
    assert school.make_places("vision")
    assert school.nbgrader(BELA, "list", "--inbound").out.count(f"{BELA} ps1") == 2
