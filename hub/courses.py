"""The courses of workshop.yml: where a course's assignments come from, and the account that it belongs to.

A course belongs to one Unix account of its own, that nobody logs in with. Its instructors work there through the
course's desk: a notebook server of this account, which JupyterHub opens to them alone (hub/roster.py).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from hub.clusters import Part
from hub.people import LOGIN
from hub.problems import Stop

#: The course that comes with the platform, and where it lies.
OURS = "mandrill"
SOURCE = Path(__file__).resolve().parent.parent / "course_notebooks/source"
#: Also a folder in homes; with "grader-" before it, a login.
NAME = re.compile(r"[a-z]([a-z0-9_-]{0,22}[a-z0-9])?")


class Course(Part):
    """One course; a name alone stands for ``{name: …}``."""

    name: str = Field(pattern=f"^{NAME.pattern}$", description="as nbgrader and people's homes call it")
    source: Path | None = Field(None, description="folder of its assignments, nbgrader's; relative to workshop.yml")
    account: str = Field(pattern=f"^{LOGIN.pattern}$", description="the Unix account that it belongs to")
    hold_back: tuple[str, ...] = Field((), description="assignments that its instructors release, not `make up`")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        value = dict(value) if isinstance(value, dict) else {"name": value}
        name = str(value.get("name"))
        return {"account": f"grader-{name}" if NAME.fullmatch(name) else "grader"} | value  # one mistake is told once

    @property
    def folder(self) -> Path:
        """Where its assignments lie; what everybody gets as it is lies beside it, in ``bonus``."""
        return self.source or SOURCE

    @property
    def assignments(self) -> list[str]:
        """The names of all assignments: folders with a notebook."""
        return sorted({notebook.parent.name for notebook in self.folder.glob("*/*.ipynb")})

    def in_language(self, what: str, language: str, place: Path) -> Path:
        """Its folder ``what`` (``source``, ``bonus``) in a language: of ours a translation, made in ``place``."""
        folder = self.folder if what == "source" else self.folder.parent / what
        if language == "en" or self.source:
            return folder
        made = subprocess.run([sys.executable, SOURCE.parent / "translate.py", language, place / what,
                               *["--bonus"] * (what == "bonus")], stdout=subprocess.DEVNULL)
        if made.returncode:
            raise Stop(f"the course could not be translated ({language}); the lines above say why")
        return place / what


def problems(courses: Sequence[Course]) -> Iterator[tuple]:
    """What is wrong with them together, and with their files: (*path, message) tuples."""
    for index, course in enumerate(courses):
        where = ("courses", index)
        twice = [field for field in ("name", "account")
                 if getattr(course, field) in [getattr(other, field) for other in courses[:index]]]
        if twice:
            yield *where, twice[0], f"{getattr(course, twice[0])!r} is there twice; expected each course once"
        elif not course.source and course.name != OURS:
            yield *where, f"{course.name!r} has no source; expected the folder that holds its assignments"
        elif not course.folder.is_dir():
            yield *where, "source", f"'{course.source}' is no directory; expected the one that holds the assignments"
        elif not course.assignments:
            yield *where, "source", f"'{course.folder}' holds no assignment; expected folders with a notebook in each"
        else:
            for number, name in enumerate(course.hold_back):
                if name not in course.assignments:
                    yield *where, "hold_back", number, (f"no assignment {name!r}; expected one of: "
                                                        f"{', '.join(course.assignments)}")
