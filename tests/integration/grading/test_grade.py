"""`mandrillhub grade` on the platform: grades equal nbgrader's own, and a hostile submission costs others nothing.

nbgrader's own autograde gives up on most of these submissions, on one with all that come after it, and runs all of
them with the rights of whoever grades, beside the gradebook.
"""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest
import requests

from hub import settings
from hub.grading.sandbox import access
from hub.ports import Ports
from tests.integration.grading.course import ACCOUNT, COURSE, Course, check_equal
from tests.live import REPOSITORY


@pytest.fixture(scope="module")
def course(platform):
    return Course(platform)


def lines_by_person(text: str) -> dict[str, str]:
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


# What is handed in as the cell of the second exercise; the first one is always right.
RIGHT = "def second():\n    return 2"
CELLS = {
    "good": RIGHT,
    "half": "def second():\n    return 3",
    "loop": "while True: pass",
    "deaf": "import time\nwhile True:\n    try: time.sleep(9)\n    except KeyboardInterrupt: pass",
    "fork": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    # Not faster than it can leave the kernel: there it would be too much memory.
    "output": "import time\nfor _ in range(1000):\n    print('x' * 1_000_000, flush=True)\n    time.sleep(0.05)",
    "memory": "data = b'x' * 3_000_000_000",
    "file": "open('big', 'wb').write(bytes(900_000_000))\n" + RIGHT,
    "exit": "import os; os._exit(0)",
    "deletes": "import os, shutil\nshutil.rmtree('.', ignore_errors=True)\nos.system('rm -rf ~ /tmp/* 2>/dev/null')\n"
               + RIGHT,
}
#: (points, a part of what is told of it)
TOLD = {
    "good": (2, "graded"), "half": (1, "graded"), "loop": (1, "graded"),
    "deaf": (1, "ran for more than 4 s and did not let itself be interrupted"),
    "fork": (1, "it started more than"), "output": (1, "it printed more than 8 MB"),
    "memory": (1, "it used more memory than"), "file": (1, "graded"), "exit": (1, "its kernel ended with status 0"),
    "deletes": (2, "graded"), "spies": (2, "graded"), "skips": (1, "graded"), "kernel": (2, "graded"),
    "notjson": (0, "abuse.ipynb is no notebook that can be graded: it is not JSON"),
    "list": (0, "abuse.ipynb is no notebook that can be graded: it is JSON, but not of a notebook"),
    "newer": (0, "abuse.ipynb is no notebook that can be graded: SchemaTooNewError"),
    "missing": (0, "abuse.ipynb was not handed in"), "huge": (0, "abuse.ipynb has 31 MB, more than 30"),
    "shadow": (0, "with its files there the kernel does not start"),
}


def hand_in(course: Course) -> None:
    """All submissions, as `nbgrader collect` would lay them down."""
    released = json.loads((course.root / "release/abuse/abuse.ipynb").read_text())
    secrets = [str(course.root), str(course.root / "gradebook.db"), str(course.root / "source"), "/etc/shadow",
               str(course.platform.layout.var), str(course.platform.layout.homes), str(REPOSITORY)]
    kernels = str(course.platform.layout.kernels)
    spy = f"""
import os, socket, subprocess
print("seen", [path for path in {secrets!r} if os.path.exists(path)], subprocess.run(
    "find / -path /proc -prune -o -path /usr -prune -o -path {kernels} -prune -o -name '*.ipynb' -print -o "
    "-name '*.db' -print", shell=True, capture_output=True, text=True).stdout.split())
for address in (("127.0.0.1", {course.platform.port}), ("127.0.0.1", {Ports(course.platform.port).slurmctld})):
    try:
        socket.create_connection(address, 3)
        print("reached", address)
    except OSError as error:
        print("not reached", type(error).__name__)
{RIGHT}"""

    def notebook(second: str) -> dict:
        made = json.loads(json.dumps(released))
        cells = {cell["id"]: cell for cell in made["cells"]}
        cells["first"]["source"], cells["second"]["source"] = "def first():\n    return 1", second
        return made

    for name, second in {**CELLS, "spies": spy}.items():
        course.write(f"submitted/{name}/abuse/abuse.ipynb", json.dumps(notebook(second)))
    skips = notebook("def second():\n    return 0")
    for cell in skips["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"] if cell["id"] == "second-check" else []
    course.write("submitted/skips/abuse/abuse.ipynb", json.dumps(skips))
    kernel = notebook(RIGHT)
    kernel["metadata"]["kernelspec"]["name"] = "../../bin/sh"
    course.write("submitted/kernel/abuse/abuse.ipynb", json.dumps(kernel))
    newer = notebook(RIGHT)
    newer["cells"][1]["metadata"]["nbgrader"]["schema_version"] = 99
    course.write("submitted/newer/abuse/abuse.ipynb", json.dumps(newer))
    course.write("submitted/notjson/abuse/abuse.ipynb", "{'cells': \0\0")
    course.write("submitted/list/abuse/abuse.ipynb", '["a", {"cells": 5}]')
    course.write("submitted/missing/abuse/notes.txt", "I could not save my notebook")
    course.write("submitted/huge/abuse/abuse.ipynb", json.dumps(notebook("#" * 31 * 1024 * 1024)))
    course.write("submitted/shadow/abuse/abuse.ipynb", json.dumps(notebook(RIGHT)))
    course.write("submitted/shadow/abuse/ipykernel_launcher.py", "raise SystemExit('mine')")


