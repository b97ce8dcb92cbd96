"""Whose start is submitted next: a class that presses Start at once is let in at the pace that this hub can hold.

What is limited is the number of submissions under way. The limit is measured, not configured, as TCP finds its window
(slow start and congestion avoidance, RFC 5681; an initial window of ten, RFC 6928; the end of slow start when answers
begin to take longer, HyStart++, RFC 9406): it grows while submissions are quick, and is halved when one fails for
want of an answer, takes several times what they take at best, or the event loop comes round late. So a scheduler that
can take the whole class gets it almost at once, and one that can't is not driven into refusing jobs. Whoever is in
line costs nothing but their place.
"""

from __future__ import annotations

import asyncio
import time

INITIAL = 10.0
#: Below this the hub would idle while a submission waits for the scheduler.
FLOOR = 4.0
#: A submission is slow if it takes this many times what the quickest took, and longer than a person notices.
SLOW_RATIO, SLOW_S = 4.0, 1.0
#: The limit no longer doubles when they take this many times that.
LONGER_RATIO = 2.0
#: Seconds that the event loop may take to come round.
LAG_S = 0.5


class Place:
    """One start's place: in line until ``admitted`` is done, then under way until :meth:`leave`."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.admitted_at = 0.0

    @property
    def position(self) -> int | None:
        """From 1; None when not in line any more."""
        line = self._admission._line
        return 1 + list(line).index(self) if self in line else None

    @property
    def seconds(self) -> float | None:
        """About how long until it is this one's turn, as submissions go now; None before there was any."""
        place, usual = self.position, self._admission._usual
        return None if place is None or usual is None else place * usual / self._admission.limit

    def leave(self, silent: bool | None = None) -> None:
        """Submitted, or given up. ``silent``: the scheduler gave no answer; None: there was no submission."""
        self._admission._left(self, silent)


class Admission:
    """The line in front of one scheduler."""

    def __init__(self) -> None:
        #: How many submissions may be under way at the same time.
        self.limit = INITIAL
        self._threshold = float("inf")  # below it the limit doubles each round, above it grows by one
        self._cut_at = float("-inf")
        self._under_way: set[Place] = set()
        self._line: dict[Place, None] = {}
        self._quickest = float("inf")
        self._usual: float | None = None

    def enter(self) -> Place:
        """A place at the end of the line; admitted already if there is no line."""
        place = Place(self)
        self._line[place] = None
        self._admit()
        return place

    def _admit(self) -> None:
        while self._line and len(self._under_way) < int(self.limit):
            place = next(iter(self._line))
            del self._line[place]
            self._under_way.add(place)
            place.admitted_at = time.monotonic()
            place.admitted.set_result(None)
            asyncio.get_running_loop().call_soon(self._came_round, place)

    def _came_round(self, place: Place) -> None:
        if time.monotonic() - place.admitted_at > LAG_S:
            self._cut(place)

    def _left(self, place: Place, silent: bool | None) -> None:
        self._line.pop(place, None)
        full = len(self._under_way) >= int(self.limit)
        if place in self._under_way:
            self._under_way.remove(place)
            if silent is not None:
                self._learn(place, silent, full)
        self._admit()

    def _learn(self, place: Place, silent: bool, full: bool) -> None:
        took = time.monotonic() - place.admitted_at
        self._usual = took if self._usual is None else 0.8 * self._usual + 0.2 * took
        if silent or took > max(SLOW_S, SLOW_RATIO * self._quickest):
            self._cut(place)
        elif full:  # a limit that nobody comes near has not been tried
            if took > LONGER_RATIO * self._quickest:
                self._threshold = min(self._threshold, self.limit)
            self.limit += 1 if self.limit < self._threshold else 1 / self.limit
        # A cluster that has become slower for good is learned, slowly.
        self._quickest = min(took, self._quickest * 1.01)

    def _cut(self, place: Place) -> None:
        """Halve, once for all that were under way together."""
        if place.admitted_at > self._cut_at:
            self.limit = self._threshold = max(FLOOR, self.limit / 2)
            self._cut_at = time.monotonic()
