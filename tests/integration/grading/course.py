"""A course of the test platform whose directory tests fill: submissions as nbgrader's collect would lay them down."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from hub.grading import config
from tests.live import REPOSITORY

COURSE, ACCOUNT = "box", "mh-grader-box"
SCORES = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db", "box") as book:
    print(json.dumps({each.student.id: {grade.name: grade.score for notebook in each.notebooks
                                        for grade in notebook.grades}
                      for each in book.assignment_submissions(sys.argv[1])}))
"""


class Course:
    """The course directory, used as its account."""

    def __init__(self, platform) -> None:
        self.platform, self.root = platform, platform.layout.courses / COURSE

    def run(self, *command, stock=False, stdin=None, check=True) -> str:
        environment = config.command_line(self.platform.layout, COURSE)
        if stock:  # nbgrader as it comes, in this course directory
            environment["JUPYTER_CONFIG_PATH"] = "/nowhere"
            environment["PATH"] = f"{self.platform.layout.kernels}/pytorch/bin:{environment['PATH']}"
            data = json.loads(self.platform.layout.running.read_text())["data"]
            environment |= {"MANDRILL_DATA": data, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups", "--", *command],
                              cwd=self.root, input=stdin, text=True, capture_output=True,
                              env=environment | {"HOME": str(self.root), "USER": ACCOUNT})
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def write(self, path: str, content: str) -> None:
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path, stdin=content)

    def clear(self, assignment: str) -> None:
        for kind in ("submitted", "autograded"):
            for place in (self.root / kind).glob(f"*/{assignment}"):
                shutil.rmtree(place)

    def scores(self, assignment: str) -> dict[str, dict[str, float]]:
        return json.loads(self.run(self.platform.layout.server_bin / "python", "-c", SCORES, assignment))

    def add_ours(self, assignment: str, *settings: str) -> dict[str, str]:
        """Have one of the platform's own assignments in this course; its solutions, by cell."""
        (notebook,) = (REPOSITORY / "course_notebooks/source" / assignment).glob("*.ipynb")
        self.write(f"source/{assignment}/{notebook.name}", notebook.read_text())
        self.nbgrader("generate_assignment", assignment, "--force", "--create")
        return {cell["id"]: "".join(cell["source"]) for cell in json.loads(notebook.read_text())["cells"]
                if cell["metadata"].get("nbgrader", {}).get("solution")}

    def hand_in(self, name: str, assignment: str, answers: dict[str, str]) -> None:
        """The released notebook with these answers, by cell, as that of ``name``."""
        (notebook,) = (self.root / "release" / assignment).glob("*.ipynb")
        made = json.loads(notebook.read_text())
        for cell in made["cells"]:
            cell["source"] = answers.get(cell["id"], cell["source"])
        self.write(f"submitted/{name}/{assignment}/{notebook.name}", json.dumps(made))

    def nbgrader(self, *command: str) -> None:
        """nbgrader as it comes, without the platform's settings."""
        self.run(self.platform.layout.server_bin / "nbgrader", *command, f"--course-dir={self.root}",
                 f"--CourseDirectory.course_id={COURSE}", "--Execute.timeout=120", stock=True)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """While it lasts, cells of this course have the time that the platform's own course gives them."""
        self.write("nbgrader_config.py", "c = get_config()\nc.Execute.timeout = 120\n")
        try:
            yield
        finally:
            self.write("nbgrader_config.py", (REPOSITORY / "tests/live/box/nbgrader_config.py").read_text())

    def grade(self, assignment: str, *options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.platform.layout.hub_bin / "mandrillhub", "grade", assignment, "--course", COURSE, "--root",
             self.platform.layout.root, *options], capture_output=True, text=True, env={
                 "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "COLUMNS": "250"})


def check_equal(course: Course, assignment: str) -> None:
    """Solved, half solved with errors and warnings, and as released: our grades are those of `nbgrader autograde`."""
    course.clear(assignment)
    solutions = course.add_ours(assignment)
    wrong = {id_: "import warnings; warnings.warn('stderr')\n1/0" for id_, source in solutions.items()
             if not source.startswith(("%%", "*", "#"))}
    half = dict(list(solutions.items())[::2])
    for name, answers in {"solved": solutions, "half": wrong | half, "released": {}}.items():
        course.hand_in(name, assignment, answers)
    course.nbgrader("autograde", assignment, "--force", "--create")
    expected = course.scores(assignment)
    assert sum(expected["solved"].values()) > sum(expected["half"].values()) > sum(expected["released"].values())
    with course.patient():
        done = course.grade(assignment, "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    assert course.scores(assignment) == expected