def test_hostile_submissions_cost_themselves_alone(course):
    course.clear("abuse")
    hand_in(course)
    begin = time.monotonic()
    done = course.grade("abuse")
    print(done.stdout, done.stderr, f"{time.monotonic() - begin:.0f} s")
    assert done.returncode == 0, done.stdout + done.stderr
    told = lines_by_person(done.stdout)
    scores = course.scores("abuse")
    for name, (points, words) in TOLD.items():
        assert f" {points} of 2 " in told[name] and words in told[name], told[name]
        assert sum(scores[name].values()) == points, name
    # What formgrader and the feedback show.
    for name, words in {"fork": "it started more than", "notjson": "it is not JSON", "missing": "was not handed in",
                        "memory": "it used more memory"}.items():
        shown = (course.root / f"autograded/{name}/abuse/abuse.ipynb").read_text()
        assert words in shown and "Not executed" in shown
    seen = json.loads((course.root / "autograded/spies/abuse/abuse.ipynb").read_text())
    output = "".join(out.get("text", "") if isinstance(out.get("text"), str) else "".join(out["text"])
                     for cell in seen["cells"] if cell.get("id") == "second" for out in cell["outputs"])
    assert output.splitlines()[0] == "seen [] []" and output.count("not reached ConnectionRefusedError") == 2, output
    # Nothing is left, and nothing was told that should not be.
    assert not list(course.platform.layout.sandbox.glob("t-*"))
    jobs = course.platform.slurm("squeue", "--noheader", "--states=all", "--user=mh-grader-sandbox", "-o", "%j|%k")
    assert set(re.sub(r"/[0-9a-f]{32}$", "", line) for line in jobs.splitlines()) == {
        f"sandbox|{course.platform.layout.instance}-sandbox"}


def test_feedback_says_why(course):
    course.run(course.platform.layout.server_bin / "nbgrader", "generate_feedback", "abuse", "--student=notjson",
               "--force")
    assert "it is not JSON" in (course.root / "feedback/notjson/abuse/abuse.html").read_text()


def test_graded_once(course):
    done = course.grade("abuse", "--student", "good")
    assert done.returncode == 0 and "graded before" in lines_by_person(done.stdout)["good"]


def test_grades_equal_nbgraders_own(course):
    check_equal(course, "00_prerequisites")


def test_nobody_else_may_use_the_service(course, ada, carol):
    platform = course.platform
    url = f"http://127.0.0.1:{Ports(platform.port).sandbox}/tasks?kernel=pytorch&folder=x"
    for person in (ada, carol):
        token = person.api("POST", f"users/{person.login}/tokens", json={"note": "test"}).json()["token"]
        answer = requests.post(url, data=b"x" * 10_000_000, headers={"Authorization": f"token {token}"})
        assert answer.status_code == 403
    secret = settings.secret(platform.layout.hub_state, "sandbox_token")
    for token in ("", "nonsense", secret, access.local_token("wrong", ACCOUNT), access.local_token(secret, "mh-ada"),
                  access.local_token(secret, ACCOUNT).replace(ACCOUNT, "mh-grader-vision")):
        assert requests.get(url.replace("tasks?", "tasks/t-000000000000?"),
                            headers={"Authorization": f"token {token}"}).status_code == 403
    # A token of the desk, and the one that `mandrillhub grade` works with.
    dora = platform.person("mh-dora")
    desk = dora.api("POST", f"users/{ACCOUNT}/tokens", json={"note": "test", "expires_in": 60}).json()["token"]
    answer = requests.get(url.replace("tasks?", "tasks/t-000000000000?"), headers={"Authorization": f"token {desk}"})
    assert answer.status_code == 404
    right = access.local_token(secret, ACCOUNT)
    answer = requests.post(url.replace("pytorch", "nonsense"), headers={"Authorization": f"token {right}"})
    assert answer.status_code == 400 and "There is no kernel 'nonsense'" in answer.json()["message"]


def test_a_service_that_is_killed_meanwhile_costs_nothing(course):
    """Its jobs are cancelled and their files removed when it is back; the notebook is sent again."""
    grading = subprocess.Popen(
        [course.platform.layout.hub_bin / "mandrillhub", "grade", "abuse", "--course", COURSE, "--student", "good",
         "--force", "--root", course.platform.layout.root], stdout=subprocess.PIPE, text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "COLUMNS": "200"})
    end = time.monotonic() + 60
    while not list(course.platform.layout.sandbox.glob("t-*/log")):
        assert time.monotonic() < end, "no job began"
        time.sleep(0.1)
    pid = subprocess.run(["pgrep", "-f", f"^{course.platform.layout.hub_bin}/python -m hub.grading.sandbox.service"],
                         capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["kill", "-9", *pid], check=True)
    out, _ = grading.communicate(timeout=120)
    assert grading.returncode == 0 and " 2 of 2 " in lines_by_person(out)["good"], out
    assert not list(course.platform.layout.sandbox.glob("t-*"))
