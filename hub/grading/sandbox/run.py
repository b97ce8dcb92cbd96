"""Grades the submissions of one assignment side by side, by nbgrader's own Autograde.

Run as the course's account in the course directory, with the notebook server's Python; hub/grading/grade.py starts it.
nbgrader is imported once. Each submission has a process that is forked from this one and has the course to itself,
but for the time in which the notebook is executed in the sandbox: so the gradebook has one writer, and jobs run side
by side. Writes one JSON object a line: ``student``, ``state``, and at its end ``points``, ``most``, ``reason``.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import AutogradeApp, CollectApp
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from sqlalchemy.exc import SAWarning

from hub.grading.sandbox.execute import ExecuteInSandbox

#: Processes at a time: each costs memory, and most of them wait for their job.
AT_ONCE = 32
LOCK = ".grading.lock"


class Complete(Autograde):
    """nbgrader's, which also grades what is not there: notebooks that were not handed in get their zero, a place in
    formgrader, and feedback."""

    def init_notebooks(self) -> None:
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            names = [each.name for each in gradebook.find_assignment(self.coursedir.assignment_id).notebooks]
        place = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        self.assignments = {place: [os.path.join(place, f"{name}.ipynb") for name in names]}


class Turn:
    """The course directory, for one process at a time."""

    def __init__(self, root: Path) -> None:
        self._file = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    @contextmanager
    def mine(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    @contextmanager
    def others(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_EX)


def say(**words) -> None:
    """One line, in one write: lines of several processes do not mix."""
    os.write(1, json.dumps(words).encode() + b"\n")


def app_for(assignment: str, student: str, force: bool) -> AutogradeApp:
    app = AutogradeApp()
    app.initialize([f"--assignment={assignment}", f"--student={student}", "--log-level=INFO",
                    *(["--force"] if force else [])])
    return app


def grade(assignment: str, student: str, force: bool) -> None:
    """One submission, in a process of its own."""
    begin = time.monotonic()
    lines: list[str] = []
    app = app_for(assignment, student, force)
    for handler in list(app.log.handlers):
        app.log.removeHandler(handler)
    keep = logging.Handler()
    keep.emit = lambda record: lines.append(record.getMessage())
    app.log.addHandler(keep)
    app.log.propagate = False
    ExecuteInSandbox.tell = staticmethod(lambda state, note: say(student=student, state=state, note=note))
    turn = Turn(Path(app.coursedir.root))
    ExecuteInSandbox.elsewhere = staticmethod(turn.others)
    trouble = ""
    with turn.mine():
        before = _graded_at(app, assignment, student)
        try:
            Complete(coursedir=app.coursedir, parent=app).start()
        except NbGraderException:
            told = [line for line in lines if line.startswith("Traceback")] or lines[-1:]
            trouble = told[-1].strip().splitlines()[-1] if told else "nbgrader failed"
        points = _points(app, assignment, student)
        skipped = not trouble and before == _graded_at(app, assignment, student)
    own = resource.getrusage(resource.RUSAGE_SELF)
    say(student=student, state="failed" if trouble else "skipped" if skipped else "graded", **points,
        reason=trouble or "; ".join(dict.fromkeys(ExecuteInSandbox.reasons.values())),
        wall_s=round(time.monotonic() - begin, 2), cpu_s=round(own.ru_utime + own.ru_stime, 2),
        job_cpu_s=round(ExecuteInSandbox.cpu_s, 2))


def _graded_at(app: AutogradeApp, assignment: str, student: str) -> list[int]:
    place = Path(app.coursedir.format_path(app.coursedir.autograded_directory, student, assignment))
    return sorted(file.stat().st_mtime_ns for file in place.glob("*.ipynb"))


def _points(app: AutogradeApp, assignment: str, student: str) -> dict:
    with Gradebook(app.coursedir.db_url, app.coursedir.course_id) as gradebook:
        try:
            found = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return {}
        return {"points": found.score, "most": found.max_score, "by_hand": found.needs_manual_grade}


def collect(assignment: str) -> None:
    """Bring what was handed in since into the course directory."""
    try:
        app = CollectApp()
        app.initialize([f"--assignment={assignment}", "--update", "--log-level=WARN"])
        app.start()
    except SystemExit:
        say(warning="nothing was collected; nbgrader's own words say why")
    except Exception as error:
        say(warning=f"nothing was collected: {error}")


def submitted(app: AutogradeApp, assignment: str, student: str) -> list[str]:
    """Who has handed something in."""
    pattern = app.coursedir.format_path(app.coursedir.submitted_directory, student, assignment)
    root = Path(app.coursedir.root)
    found = [Path(place) for place in root.glob(os.path.relpath(pattern, root))]
    return sorted(place.parent.name for place in found if place.is_dir())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hub.grading.sandbox.run", description=__doc__.splitlines()[0])
    parser.add_argument("assignment")
    parser.add_argument("--student", default="*")
    parser.add_argument("--force", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", SAWarning)  # nbgrader's own, at every submission
    collect(asked.assignment)
    app = app_for(asked.assignment, asked.student, asked.force)
    students = submitted(app, asked.assignment, asked.student)
    say(students=students)
    running: dict[int, str] = {}
    failed = False
    try:
        while students or running:
            if students and len(running) < AT_ONCE:
                student = students.pop(0)
                running[_forked(asked.assignment, student, asked.force)] = student
                continue
            pid, status = os.wait()
            student = running.pop(pid)
            if status:
                failed = True
                status = os.waitstatus_to_exitcode(status)
                say(student=student, state="failed", reason=f"its process ended with status {status}")
    except KeyboardInterrupt:
        for pid in running:
            os.kill(pid, 2)
        return 130
    return failed


def _forked(assignment: str, student: str, force: bool) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        grade(assignment, student, force)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
