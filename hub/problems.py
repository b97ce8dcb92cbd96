"""Mistakes in what people wrote: always the file, the line, the field and what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One mistake."""

    path: Path
    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.field + ': ' if self.field else ''}{self.message}"


class Problems(Exception):
    """Every mistake found in a file, so that all are mended in one go."""

    def __init__(self, problems: list[Problem]):
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class Stop(Exception):
    """Something else that ends a command: a message for the person at the terminal, with the next step."""
