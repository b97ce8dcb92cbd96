"""The one interface to a cluster: five operations. A scheduler is one class; see slurm.py."""

from __future__ import annotations

import asyncio
import os
import pwd
from abc import ABC, abstractmethod
from collections.abc import Iterable

from spawner_profiles.admission import Admission
from spawner_profiles.jobs import Capacity, Job, Shared
from spawner_profiles.profiles import Profile

#: By its path: what follows has the environment of a job.
SETPRIV = "/usr/bin/setpriv"


class Scheduler(ABC):
    """A cluster. One instance serves every spawner of a hub, so that they share its queries.

    Every operation raises :class:`spawner_profiles.jobs.SchedulerSilent` when the scheduler does not answer.
    """

    def __init__(self) -> None:
        #: ``await jobs(max_age)``: :meth:`list_jobs`, asked once for all who want to know at about the same time.
        self.jobs = Shared(self.list_jobs)
        #: The line of those who want to submit.
        self.admission = Admission()

    @abstractmethod
    async def submit(self, script: str, user: str, environment: dict[str, str]) -> str:
        """Hand ``script`` over under ``user``'s own account and return the job's id.

        ``environment`` is all that the job gets, and nobody else may read it: it holds tokens. Raises
        :class:`spawner_profiles.jobs.SubmitRefused` with the scheduler's own words, KeyError for an unknown
        user.
        """

    def began(self, job_id: str) -> None:  # noqa: B027 - not every scheduler needs to know
        """The script of this job runs: what was left for it to read has been read."""

    @abstractmethod
    async def list_jobs(self) -> dict[str, Job]:
        """All jobs by id, in one query; those that ended lately too, so that one can tell why."""

    @abstractmethod
    async def cancel(self, job_id: str) -> None:
        """Cancel a job. One that has ended is no error."""

    @abstractmethod
    async def capacity(self, profiles: Iterable[Profile]) -> dict[str, Capacity]:
        """How many servers of each profile would start now and on the empty cluster, by the profile's key."""

    @abstractmethod
    async def marked(self) -> dict[str, tuple[str, str]]:
        """(user, mark) by job id of the pending and running jobs that carry a mark; see job_spawner.py.

        Marks are what users wrote, too: whoever reads them must not believe what they say of other people's jobs.
        """


def as_account(account: pwd.struct_passwd) -> list[str]:
    """What to put before a command so that it runs as this person, with their groups and nothing of ours.

    setpriv(1) does it and becomes the command. Python's own ``user=`` has to copy the hub (fork instead of vfork),
    which stops the hub for 15 ms each time.
    """
    groups = ",".join(map(str, os.getgrouplist(account.pw_name, account.pw_gid)))
    return [SETPRIV, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", f"--groups={groups}",
            "--inh-caps=-all", "--"]


async def run_command(*command: str, stdin: str = "", timeout: float = 30, **process) -> tuple[int, str, str]:
    """Run a command without a shell. A command that hangs ends as one that failed."""
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, **process)
    try:
        out, err = await asyncio.wait_for(running.communicate(stdin.encode()), timeout)
    except TimeoutError:
        running.kill()
        await running.wait()  # else it stays a zombie until the next command
        return 1, "", f"{command[0]} gave no answer in {timeout:.0f} s"
    return running.returncode, out.decode(), err.decode()
