"""Collecting submissions, as the course's account, from what each person may have made of their own place.

Whose a submission is, the owner of people/LOGIN says. One that can't be read, or is not what our Submit writes, costs
its person alone, and is told; the others are collected, and of that person the next older one.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange import default

from hub.grading.exchange import MOST_FILES, SECRET, TIMESTAMP, Ours, Submission
from hub.grading.hostile import Copy, Refused, changed_at, names, opened, people_of

#: Clocks of nodes and of file servers differ by less, and a submission's copy takes less.
TOLERANCE = timedelta(minutes=2)
#: Submissions of one person that are looked at, newest first, before we give up on them.
TRIES = 3
#: nbgrader's, in UTC.
FORMAT = "%Y-%m-%d %H:%M:%S.%f UTC"


def true_time(said: datetime, changed: float) -> datetime:
    """When a submission was made (UTC): what its person says, unless the file system's ctime (seconds) contradicts."""
    seen = datetime.fromtimestamp(changed, UTC).replace(tzinfo=None)
    return said if abs(seen - said) <= TOLERANCE else seen


class Collect(Ours, default.ExchangeCollect):
    """``refused`` tells afterwards what was not collected, by login: the reason."""

    def init_src(self) -> None:
        self.course_path = self.ensure_course()
        self.refused: dict[str, str] = {}
        self.duedate = None
        if self.before_duedate:  # else there is no need to open the gradebook
            with (Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook,
                  contextlib.suppress(MissingEntry)):
                self.duedate = gradebook.find_assignment(self.coursedir.assignment_id).duedate

    def copy_files(self) -> None:
        found = 0
        with people_of(self.course_path) as (everyone, people):
            for login, uid in people.items():
                if fnmatch(login, self.coursedir.student_id or "*"):
                    found += self.of_person(everyone, login, uid)
        assignment, course = self.coursedir.assignment_id, self.coursedir.course_id
        if not found and not self.refused:
            self.log.warning("No submissions of '%s' for course '%s' to collect", assignment, course)
        if self.refused:
            self.log.error("Not collected: %s. The reasons are above", ", ".join(sorted(self.refused)))

    def of_person(self, everyone: int, login: str, uid: int) -> bool:
        """Collect the newest submission of a person that can be; False if there is none to collect."""
        try:
            with opened(login, everyone, uid, "their place in the exchange") as place:
                try:
                    os.stat("inbound", dir_fd=place, follow_symlinks=False)
                except FileNotFoundError:
                    return False
                with opened("inbound", place, uid, "inbound") as inbound:
                    submissions = self.submissions(inbound, login)
                    for submission, name in submissions[:TRIES]:
                        try:
                            self.take(submission, name, inbound, uid)
                            self.refused.pop(login, None)
                            break
                        except (Refused, OSError) as error:
                            self.refuse(login, f"{name!r}: {error}")
        except (Refused, OSError) as error:
            self.refuse(login, str(error))
            return False
        return bool(submissions)

    def refuse(self, login: str, reason: str) -> None:
        self.refused[login] = reason
        self.log.error("Cannot collect from %s: %s", login, reason)

    def submissions(self, inbound: int, login: str) -> list[tuple[Submission, str]]:
        """Those of the assignment with their names, the one to collect first."""
        found = []
        for name in names(inbound, MOST_FILES, "inbound has too many files"):
            submission = Submission.of(name)
            if submission and (submission.login, submission.assignment) == (login, self.coursedir.assignment_id):
                with contextlib.suppress(FileNotFoundError):
                    found.append((true_time(submission.time, changed_at(inbound, name)), submission, name))
        found.sort(reverse=True, key=lambda each: each[0])
        if self.duedate:
            found = [each for each in found if each[0] <= self.duedate] or found
        return [(submission, name) for _, submission, name in found]

    def take(self, submission: Submission, name: str, inbound: int, uid: int) -> None:
        """Copy one submission beside its place, and then there, so that a bad one takes no good one's place."""
        login, assignment = submission.login, submission.assignment
        dest = Path(self.coursedir.format_path(self.coursedir.submitted_directory, login, assignment))
        if dest.is_dir():
            before = self.coursedir.get_existing_timestamp(str(dest))
            time = true_time(submission.time, changed_at(inbound, name))
            newer = before is None or time > before
            if not (self.update and newer) and not (self.before_duedate and before != time):
                self.log.info("No newer submission to collect: %s %s" if self.update else
                              "Submission already exists, use --update to update: %s %s", login, assignment)
                return
        dest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".collecting-", dir=dest.parent) as making:
            new = Path(making, "new")
            copy = Copy(uid, MOST_FILES, 1000 * self.coursedir.max_dir_size, self.is_skipped)
            with opened(name, inbound, uid, "it") as source:
                copy.tree(source, new)
            time = true_time(submission.time, copy.changed_at)
            if time != submission.time:
                self.log.warning("%s says that %s was submitted at %s UTC, but it was changed at %s UTC: taken as "
                                 "submitted then", login, assignment, submission.time, time)
            _write(new / TIMESTAMP, time.strftime(FORMAT))
            if not re.fullmatch(r"[0-9a-f]{128}", _text(new / SECRET)):  # theirs to lose: feedback is found by it
                _write(new / SECRET, secrets.token_hex(64))
            self.log.info("%s submission: %s %s", "Updating" if dest.is_dir() else "Collecting", login, assignment)
            if dest.is_dir():
                dest.rename(Path(making, "old"))
            new.rename(dest)

    def is_skipped(self, name: str) -> bool:
        """Names that nbgrader ignores, and those that no terminal and no page can show."""
        if not name.isprintable():
            self.log.warning("Ignoring %r: its name has characters that cannot be shown", name)
            return True
        return any(fnmatch(name, pattern) for pattern in self.coursedir.ignore)


def _text(path: Path) -> str:
    return path.read_bytes()[:200].decode("latin-1") if path.is_file() else ""


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise Refused(f"{path.name} is a directory")
    path.write_text(text)
