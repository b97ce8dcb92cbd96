"""One task is one notebook to execute: a directory that its job works in, the job, and what came of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import shutil
import stat
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hub.grading.sandbox import job
from spawner_profiles.jobs import Job, Phase, SchedulerSilent, SubmitRefused
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler

log = logging.getLogger("sandbox")
POLL_S = 0.3
#: Seconds without a question by its owner after which a task is given up.
FORGOTTEN_S = 300
#: Bytes of result.json: outputs are limited by the driver; more is a driver that is not ours.
MOST_RESULT = 64 * 1024 * 1024
#: Seconds until a result that was written on another machine must be seen here: NFS keeps names for so long.
#: Shorter where the job did not end by itself: most likely there is none.
SHARED_S, NONE_S = 60, 2


@dataclass
class Task:
    """``answer``: what driver.py wrote, or ``{"failed": why}`` if that is not the notebook's fault."""

    id: str
    owner: str
    place: Path
    settings: dict
    state: str = "waiting"
    note: str = ""
    answer: dict | None = None
    asked: float = field(default_factory=time.monotonic)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    run: asyncio.Task | None = None

    def tell(self, state: str, note: str = "") -> None:
        if (state, note) != (self.state, self.note):
            self.state, self.note = state, note
            self.changed.set()


