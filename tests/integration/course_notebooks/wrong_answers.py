"""Wrong answers that people give, and the test cells that must catch each."""

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Wrong:
    """`answer` in the cell `exercise` costs the points of the test cells `shown` and `hidden`, and no others.

    The attendee's own run shows the failures of `shown`; those of `hidden` come from hidden tests alone.
    """

    exercise: str
    answer: str
    shown: frozenset[str]
    hidden: frozenset[str]


def wrong(exercise: str, answer: str, shown: str = "", hidden: str = "") -> Wrong:
    """`shown` and `hidden` are names of test cells, with blanks between them."""
    return Wrong(exercise, answer, frozenset(shown.split()), frozenset(hidden.split()))


def of(assignment: str) -> list[Wrong]:
    """The wrong answers to an assignment: WRONG of the module wrong_<its number>."""
    return import_module(f".wrong_{assignment[:2]}", __package__).WRONG
