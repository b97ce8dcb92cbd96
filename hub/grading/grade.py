"""`mandrillhub grade`: all submissions of an assignment, each executed in the sandbox as a job of the cluster."""

from __future__ import annotations

import json
import pwd
import subprocess
from collections.abc import Iterator
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hub import settings
from hub.courses import Course
from hub.grading import config
from hub.grading.sandbox import access
from hub.layout import Layout
from hub.problems import Stop
from hub.running import Running
from hub.terminal import console

#: The last that is told of a submission.
ENDS = ("graded", "failed", "skipped")


def chosen(running: Running, name: str | None) -> Course:
    """The course of this name, or the only one."""
    courses = {course.name: course for course in running.workshop.courses}
    if name is None and len(courses) == 1:
        return next(iter(courses.values()))
    if name not in courses:
        raise Stop(f"{f'there is no course {name!r}' if name else 'there are several courses'}; "
                   f"expected --course with one of: {', '.join(courses)}")
    return courses[name]


def events(layout: Layout, course: Course, assignment: str, student: str | None, force: bool) -> Iterator[dict]:
    """What run.py tells; it runs as the course's account."""
    account = pwd.getpwnam(course.account)
    token = access.local_token(settings.secret(layout.hub_state, "sandbox_token"), course.account)
    command = [layout.server_bin / "python", "-m", "hub.grading.sandbox.run", assignment,
               *([f"--student={student}"] if student else []), *(["--force"] if force else [])]
    running = subprocess.Popen(
        command, cwd=layout.courses / course.name, stdout=subprocess.PIPE, text=True, user=account.pw_uid,
        group=account.pw_gid, extra_groups=[], env=config.command_line(layout, course.name) | {
            "HOME": account.pw_dir, "USER": course.account, "MANDRILLHUB_SANDBOX_TOKEN": token})
    try:
        for line in running.stdout:
            try:
                yield json.loads(line)
            except ValueError:
                yield {"warning": line.strip()}
        if running.wait() not in (0, 1):
            raise Stop(f"grading {assignment} of {course.name} ended with status {running.returncode}; "
                       "the lines above say why")
    finally:
        running.terminate()
        running.wait()


def grade(layout: Layout, course: Course, assignment: str, student: str | None, force: bool) -> bool:
    """Grade, with a progress bar, and tell what came of it; False if something could not be graded."""
    if not (layout.courses / course.name / "source" / assignment).is_dir():
        there = sorted(place.name for place in (layout.courses / course.name / "source").glob("*/"))
        raise Stop(f"the course {course.name} has no assignment {assignment!r}; it has: {', '.join(there) or 'none'}")
    ends: dict[str, dict[str, Any]] = {}
    states: dict[str, str] = {}
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                  TextColumn("{task.fields[now]}"), console=console, transient=True) as progress:
        bar = progress.add_task(f"{course.name} {assignment}", total=None, now="collecting")
        for event in events(layout, course, assignment, student, force):
            if "warning" in event:
                console.print(f"[yellow]{event['warning']}[/]")
            elif "students" in event:
                progress.update(bar, total=len(event["students"]))
            elif event["state"] in ENDS:
                ends[event["student"]] = event
                states.pop(event["student"], None)
            else:
                states[event["student"]] = event["state"]
            counts = {state: list(states.values()).count(state) for state in ("running", "queued", "waiting")}
            progress.update(bar, completed=len(ends), now=", ".join(f"{n} {state}" for state, n in counts.items() if n))
    if not ends:
        raise Stop(f"nobody has handed in {assignment} of {course.name}" + (f" as {student}" if student else ""))
    console.print(_table(ends))
    failed = [name for name, event in ends.items() if event["state"] == "failed"]
    if failed:
        console.print(f"[red]not graded: {', '.join(failed)}[/]; mend what is told, then `mandrillhub grade` again")
    return not failed


def _table(ends: dict[str, dict[str, Any]]) -> Table:
    table = Table("person", "points", "what happened", box=None)
    for name, event in sorted(ends.items()):
        known = "points" in event and event["state"] != "failed"
        points = f"{event['points']:g} of {event['most']:g}" if known else "–"
        words = {"graded": "graded", "failed": "not graded", "skipped": "graded before (--force grades it again)"}
        told = words[event["state"]] + (", waits for a grade by hand" if event.get("by_hand") else "")
        table.add_row(name, points, f"{told}: {event['reason']}" if event.get("reason") else told)
    return table
