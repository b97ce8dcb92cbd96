"""Who belongs to which course, as the exchange's directories say (places.py). For nbgrader, on the nodes.

A person belongs to a course in which people/LOGIN is theirs; a course account to the course whose outbound/ is. Root
made both, so that nobody can make them up; names and environment variables count for nothing.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from nbgrader.auth import BaseAuthPlugin
from nbgrader.exchange.default import Exchange


def owns(path: Path, uid: int) -> bool:
    """Whether a directory, no link, is this account's."""
    try:
        there = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(there.st_mode) and there.st_uid == uid


def place(root: str, course: str, login: str) -> Path:
    """A person's directory in a course."""
    return Path(root, course, "people", login)


def is_course(root: str, course: str, uid: int | None = None) -> bool:
    """Whether an account, this process's by default, is the course's own."""
    return owns(Path(root, course, "outbound"), os.geteuid() if uid is None else uid)


def my_login() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


class Members(BaseAuthPlugin):
    """nbgrader asks this before it lists, fetches or submits."""

    def get_student_courses(self, student_id: str) -> list[str]:
        """The courses of this process's account, nbgrader's "*"; of somebody else those that are this account's own:
        --student with another's name opens no door."""
        root, me = Exchange(parent=self).root, pwd.getpwuid(os.geteuid())
        try:
            person = me if student_id in ("", "*") else pwd.getpwnam(student_id)
            courses = sorted(os.listdir(root))
        except (KeyError, OSError):
            return []
        if person.pw_uid != me.pw_uid:
            courses = [course for course in courses if is_course(root, course)]
        return [course for course in courses
                if owns(place(root, course, person.pw_name), person.pw_uid) or is_course(root, course, person.pw_uid)]

    def add_student_to_course(self, student_id: str, course_id: str) -> None:
        """nbgrader calls this beside its own list of students; who belongs to a course is for attendees.csv to say."""

    remove_student_from_course = add_student_to_course