class Tasks:
    """All tasks. ``account``: whose jobs they are; ``at_once``: how many are handed to the cluster."""

    def __init__(self, scheduler: Scheduler, hub_id: str, spool: Path, account: str, profile: Profile,
                 limits: job.Limits, python: Path, at_once: int) -> None:
        self.scheduler, self.spool, self.profile, self.limits, self.python = scheduler, spool, profile, limits, python
        self.account = pwd.getpwnam(account)
        # Not one of the hub's own marks: it cancels jobs that have one and no server.
        self.hub_mark = f"{hub_id}-sandbox"
        self.known: dict[str, Task] = {}
        self._slots = asyncio.Semaphore(at_once)
        self._submitting = asyncio.Semaphore(8)

    async def begin(self) -> None:
        """Cancel and remove what an earlier service left when it was killed. Waits for the cluster to answer."""
        while True:
            try:
                for job_id, (user, mark) in (await self.scheduler.marked()).items():
                    if user == self.account.pw_name and mark.startswith(f"{self.hub_mark}/"):
                        await self.scheduler.cancel(job_id)
                break
            except SchedulerSilent as error:
                log.warning("The cluster does not answer: %s", error)
                await asyncio.sleep(2)
        for place in self.spool.glob("t-*"):
            shutil.rmtree(place, ignore_errors=True)

    def new_place(self) -> Path:
        """A directory that only root can enter yet."""
        place = self.spool / f"t-{uuid.uuid4().hex[:12]}"
        place.mkdir(mode=0o700)
        return place

    def add(self, owner: str, place: Path, settings: dict) -> Task:
        """Start a task whose files lie in ``place``; from now on the sandbox account's."""
        task = Task(place.name, owner, place, settings)
        (place / "run").mkdir()
        (place / "task.json").write_text(json.dumps(settings))
        for path in [*place.iterdir(), place]:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
        self.known[task.id] = task
        task.run = asyncio.create_task(self._run(task))
        return task

    async def remove(self, task: Task) -> None:
        """Forget a task; its job is cancelled if it has one."""
        self.known.pop(task.id, None)
        task.run.cancel()
        await asyncio.gather(task.run, return_exceptions=True)

    async def remove_all(self) -> None:
        await asyncio.gather(*(self.remove(task) for task in list(self.known.values())))

    async def forget_the_forgotten(self) -> None:
        """For as long as the service runs."""
        while True:
            await asyncio.sleep(FORGOTTEN_S / 10)
            for task in list(self.known.values()):
                if time.monotonic() - task.asked > FORGOTTEN_S:
                    log.info("Nobody asks for %s of %s any more", task.id, task.owner)
                    await self.remove(task)

    async def _run(self, task: Task) -> None:
        try:
            async with self._slots:
                for last in (False, True):
                    task.answer = await self._execute(task)
                    if last or not task.answer.pop("again", False):
                        break
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("Task %s failed", task.id)
            task.answer = {"failed": f"the sandbox service failed: {error}"}
        finally:
            await asyncio.to_thread(shutil.rmtree, task.place, True)
        task.tell("done")

    async def _execute(self, task: Task) -> dict:
        """One job from its submission to its end; ``again`` if another try may do better."""
        submitting = asyncio.ensure_future(self._submit(task))
        try:
            job_id = await asyncio.shield(submitting)
            submitted = time.monotonic()
            while True:
                if answer := read_result(task.place, self.account.pw_uid):
                    self.scheduler.began(job_id)
                    return answer
                try:
                    found = (await self.scheduler.jobs(max_age=2)).get(job_id)
                except SchedulerSilent:
                    task.tell(task.state, "the cluster does not answer")
                    found = None
                else:
                    if found is None and min(self.scheduler.jobs.asked, time.monotonic() - 10) > submitted:
                        found = Job(job_id, self.account.pw_name, Phase.ENDED, reason="the cluster has forgotten it")
                if found and found.phase is Phase.ENDED:
                    return await self._ended(task, found)
                if found:
                    task.tell({Phase.PENDING: "queued"}.get(found.phase, "running"), found.reason or found.node)
                await asyncio.sleep(POLL_S)
        except SubmitRefused as error:
            return {"failed": f"the cluster refused the job: {error}"}
        except asyncio.CancelledError:
            # Perhaps just while it was submitted: a job whose number nobody knows would stay.
            with suppress(TimeoutError, SubmitRefused):
                await self._cancel(await asyncio.wait_for(submitting, 30))
            raise

    async def _submit(self, task: Task) -> str:
        mark = f"{self.hub_mark}/{uuid.uuid4().hex}"
        script = job.script(self.scheduler, self.profile, mark, task.place, self.limits, self.python)
        while True:
            try:
                async with self._submitting:
                    job_id = await self.scheduler.submit(
                        script, self.account.pw_name, {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
                                                       "PYTHONDONTWRITEBYTECODE": "1"})
                self.scheduler.jobs.forget()
                return job_id
            except SchedulerSilent as error:
                log.warning("Task %s is not submitted yet: %s", task.id, error)
                task.tell("waiting", "the cluster does not answer")
                await asyncio.sleep(2)

    async def _ended(self, task: Task, found: Job) -> dict:
        """The job has ended: its result may come a moment later from another machine."""
        own_end = found.reason == job.ENDED["COMPLETED"]
        end = time.monotonic() + (SHARED_S if own_end else NONE_S)
        while time.monotonic() < end:
            os.listdir(task.place)  # NFS looks again then
            if answer := read_result(task.place, self.account.pw_uid):
                return answer
            await asyncio.sleep(POLL_S)
        if fault := job.fault_of_submission(found.reason, self.profile):
            return {"cells": {}, "reason": fault, "faulty": None}
        said = read_plain(task.place / "log", self.account.pw_uid, 4000)
        said = " ".join((said or b"").decode(errors="replace").strip().splitlines()[-3:])
        log.warning("Job %s of task %s ended: %s. %s", found.id, task.id, found.reason, said)
        return {"failed": f"the job that executed it ended: {found.reason}{f' ({said})' if said else ''}",
                "again": not said}

    async def _cancel(self, job_id: str) -> None:
        while True:
            try:
                return await self.scheduler.cancel(job_id)
            except SchedulerSilent:
                await asyncio.sleep(2)


def read_result(place: Path, uid: int) -> dict | None:
    """What the driver wrote, if it has. Written by an account that executes what others submitted: not believed."""
    content = read_plain(place / "result.json", uid, MOST_RESULT)
    if content is None:
        return None
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return {"failed": "the result of the job cannot be read"}
    return {key: answer[key] for key in ("cells", "reason", "faulty", "failed", "cpu_s", "wall_s") if key in answer}


def read_plain(path: Path, uid: int, most: int) -> bytes | None:
    """A plain file of this account, no link to another; None if there is none. Of a larger one: the last bytes."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(file, "rb") as stream:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != uid:
            return None
        stream.seek(max(0, about.st_size - most))
        return stream.read(most)
