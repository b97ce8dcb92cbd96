"""A server's job as the hub knows it: while it waits and runs, at its end, and after a restart of the hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar
from weakref import WeakSet

from batchspawner import JobStatus
from batchspawner.batchspawner import BatchSpawnerBase
from traitlets import Integer, Unicode

from spawner_profiles.jobs import Job, Phase, SchedulerSilent
from spawner_profiles.scheduler import Scheduler
from spawner_profiles.words import _

#: What survives a restart of the hub, beside batchspawner's job_id.
STATE = {"req_mark", "token_hash", "port", "ready", "submitted_at"}


class Unwatched:
    """Awaiting it waits for nothing: the state of a spawner that no database knows."""

    def __await__(self):
        return iter(())


class KnownJob(BatchSpawnerBase):
    """Knows its job: asks the scheduler, remembers across restarts, tells how it ended. See job_spawner.py."""

    #: Shared by all spawners of the hub: one query answers them all.
    scheduler: Scheduler
    #: All spawners of this hub; the reaper asks them which jobs have an owner.
    known: ClassVar[WeakSet[KnownJob]] = WeakSet()
    poll_seconds = Integer(1, config=True, help="between two looks at the queue while starting or stopping")
    running_poll_seconds = Integer(20, config=True, help="how old an answer may be for servers that run")

    hub_id = Unicode("mandrillhub", config=True, help="tells this hub's jobs from those of another on one cluster")
    req_mark = Unicode("", help="names one start; the job carries it, so that a hub that died while it submitted "
                                "finds the job again")
    #: Called when the job of a running server is seen to have ended.
    noticed: Callable[[], None] = staticmethod(lambda: None)
    #: Writes the state to the hub's database, and can be awaited; the wrapper sets it.
    remember: Callable[[], Awaitable[None]] = Unwatched
    #: The server of the job has been handed to its person.
    ready = False
    #: Of the token that the job was given: a hub that was restarted knows it again.
    token_hash = ""
    #: When the scheduler accepted the job, seconds since 1970.
    submitted_at = 0.0
    #: A list that was asked for before this lacks the job, which has not ended then. A class that submits would ask
    #: as often as it submits if each wanted a newer list at once.
    _listed_from = float("-inf")
    #: How the job of a server that ran ended, and when if we saw it; our wrapper takes it from here.
    ended: Job | None = None
    ended_at: float | None = None
    _ending: asyncio.Future[Job] | None = None
    #: What the scheduler said last; None before it said anything.
    job: Job | None = None
    #: The scheduler gave no answer when it was last asked.
    silent = False

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.known.add(self)
        self.scheduler.jobs.heard = self._heard

    @cached_property
    def _port_reported(self) -> asyncio.Event:
        return asyncio.Event()

    # -- what the scheduler says ------------------------------------------------------------------------

    @property
    def freshness(self) -> float:
        """Seconds that an answer of the scheduler may be old: a running server is no reason to ask often."""
        return self.poll_seconds / 2 if not self.ready else self.running_poll_seconds

    async def look(self) -> Job | None:
        """Ask the scheduler for this job; None means that it does not tell (yet). Nothing is forgotten then."""
        try:
            found = (await self.scheduler.jobs(self.freshness)).get(self.job_id)
        except SchedulerSilent as error:
            if not self.silent:
                self.log.warning("The scheduler does not answer: %s", error)
            self.silent = True
            return None
        self.silent = False
        if self.scheduler.jobs.asked < self._listed_from:
            return None
        if found is None or found.user != self.user.name:
            found = Job(self.job_id, self.user.name, Phase.ENDED, reason=_("the cluster does not know it any more"))
        if self.job and not found.node:
            found = replace(found, node=self.job.node)
        self.job = found
        return found

    async def query_job_status(self) -> JobStatus:
        """What batchspawner's ``poll`` asks. A silent scheduler is unknown, never gone."""
        if not self.job_id and not await self._find_by_mark():
            return JobStatus.NOTFOUND
        seen_alive = self.job is not None
        job = await self.look()
        if job is None:
            return JobStatus.UNKNOWN
        if self.ready and job.phase in (Phase.ENDING, Phase.ENDED):
            self.ready = False  # from here on we want to know at once
            self.ended_at = time.time() if seen_alive else None
            self._ending = asyncio.ensure_future(self._until_ended(job))
        if self._ending:  # whoever else asks meanwhile must not forget the job
            self.ended = await asyncio.shield(self._ending)
        return {Phase.PENDING: JobStatus.PENDING, Phase.RUNNING: JobStatus.RUNNING}.get(
            job.phase, JobStatus.NOTFOUND)

    async def _until_ended(self, job: Job) -> Job:
        """Why a job ended is known only when it has; it takes as long as its processes. At most 12 s, then as is."""
        for _look in range(24):
            if job.phase is Phase.ENDED:
                break
            await asyncio.sleep(self.poll_seconds / 2)
            job = await self.look() or job
        return job

    @classmethod
    def _heard(cls, jobs: dict[str, Job]) -> None:
        """Whoever asked: those whose job has ended need not wait for their own turn to ask."""
        for spawner in list(cls.known):
            job = jobs.get(spawner.job_id) if spawner.ready else None
            if job and job.phase in (Phase.ENDING, Phase.ENDED):
                spawner.noticed()

    # -- across restarts of the hub ---------------------------------------------------------------------

    async def _find_by_mark(self) -> bool:
        """A hub that died between submitting and learning the id finds the job by its mark."""
        if not self.req_mark:
            return False
        try:
            for job_id, owner in (await self.scheduler.marked()).items():
                if owner == (self.user.name, self.req_mark):
                    self.log.warning("Found job %s of %s again by its mark", job_id, self._log_name)
                    self.job_id = job_id
                    self.remember()
        except SchedulerSilent:
            return True  # unknown is not gone
        return bool(self.job_id)

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for name in STATE:
            if getattr(self, name):
                state[name] = getattr(self, name)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        if not state.get("req_mark", f"{self.hub_id}/").startswith(f"{self.hub_id}/"):
            state = {}  # of another cluster, where this id was another job
        super().load_state(state)
        for name in STATE & state.keys():
            setattr(self, name, state[name])
        if state.get("port"):
            self._port_reported.set()

    def clear_state(self) -> None:
        super().clear_state()
        self.job, self.ready, self.req_mark, self.token_hash, self.port = None, False, "", "", 0
        self.submitted_at, self._ending = 0.0, None
        self._port_reported.clear()
