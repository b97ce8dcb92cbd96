"""attendees.csv: who takes part, and as what. Pure reading; hub/accounts.py makes the Unix accounts."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from hub.problems import Problem, Problems

ROLES = ("attendee", "instructor", "admin")
COLUMNS = ("login", "name", "role", "course")
#: What useradd accepts on Debian, within the 32 characters of a login.
LOGIN = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Person:
    """One line of attendees.csv."""

    login: str
    name: str
    role: str = "attendee"
    #: Their courses' names; none: every course.
    courses: tuple[str, ...] = ()
    #: Where it stands in the file, for messages.
    line: int | None = field(default=None, compare=False)

    def takes(self, course: str) -> bool:
        """Is this one of their courses? Admins have all."""
        return not self.courses or course in self.courses or self.role == "admin"


def read_people(path: Path) -> list[Person]:
    """Read attendees.csv: columns login, name, role (empty: attendee), course (names between blanks; empty: every
    course), separated by ``,`` or ``;``.

    A byte-order mark is ignored. Raises :class:`Problems` with every bad line: unknown columns, a login that
    Unix would not take, a person listed twice, a role that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Problems([Problem(path, None, "", f"cannot be read: {error.strerror}; expected a CSV file "
                                f"with the columns {', '.join(COLUMNS)}")]) from None
    except UnicodeDecodeError:
        raise Problems([Problem(path, None, "", "is not UTF-8 text; save it as CSV UTF-8")]) from None
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    header = [cell.strip().lower() for cell in next(rows, [])]
    wrong = [name for name in header if name not in COLUMNS]
    if wrong or not {"login", "name"} <= set(header) or len(set(header)) != len(header):
        raise Problems([Problem(path, 1, wrong[0] if wrong else "",
                                f"expected the columns {', '.join(COLUMNS)}, found {', '.join(header) or 'none'}")])
    people: list[Person] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            line = rows.line_num
            if len(row) != len(header):
                problems.append(Problem(path, line, "", f"{len(row)} fields; expected {len(header)}: "
                                        f"{', '.join(header)}"))
                continue
            cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
            person = Person(cells["login"], cells["name"], cells.get("role") or "attendee",
                            tuple(cells.get("course", "").split()), line)
            problems += [Problem(path, line, column, message) for column, message in _mistakes(person)]
            if person.login in lines:
                problems.append(Problem(path, line, "login", f"{person.login!r} is already on line "
                                        f"{lines[person.login]}; expected each person once"))
            lines.setdefault(person.login, line)
            people.append(person)
    except csv.Error as error:
        problems.append(Problem(path, rows.line_num, "", f"is not CSV: {error}"))
    if not people and not problems:
        problems.append(Problem(path, None, "", "names nobody; expected one person a line"))
    if problems:
        raise Problems(problems)
    return people


def _mistakes(person: Person) -> list[tuple[str, str]]:
    mistakes = []
    if not LOGIN.fullmatch(person.login):
        mistakes.append(("login", f"{person.login!r}: expected a small letter, then small letters, digits, "
                         "- or _, 32 at most"))
    if not person.name or any(ord(char) < 32 or char in ":," for char in person.name):
        mistakes.append(("name", f"{person.name!r}: expected a name without : and ,"))
    if person.role not in ROLES:
        mistakes.append(("role", f"{person.role!r}: expected one of: {', '.join(ROLES)}"))
    return mistakes
