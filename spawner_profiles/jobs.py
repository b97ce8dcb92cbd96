"""What every scheduler tells of jobs, in the same words, and one question shared by all who ask it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Phase(Enum):
    """Where a job is. A scheduler that does not answer is none of these: see :class:`SchedulerSilent`."""

    PENDING = "pending"
    RUNNING = "running"
    #: No longer starts or runs anything, but its processes may not all be gone yet.
    ENDING = "ending"
    ENDED = "ended"


class SchedulerSilent(Exception):
    """The scheduler did not answer. Nothing is known: jobs are neither gone nor running."""


class SubmitRefused(Exception):
    """The scheduler refused a job; the message is its own."""


@dataclass(frozen=True)
class Job:
    """One job as the scheduler tells it.

    ``reason`` is, in words, why it waits (pending) or why it ended (ended); ``position`` counts from 1 among
    the pending jobs of its partition; ``expected_start`` is the scheduler's own estimate, seconds since 1970.
    """

    id: str
    user: str
    phase: Phase
    partition: str = ""
    reason: str = ""
    node: str = ""
    position: int | None = None
    expected_start: float | None = None


@dataclass(frozen=True)
class Capacity:
    """How many servers of one profile would start now (``free``), fit on the empty cluster, and wait."""

    free: int | None
    total: int
    waiting: int = 0


class Shared:
    """A question to the scheduler, asked once for all who want to know at about the same time.

    Whoever asks says how old the answer may be: who waits for a start wants it fresh, who only checks that a
    server still runs does not. A scheduler that takes long, or gives no answer, is asked less often.
    """

    #: An answer is good for this many times the seconds that it took.
    RELIEF = 4

    def __init__(self, ask: Callable[[], Awaitable[Any]]) -> None:
        self._ask = ask
        #: Told each new answer.
        self.heard: Callable[[Any], None] = lambda answer: None
        self._lock = asyncio.Lock()
        self._answer: Any = None
        self._silence: SchedulerSilent | None = None
        self._took = 0.0
        #: When the answer was asked for (time.monotonic): it may lack what began later.
        self.asked = self._from = float("-inf")

    def forget(self) -> None:
        """Something changed: from now on only a question asked after this moment has a good answer."""
        self._from = time.monotonic()

    async def __call__(self, max_age: float) -> Any:
        """The answer, at most ``max_age`` seconds old. Raises :class:`SchedulerSilent`."""
        async with self._lock:
            now = time.monotonic()
            age = now - self.asked
            # Those who queued for the lock while the scheduler was silent share that silence.
            fresh = age <= max(max_age, self.RELIEF * self._took)
            if not fresh or (self.asked <= self._from and self._silence is None):
                self.asked = now  # when we asked, not when the answer came: it may lack what began meanwhile
                with Lateness() as hub:
                    try:
                        self._answer, self._silence = await self._ask(), None
                        self.heard(self._answer)
                    except SchedulerSilent as error:
                        self._silence = error
                self._took = max(0.0, time.monotonic() - now - hub.late_s)
            if self._silence:
                raise SchedulerSilent(*self._silence.args)
            return self._answer


class Lateness:
    """How late the event loop itself came round meanwhile, in seconds: a busy hub is no slow scheduler."""

    EVERY_S = 0.02

    def __enter__(self) -> Lateness:
        self.late_s = 0.0
        self._expect()
        return self

    def _expect(self) -> None:
        self._due = time.monotonic() + self.EVERY_S
        self._timer = asyncio.get_running_loop().call_later(self.EVERY_S, self._came)

    def _came(self) -> None:
        self.late_s += time.monotonic() - self._due
        self._expect()

    def __exit__(self, *_) -> None:
        self._timer.cancel()
        self.late_s += max(0.0, time.monotonic() - self._due)
