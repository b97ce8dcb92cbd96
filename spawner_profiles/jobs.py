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
    the pending jobs of its partition.
    """

    id: str
    user: str
    name: str
    phase: Phase
    partition: str
    reason: str = ""
    node: str = ""
    position: int | None = None


@dataclass(frozen=True)
class Capacity:
    """How many servers of one profile would start now (``free``), fit on the empty cluster, and wait."""

    free: int | None
    total: int
    waiting: int = 0


class Shared:
    """A question to the scheduler whose answer serves everyone who asks within ``max_age`` seconds."""

    def __init__(self, ask: Callable[[], Awaitable[Any]], max_age: float) -> None:
        self._ask = ask
        self._max_age = max_age
        self._lock = asyncio.Lock()
        self._answer: Any = None
        self._asked = self._from = float("-inf")

    def forget(self) -> None:
        """Something changed: from now on only a question asked after this moment has a good answer."""
        self._from = time.monotonic()

    async def __call__(self) -> Any:
        async with self._lock:
            now = time.monotonic()
            if self._asked <= self._from or now - self._asked > self._max_age:
                self._answer = await self._ask()
                self._asked = now  # when we asked, not when the answer came: it may lack what began meanwhile
            return self._answer
