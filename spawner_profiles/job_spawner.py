"""A notebook server as a cluster job: batchspawner's base without its shell, sudo and per-user queries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import pwd
import re
import shlex
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar
from weakref import WeakSet

from batchspawner import JobStatus
from batchspawner.batchspawner import BatchSpawnerBase
from jinja2 import Template
from traitlets import Integer, Unicode

from spawner_profiles import modules
from spawner_profiles.admission import Place
from spawner_profiles.jobs import Job, Phase, SchedulerSilent, SubmitRefused
from spawner_profiles.problems import SpawnProblem
from spawner_profiles.progress import describe, duration
from spawner_profiles.scheduler import Scheduler

#: What survives a restart of the hub, beside batchspawner's job_id.
STATE = {"req_mark", "token_hash", "port", "ready", "submitted_at"}


#: A SpawnProblem's reason.
SILENT = "scheduler-silent"


class Unwatched:
    """Awaiting it waits for nothing: the state of a spawner that no database knows."""

    def __await__(self):
        return iter(())


class JobSpawner(BatchSpawnerBase):
    """One server, one job under the user's own account, on any scheduler.

    A subclass names its ``scheduler`` and its ``batch_script``; see slurm_job.py.
    """

    #: Shared by all spawners of the hub: one query answers them all.
    scheduler: Scheduler
    #: All spawners of this hub; the reaper asks them which jobs have an owner.
    known: ClassVar[WeakSet[JobSpawner]] = WeakSet()
    batchspawner_singleuser_cmd = Unicode("")
    req_profile = Unicode(help="key of the profile")
    req_title = Unicode("Notebook server")
    req_qos = Unicode("")
    req_reservation = Unicode("")
    req_modules = Unicode("", help="environment modules to load, between blanks")
    req_walltime_s = Unicode("0", help="walltime in seconds: the server warns before its end")
    req_idle_s = Unicode("0", help="seconds without activity after which the server stops itself; 0: never")
    req_besteffort = Unicode("", help="1: a job of this kind may lose its node to any other")
    req_queue_wait_s = Unicode("0", help="seconds that the job may wait in the queue; 0: as long as it takes")
    # We keep clocks of our own: a start that stands in line or in the queue has not failed. See until_ready.
    start_timeout = Integer(30 * 86400, config=True)
    boot_seconds = Integer(600, config=True, help="from the job's start until its server listens")
    address = Unicode("", config=True, help="where the hub reaches a job's server; default: the node's name")
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
    #: In the line before the scheduler; see admission.py.
    place: Place | None = None
    #: How the job of a server that ran ended, and when if we saw it; our wrapper takes it from here.
    ended: Job | None = None
    ended_at: float | None = None
    _ending: asyncio.Future[Job] | None = None
    #: What the scheduler said last; None before it said anything.
    job: Job | None = None
    #: The scheduler gave no answer when it was last asked.
    silent = False

    @property
    def req_logfile(self) -> str:
        """In the home; a server's name is a person's own words, so only its harmless characters count."""
        suffix = f"-{re.sub('[^A-Za-z0-9_-]', '_', self.name)}" if self.name else ""
        return f".mandrillhub-server{suffix}.log"

    @cached_property
    def _port_reported(self) -> asyncio.Event:
        return asyncio.Event()

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.known.add(self)
        self.scheduler.jobs.heard = self._heard

    @classmethod
    def _heard(cls, jobs: dict[str, Job]) -> None:
        """Whoever asked: those whose job has ended need not wait for their own turn to ask."""
        for spawner in list(cls.known):
            job = jobs.get(spawner.job_id) if spawner.ready else None
            if job and job.phase in (Phase.ENDING, Phase.ENDED):
                spawner.noticed()

    def report_port(self, port: int) -> None:
        """The server of this job listens on ``port``: it is ready now, not at the next poll."""
        self.port = port
        self._port_reported.set()
        self.scheduler.began(self.job_id)
        self.remember()

    def owns(self, token: str) -> bool:
        """Is this the token that the job of this server was given?"""
        return bool(self.token_hash) and hmac.compare_digest(self.token_hash, _hash(token))

    async def submit_batch_script(self) -> str:
        """Submit; the job's id is known to the spawner the moment the scheduler has accepted it."""
        headline = f"{self.req_title}: {self.req_nprocs} CPUs, {self.req_memory} MB {self.req_gres}".strip()
        # Before the scheduler knows of it: if we die now, the mark tells whose job this was.
        self.req_mark = f"{self.hub_id}/{uuid.uuid4().hex}"
        self.token_hash = _hash(self.api_token)
        await self.remember()
        options = {**self.get_req_subvars(), "headline": shlex.quote(headline), "logfile": self.req_logfile,
                   "load_modules": modules.loading(self.req_modules), "cmd": self.cmd_formatted_for_batch()}
        script = _compiled(self.batch_script).render(options)
        try:
            self.job_id = await self.scheduler.submit(script, self.user.name, self.get_env())
        except SchedulerSilent as error:
            # Should it have taken the job all the same, the reaper finds it by its mark.
            raise SpawnProblem("The cluster does not answer. Nothing was started; try again in a minute.",
                               reason=SILENT, log_message=str(error), status_code=503) from None
        except SubmitRefused as error:
            raise SpawnProblem(f"The cluster refused the job: {error}", reason="refused", status_code=503) from None
        except KeyError:
            raise SpawnProblem(f"{self.user.name} has no account on this cluster; ask your instructor.",
                                 reason="no-account", status_code=403) from None
        self.submitted_at, self._listed_from = time.time(), time.monotonic()
        await self.remember()
        self.log.info("Submitted job %s for %s: profile %s", self.job_id, self._log_name, self.req_profile)
        return self.job_id

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
            found = Job(self.job_id, self.user.name, Phase.ENDED, reason="the cluster does not know it any more")
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
        for _ in range(24):
            if job.phase is Phase.ENDED:
                break
            await asyncio.sleep(self.poll_seconds / 2)
            job = await self.look() or job
        return job

    async def start(self) -> tuple[str, int]:
        """Submit, wait until the job runs and its server has reported its port; return address and port."""
        self.port = 0
        self._port_reported.clear()
        self.place = self.scheduler.admission.enter()
        try:
            await self.place.admitted
        except asyncio.CancelledError:
            self.place.leave()
            raise
        submitting = asyncio.ensure_future(self._submit_and_leave(self.place))
        try:
            await asyncio.shield(submitting)
        except asyncio.CancelledError:
            # The person pressed Cancel while the job was submitted: learn the id, so that stop() can cancel the job.
            await submitting
            raise
        return await self.until_ready()

    async def _submit_and_leave(self, place: Place) -> None:
        silent = None
        try:
            await self.submit_batch_script()
            silent = False
        except SpawnProblem as error:
            silent = error.reason == SILENT
            raise
        finally:
            place.leave(silent)

    async def until_ready(self) -> tuple[str, int]:
        """Wait until the job runs and its server has reported its port; return address and port.

        Also what a restarted hub does for a start that it finds half-way. Raises :class:`SpawnProblem` if the
        job ends before, waits in the queue for longer than its profile allows, or does not start its server.
        """
        runs_since = None
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._port_reported.wait(), self.poll_seconds)
            if self._port_reported.is_set() and self.address:
                return await self._now_ready(self.address)  # the job itself has told: no need to ask the scheduler
            job = await self.look()
            if job and job.phase is Phase.PENDING:
                self._check_queue_wait(job)
            elif job and job.phase is Phase.RUNNING:
                runs_since = runs_since or time.monotonic()
                if not self._port_reported.is_set() and time.monotonic() - runs_since > self.boot_seconds:
                    raise SpawnProblem(await self._with_log(
                        f"Your job {job.id} runs on {job.node}, but its server did not start in "
                        f"{duration(self.boot_seconds)}. The job was cancelled."), reason="timeout", status_code=500)
            if job and job.phase is Phase.ENDED:  # why is known only then, not yet while it ends
                raise SpawnProblem(await self._with_log(
                    f"Your job {job.id} ended before the server was ready: {job.reason}."),
                    reason="job-ended", status_code=500)
            if job and job.phase is Phase.RUNNING and self._port_reported.is_set():
                return await self._now_ready(self.address or job.node)
            if self._port_reported.is_set():
                await asyncio.sleep(0.1)

    async def _now_ready(self, address: str) -> tuple[str, int]:
        self.ready = True
        await self.remember()
        return address, self.port

    def _check_queue_wait(self, job: Job) -> None:
        allowed = int(self.req_queue_wait_s)
        if allowed and self.submitted_at and time.time() - self.submitted_at > allowed:
            raise SpawnProblem(
                f"Your job waited for {duration(allowed)}, which is as long as one of {self.req_title} may wait: "
                f"{job.reason}. It was cancelled. Choose a machine that is free, or try again later.",
                reason="queue-wait", status_code=503)

    async def _with_log(self, told: str) -> str:
        """And the end of the job's log, read as the user: a link in a home shows them nothing new."""
        account = pwd.getpwnam(self.user.name)
        tail = await asyncio.create_subprocess_exec(
            "tail", "-n", "3", f"{account.pw_dir}/{self.req_logfile}", cwd="/", user=account.pw_uid,
            group=account.pw_gid, extra_groups=[], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        log = (await tail.communicate())[0].decode(errors="replace").strip()
        return f"{told} Its log is ~/{self.req_logfile}{': ' + log if log else '.'}"

    async def stop(self, now: bool = False) -> None:
        """Cancel the job and wait until no process of it is left.

        While the scheduler does not answer the server goes on, and so do we: giving up would make JupyterHub
        forget the job.
        """
        if not self.job_id:
            return
        self.ready = False  # from here on we want to know at once
        self.log.info("Cancelling job %s of %s", self.job_id, self._log_name)
        while True:
            try:
                await self.scheduler.cancel(self.job_id)
                break
            except SchedulerSilent as error:
                self.log.warning("Job %s of %s is not cancelled yet: %s", self.job_id, self._log_name, error)
                await asyncio.sleep(self.poll_seconds)
        while not now:
            job = await self.look()
            if job and job.phase is Phase.ENDED:
                return
            await asyncio.sleep(self.poll_seconds / 4)

    @property
    def freshness(self) -> float:
        """Seconds that an answer of the scheduler may be old: a running server is no reason to ask often."""
        return self.poll_seconds / 2 if not self.ready else self.running_poll_seconds

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
        self.submitted_at, self.place, self._ending = 0.0, None, None
        self._port_reported.clear()

    async def progress(self):
        """Events for the waiting page: ``phase``, and what is known of ``reason``, ``position`` and ``node``."""
        last = None
        while True:
            event = describe(self.job_id, self.job, self.silent, self._port_reported.is_set(), self.place)
            if event != last:
                yield event
                last = event
            await asyncio.sleep(self.poll_seconds / 2)


@lru_cache(maxsize=8)
def _compiled(batch_script: str) -> Template:
    """Compiling takes 8 ms, as long as all else in a submission."""
    return Template(batch_script)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
