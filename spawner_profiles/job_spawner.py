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
from contextlib import suppress
from functools import lru_cache

from jinja2 import Template
from traitlets import Integer, Unicode

from spawner_profiles import modules
from spawner_profiles.admission import Place
from spawner_profiles.jobs import Job, Phase, SchedulerSilent, SubmitRefused
from spawner_profiles.known_job import KnownJob
from spawner_profiles.problems import SpawnProblem
from spawner_profiles.progress import describe, duration
from spawner_profiles.words import _

#: A SpawnProblem's reason.
SILENT = "scheduler-silent"


class JobSpawner(KnownJob):
    """One server, one job under the user's own account, on any scheduler.

    A subclass names its ``scheduler`` and its ``batch_script``; see slurm_job.py.
    """

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
    #: In the line before the scheduler; see admission.py.
    place: Place | None = None

    @property
    def req_logfile(self) -> str:
        """In the home; a server's name is a person's own words, so only its harmless characters count."""
        suffix = f"-{re.sub('[^A-Za-z0-9_-]', '_', self.name)}" if self.name else ""
        return f".mandrillhub-server{suffix}.log"

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
            raise SpawnProblem(_("The cluster does not answer. Nothing was started; try again in a minute."),
                               reason=SILENT, log_message=str(error), status_code=503) from None
        except SubmitRefused as error:
            raise SpawnProblem(_("The cluster refused the job: {why}").format(why=error),
                               reason="refused", status_code=503) from None
        except KeyError:
            raise SpawnProblem(
                _("{name} has no account on this cluster; ask your instructor.").format(name=self.user.name),
                reason="no-account", status_code=403) from None
        self.submitted_at, self._listed_from = time.time(), time.monotonic()
        await self.remember()
        self.log.info("Submitted job %s for %s: profile %s", self.job_id, self._log_name, self.req_profile)
        return self.job_id

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
                        _("Your job {job_id} runs on {node}, but its server did not start in {time}. "
                          "The job was cancelled.").format(job_id=job.id, node=job.node,
                                                           time=duration(self.boot_seconds))),
                        reason="timeout", status_code=500)
            if job and job.phase is Phase.ENDED:  # why is known only then, not yet while it ends
                raise SpawnProblem(await self._with_log(
                    _("Your job {job_id} ended before the server was ready: {reason}.").format(
                        job_id=job.id, reason=job.reason)),
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
                _("Your job waited for {time}, which is as long as one of {profile} may wait: {reason}. "
                  "It was cancelled. Choose a machine that is free, or try again later.").format(
                    time=duration(allowed), profile=self.req_title, reason=job.reason),
                reason="queue-wait", status_code=503)

    async def _with_log(self, told: str) -> str:
        """And the end of the job's log, read as the user: a link in a home shows them nothing new."""
        account = pwd.getpwnam(self.user.name)
        tail = await asyncio.create_subprocess_exec(
            "tail", "-n", "3", f"{account.pw_dir}/{self.req_logfile}", cwd="/", user=account.pw_uid,
            group=account.pw_gid, extra_groups=[], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        log = (await tail.communicate())[0].decode(errors="replace").strip()
        where = f"~/{self.req_logfile}"
        if log:
            return _("{told} Its log is {file}: {log}").format(told=told, file=where, log=log)
        return _("{told} Its log is {file}.").format(told=told, file=where)

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

    def clear_state(self) -> None:
        super().clear_state()
        self.place = None

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
