"""A course's desk is its instructors' alone; people get what their courses released; the cycle on the command line.

The platform has two courses: mandrill (mh-carol; mh-ada, mh-bela) and vision (mh-gina; mh-hugo; tests/live/vision).
"""

import pwd
import subprocess

import pytest

from hub.grading import courses
from hub.running import Running
from tests.live import workshop_in

MANDRILL, VISION = "mh-grader-mandrill", "mh-grader-vision"


@pytest.fixture(scope="module")
def desk(platform):
    """mandrill's desk, running. Its address."""
    carol = platform.person("mh-carol")
    yield carol.open_desk("mandrill", MANDRILL)
    platform.person("mh-carol").close_desk(MANDRILL)


def as_person(login: str, *command: str) -> subprocess.CompletedProcess:
    account = pwd.getpwnam(login)
    return subprocess.run(command, user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd="/", text=True,
                          capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": account.pw_dir})


def test_instructors_and_admins_open_it_and_land_on_formgrader(platform, desk, carol):
    for person in (carol, platform.person("mh-dora")):
        page = person.get("/hub/mandrillhub/formgrader/mandrill")
        assert page.url.endswith(f"{desk}formgrader/manage_assignments") and "Manage Assignments" in page.text
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assignments = {each["name"]: each["status"] for each in carol.get(f"{desk}formgrader/api/assignments").json()}
    assert assignments["00_prerequisites"] == assignments["03_regression"] == "released"
    students = carol.get(f"{desk}formgrader/api/students").json()
    assert {each["id"]: each["first_name"] for each in students}.items() >= {"mh-ada": "Ada", "mh-bela": "Bela"}.items()
    home = carol.get("/hub/home").text
    assert "mandrillhub/formgrader/mandrill" in home and "mandrillhub/formgrader/vision" not in home


def test_each_instructor_has_a_workspace_of_their_own(platform, desk, carol):
    for person in (carol, platform.person("mh-dora")):
        assert person.get(f"{desk}lab").url.endswith(f"{desk}lab/workspaces/{person.login}")
        page = person.get(f"{desk}lab/tree/source")
        assert page.ok and page.url.endswith(f"{desk}lab/workspaces/{person.login}/tree/source")
    assert "/lab/tree/" in carol.get(f"{desk}formgrader/static/js/utils.js").text


@pytest.mark.parametrize("login", ["mh-ada", "mh-gina", "mh-hugo"])
def test_nobody_else_gets_anything_of_it(platform, desk, login):
    person = platform.person(login)
    for path in ("formgrader", "formgrader/api/students", "lab", "api/contents", "api/terminals"):
        answer = person.get(f"{desk}{path}")
        assert answer.status_code in (403, 404), (path, answer.url)
    for path in (f"spawn/{MANDRILL}", f"spawn-pending/{MANDRILL}", "mandrillhub/formgrader/mandrill",
                 "mandrillhub/lab/mandrill", f"spawn/{MANDRILL}?opt-profile=cpu"):
        assert person.get(f"/hub/{path}").status_code in (403, 404), path
    for method, path in (("GET", ""), ("POST", "/server"), ("DELETE", "/server"), ("GET", "/server/progress"),
                         ("GET", "/tokens"), ("POST", "/tokens")):
        assert person.api(method, f"users/{MANDRILL}{path}").status_code in (403, 404), (method, path)
    assert person.api("GET", "groups/formgrade-mandrill").status_code in (403, 404)
    assert person.api("POST", "groups/formgrade-mandrill/users", json={"users": [login]}).status_code in (403, 404)
    assert platform.person("mh-carol").server(MANDRILL)["ready"], "nobody has stopped it"


@pytest.mark.parametrize("login, seen", [
    ("mh-carol", {"mh-ada", "mh-bela", MANDRILL}), ("mh-gina", {"mh-hugo", VISION}), ("mh-ada", None)])
def test_an_instructor_sees_and_starts_their_own_class_alone(platform, login, seen):
    person = platform.person(login)
    answer = person.api("GET", "users")
    if seen is None:
        assert answer.status_code == 403
        return
    assert {user["name"] for user in answer.json()} == seen
    assert person.get("/hub/admin").ok
    other = "mh-hugo" if login == "mh-carol" else "mh-ada"
    assert person.api("POST", f"users/{other}/server", json={"profile": "small"}).status_code in (403, 404)
    assert person.api("GET", f"users/{other}").status_code in (403, 404)


@pytest.mark.parametrize("login", ["mh-ada", "mh-carol", "mh-gina", VISION])
def test_the_file_system_keeps_the_course_to_itself(platform, login):
    course = platform.layout.courses / "mandrill"
    for command in (["ls", course], ["cat", course / "gradebook.db"], ["ls", course / "source"],
                    ["ls", platform.layout.exchange / "mandrill/people"], ["touch", course / "x"],
                    ["ls", platform.layout.opt / "source/course_notebooks/source"],
                    ["touch", platform.layout.exchange / "mandrill/outbound/x"]):
        result = as_person(login, *map(str, command))
        assert result.returncode and "Permission denied" in result.stderr, (command, result)


def test_no_solution_and_no_hidden_test_lies_where_an_attendee_can_read_it(platform, ada):
    subprocess.run(["rm", "-rf", platform.layout.homes / "mh-ada/mandrill"], check=True)  # what tests put there
    ada.start("small")
    marks = r"BEGIN HIDDEN\|BEGIN SOLUTION\|the secret of the hidden test"
    root = str(platform.layout.root)
    searched = as_person("mh-ada", "find", root, "-name", "*.ipynb", "-not", "-path", "*/site-packages/*",
                         "-exec", "grep", "-l", marks, "{}", "+")
    assert searched.stdout == ""
    found = as_person("mh-ada", "find", root, "-name", "*.ipynb", "-path", "*/mandrill/*").stdout
    assert "exchange/mandrill/outbound/03_regression" in found and "home/mh-ada/mandrill/03_regression" in found
    for place in ("srv/mandrillhub/course", "srv/mandrillhub/config", "srv/mandrillhub/exchange",
                  "srv/mandrillhub/kernels/pytorch/lib/python3.11/site-packages/mandrill", "opt/mandrillhub/source"):
        told = as_person("mh-ada", "grep", "-rlI", "--include=*.ipynb", "--include=*.md", "--include=*.json", marks,
                         f"{root}/{place}")
        assert told.stdout == "", place


def test_a_start_copies_what_is_released_and_missing_and_overwrites_nothing(platform, hugo):
    home = platform.layout.homes / "mh-hugo"
    subprocess.run(["rm", "-rf", home / "vision"], check=True)
    hugo.start("small")
    hugo.stop()
    assert [path.name for path in (home / "vision").iterdir()] == ["ps1"], "ps2 is held back"
    assert not (home / "mandrill").exists(), "of another course"
    notebook = home / "vision/ps1/ps1.ipynb"
    assert notebook.owner() == "mh-hugo" and "hidden test" not in notebook.read_text()
    notebook.write_text("mine")
    hugo.start("small")
    assert notebook.read_text() == "mine"
    notebook.unlink()
    notebook.parent.rmdir()


@pytest.mark.parametrize("password", ["", "right-horse"])
def test_nobody_logs_in_as_the_course(platform, password):
    if password:
        subprocess.run(["chpasswd"], input=f"{MANDRILL}:{password}", text=True, check=True)
    try:
        stranger = type(platform.person("mh-ada"))(platform.address, MANDRILL, password or "x")
        assert stranger.log_in().status_code == 403
        assert "/hub/login" in stranger.get("/hub/home").url
    finally:
        subprocess.run(["usermod", "--password", "!", MANDRILL], check=True)


SOLVE = """
import json
book = json.load(open("vision/ps1/ps1.ipynb"))
for cell in book["cells"]:
    if cell["id"] == "double":
        cell["source"] = "def double(number):\\n    return 2 * number\\n"
    if cell["id"] == "why":
        cell["source"] = "Because."
json.dump(book, open("vision/ps1/ps1.ipynb", "w"))
"""


def calls(*commands: str) -> str:
    return f"""
import subprocess
for command in {commands!r}:
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    print(result.stdout + result.stderr)
    assert not result.returncode, command + result.stderr
"""


@pytest.mark.timeout(200)
def test_the_whole_cycle_on_the_command_line(platform, gina, hugo):
    subprocess.run(["rm", "-rf", platform.layout.homes / "mh-hugo/vision"], check=True)
    hugo.start("small")
    said = hugo.run("import os; os.chdir(os.path.expanduser('~'))\n" + SOLVE + calls(
        "nbgrader validate vision/ps1/ps1.ipynb", "nbgrader submit ps1 --course vision"))
    assert "Success! Your notebook passes all the tests." in said and "Submitted as: vision ps1" in said
    try:
        gina.open_desk("vision", VISION)
        said = gina.run("import os; print(os.getcwd())\n" + calls(
            "nbgrader collect ps1", "nbgrader autograde ps1 --force", "nbgrader generate_feedback ps1 --force",
            "nbgrader release_feedback ps1", "nbgrader export --to grades.csv", "cat grades.csv"), whose=VISION)
        assert said.startswith(f"{platform.layout.courses}/vision\n"), said
        assert ",mh-hugo,Test,Hugo,,2.0,0.0,2.0,5.0" in said, said
    finally:
        gina.close_desk(VISION)
    hugo.run("import os; os.chdir(os.path.expanduser('~'))\n" + calls("nbgrader fetch_feedback ps1 --course vision"))
    latest = max((platform.layout.homes / "mh-hugo/vision/ps1/feedback").glob("*/ps1.html"))
    assert "ps1 (Score: 2.0 / 5.0)" in latest.read_text()


def test_what_an_instructor_changed_is_kept_and_told(platform, tmp_path):
    """And what changed in the platform's own source is released anew. What `up` does for a course, without the rest."""
    workshop_in(tmp_path)
    running, layout = Running.read(platform.layout), platform.layout
    ours = next(course for course in running.workshop.courses if course.name == "vision")
    other = ours.model_copy(update={"source": tmp_path / "vision/source"})
    new, own = (place / "ps1/ps1.ipynb" for place in (other.source, layout.courses / "vision/source"))
    released = layout.exchange / "vision/outbound/ps1/ps1.ipynb"

    def edit(path, old, new):
        path.write_text(path.read_text().replace(old, new))

    def hand_out(course):
        return courses.hand_out(layout, "en", course, [person for person in running.people if person.takes("vision")])

    try:
        edit(new, "Why is that useful?", "What is it good for?")
        assert hand_out(other) == ["released ps1"]
        assert "What is it good for?" in released.read_text() and "BEGIN HIDDEN" not in released.read_text()
        edit(own, "What is it good for?", "An instructor's question?")
        edit(new, "What is it good for?", "Once more?")
        assert hand_out(other) == ["kept ps1: changed by an instructor"]
        assert "An instructor's question?" in own.read_text() and "What is it good for?" in released.read_text()
        assert hand_out(other) == [], "a second time there is nothing to do"
    finally:
        edit(own, "An instructor's question?", "What is it good for?")
        assert hand_out(ours) == ["released ps1"]
    assert "Why is that useful?" in released.read_text()
