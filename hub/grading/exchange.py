"""nbgrader's exchange where nobody reaches another's work: its own classes, over the directories of places.py.

nbgrader's default exchange is one directory that everybody may write to: whoever comes first is the course, and a
submission is whose name it bears. Here each person hands in below a directory that is theirs alone, and the course's
account reads it there. What is not said here is nbgrader's: its commands, options and messages. Collecting is in
collect.py, feedback in feedback.py, listing in listing.py.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nbgrader.exchange import default
from nbgrader.utils import parse_utc

from hub.grading.membership import is_course, my_login, owns, place

#: In each submission, as nbgrader names them: when it was made, and what its feedback is found by.
TIMESTAMP, SECRET = "timestamp.txt", "submission_secret.txt"
#: Files and directories of one submission.
MOST_FILES = 5_000
#: What Exchange.timestamp_format makes, in any time zone; nothing else is given to nbgrader's parser.
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?( [A-Z0-9+-]{1,6})?")


class Ours:
    """What all of them share."""

    def ensure_root(self) -> None:
        """The exchange is root's: nobody need be able to write to it, as nbgrader's own check wants."""
        if not os.path.isdir(self.root):
            self.fail(f"{self.root}: there is no exchange. `mandrillhub up` makes it")

    def named_course(self) -> str:
        course = self.coursedir.course_id
        if not course:
            self.fail("No course id specified. Re-run with --course flag.")
        if "/" in course or course in (".", ".."):
            self.fail(f"{course!r} is not the name of a course")
        return course

    def ensure_course(self) -> Path:
        """The course's directory; stops unless this is the account of the course itself."""
        course = self.named_course()
        if not is_course(self.root, course):
            self.fail(f"Only course {course!r} itself can do this, and {my_login()} is not its account. Open the "
                      "course's desk (menu entry Formgrader), and do it there")
        return Path(self.root, course)

    def my_place(self) -> Path:
        """Where this person's work for the course lies; stops where they have none, or name somebody else."""
        course, login = self.named_course(), my_login()
        if self.coursedir.student_id not in ("", "*", login):
            self.fail(f"You are {login}, and can do this as yourself alone, not as {self.coursedir.student_id!r}")
        mine = place(self.root, course, login)
        if not owns(mine, os.geteuid()):
            self.fail(f"You do not have access to this course: {login} is not in {course!r}. Your instructor can "
                      "add you")
        return mine


@dataclass(frozen=True)
class Submission:
    """What the name of a submission says: ``LOGIN+ASSIGNMENT+TIMESTAMP``, as nbgrader's, without its random end."""

    login: str
    assignment: str
    timestamp: str
    time: datetime  # UTC, without a zone, as nbgrader has it

    @classmethod
    def of(cls, name: str) -> Submission | None:
        """None for any other name."""
        login, *rest = name.split("+", 2)
        if len(rest) != 2 or not name.isprintable() or not STAMP.fullmatch(rest[1]):
            return None
        try:
            return cls(login, *rest, parse_utc(rest[1]))
        except (ValueError, OverflowError):
            return None


class ReleaseAssignment(Ours, default.ExchangeReleaseAssignment):
    """By the course's account, whose outbound/ is."""

    def init_dest(self) -> None:
        self.course_path = str(self.ensure_course())
        self.outbound_path = os.path.join(self.course_path, "outbound")
        self.dest_path = os.path.join(self.outbound_path, self.coursedir.assignment_id)


class FetchAssignment(Ours, default.ExchangeFetchAssignment):
    """By those of the course: nbgrader asks membership.py."""


class Submit(Ours, default.ExchangeSubmit):
    """Into this person's own place. The course's account collects it there."""

    def init_src(self) -> None:
        self.named_course()
        super().init_src()

    def init_dest(self) -> None:
        inbound = self.my_place() / "inbound"
        try:
            inbound.mkdir(exist_ok=True)
            # For the course's account to read; nobody else gets past the directory above.
            inbound.chmod(0o755)
        except OSError as error:
            self.fail(f"{inbound}: {error.strerror}. Move it away, and submit again")
        self.inbound_path = str(inbound)
        self.assignment_filename = f"{my_login()}+{self.coursedir.assignment_id}+{self.timestamp}"

    def copy_files(self) -> None:
        """Whole or not at all, and once: the place is this person's own, so it is nbgrader's cache as well."""
        self.init_release()
        dest = Path(self.inbound_path, self.assignment_filename)
        self.log.info("Source: %s", self.src_path)
        self.log.info("Destination: %s", dest)
        self.check_filename_diff()
        making = dest.with_name(".making")
        shutil.rmtree(making, ignore_errors=True)
        try:
            self.do_copy(self.src_path, making)
            self.set_perms(making, fileperms=0o644, dirperms=0o755)
            count = sum(len(folders) + len(files) for _, folders, files in os.walk(making))
            if count > MOST_FILES:
                raise RuntimeError(f"{count} files and directories; at most {MOST_FILES} are collected")
            for name, text in ((TIMESTAMP, self.timestamp), (SECRET, secrets.token_hex(64))):
                (making / name).write_text(text)
                (making / name).chmod(0o644)
            making.rename(dest)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(making, ignore_errors=True)
            self.fail(f"{self.src_path} is not submitted: {error}")
        self.log.info("Submitted as: %s %s %s", self.coursedir.course_id, self.coursedir.assignment_id, self.timestamp)
