"""A person's own readiness score: which checks passed, and a picture of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

_MARKS = {True: ("✓", "#2e7d4f"), False: ("✗", "#c8312b"), None: ("·", "#8a8a8a")}


class Readiness:
    """Counts the checks of each topic. ``Readiness(shell=2, keys=1)``: two checks for the shell, one for keys.

    A notebook shows it as a table of passed (✓), failed (✗) and not yet tried (·) checks.
    """

    def __init__(self, **checks: int):
        self.results: dict[str, dict[int, bool | None]] = {
            topic: dict.fromkeys(range(1, count + 1)) for topic, count in checks.items()}

    @contextmanager
    def check(self, topic: str, number: int = 1) -> Iterator[None]:
        """Run the lines of a ``with`` as one check: it passed, and prints ✓, when they raise nothing. Errors go on;
        of a failed assertion people see their own cell's line and the message, not the lines of `practice.run`."""
        results = self.results[topic]
        if number not in results:
            raise KeyError(f"{topic} has no check {number}")
        results[number] = False
        try:
            yield
        except AssertionError as error:
            error.__traceback__.tb_next.tb_next = None  # this line, then the cell's
            raise
        results[number] = True
        print("✓")

    @property
    def score(self) -> tuple[int, int]:
        """(checks passed, checks in all)."""
        all_results = [result for results in self.results.values() for result in results.values()]
        return sum(result is True for result in all_results), len(all_results)

    def __repr__(self) -> str:
        rows = [f"{topic:12} {' '.join(_MARKS[result][0] for result in results.values())}"
                for topic, results in self.results.items()]
        return "\n".join([*rows, "{} / {}".format(*self.score)])

    def _repr_html_(self) -> str:
        cell = '<td style="text-align:left;padding:4px 12px">'
        rows = []
        for topic, results in self.results.items():
            marks = "".join(
                f'<span style="display:inline-block;width:1.6em;margin-right:4px;text-align:center;color:white;'
                f'background:{colour};border-radius:3px">{mark}</span>'
                for mark, colour in map(_MARKS.get, results.values()))
            rows.append(f"<tr>{cell}{escape(topic)}</td>{cell}{marks}</td></tr>")
        passed, total = self.score
        bar = (f'<div style="width:16em;border:1px solid #8a8a8a;border-radius:3px"><div style="width:'
               f'{100 * passed // max(1, total)}%;background:#2e7d4f;height:0.9em"></div></div>')
        rows.append(f"<tr>{cell}<b>{passed} / {total}</b></td>{cell}{bar}</td></tr>")
        return f'<table style="margin:0">{"".join(rows)}</table>'
