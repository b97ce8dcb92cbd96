"""Slurm, by its command line: submit as a user, list all jobs in one call, cancel, report capacity.

The commands find their cluster through ``SLURM_CONF``. Formats and traps: squeue(1), sinfo(1), scancel(1).
"""

from __future__ import annotations

import os
import pwd
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from spawner_profiles import private_file
from spawner_profiles.jobs import Capacity, Job, Phase, SchedulerSilent, Shared, SubmitRefused
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler, as_account, run_command
from spawner_profiles.slurm_words import SILENT, ended_words, refusal, waiting_words
from spawner_profiles.words import _

#: squeue's %T to our phase; any other state means that the job has ended.
PHASES = {
    "PENDING": Phase.PENDING, "CONFIGURING": Phase.PENDING, "REQUEUED": Phase.PENDING,
    "SUSPENDED": Phase.RUNNING, "RUNNING": Phase.RUNNING, "COMPLETING": Phase.ENDING,
}
#: Nothing in it that users write: a job's name or comment may hold a line break, and a line of another's job.
QUEUE_FORMAT = "%i|%u|%T|%P|%N|%S|%r"
#: id, user, comment. Comments are users' text: parse_marks does not believe them.
MARK_FORMAT = "%i|%u|%k"
#: What of a mark names the job's file; the rest tells hubs apart. See job_spawner.py.
MARK_NAME = re.compile(r"/([0-9a-f]{32})$", re.ASCII)
NODE_FORMAT = "NodeHost:64,StateCompact:16,CPUsState:32,Memory:16,AllocMem:16,Gres:256,GresUsed:256,Partition:64"


class Slurm(Scheduler):
    """The cluster that ``SLURM_CONF`` names."""

    def __init__(self) -> None:
        super().__init__()
        self._nodes = Shared(self._list_nodes)
        #: Files that their jobs have not read yet, as far as we know: (user, path) by job.
        self._unread: dict[str, tuple[str, str]] = {}

    async def submit(self, script: str, user: str, environment: dict[str, str]) -> str:
        """Slurm keeps the script and sbatch's own environment, and may show both: ``environment`` goes by a file."""
        account = pwd.getpwnam(user)
        name = private_name(script)
        path = f"{account.pw_dir}/{name}"
        code, out, err = await run_command(
            *as_account(account), "sh", "-c", private_file.WRITE_AND_RUN, "sh", name, "sbatch", "--parsable",
            stdin=private_file.after_header(script, private_file.reading(path)), cwd="/", env={
                **{name: os.environ[name] for name in ("PATH", "SLURM_CONF") if name in os.environ},
                "HOME": account.pw_dir, "USER": user, "LOGNAME": user, "SHELL": account.pw_shell,
                "MANDRILLHUB_PRIVATE": private_file.exports(environment)})
        job_id = out.split(";")[0].strip()
        if code or not job_id.isdigit():
            await private_file.remove(path, user)
            if SILENT.search(err):
                raise SchedulerSilent(err.strip())
            raise SubmitRefused(refusal(err) or _("{command} ended with {code}").format(command="sbatch", code=code))
        self._unread[job_id] = user, path
        return job_id

    def began(self, job_id: str) -> None:
        self._unread.pop(job_id, None)

    async def list_jobs(self) -> dict[str, Job]:
        code, out, err = await run_command("squeue", "--noheader", "--states=all", "--sort=P,-p,i",
                                           f"--format={QUEUE_FORMAT}")
        if code:
            raise SchedulerSilent(err.strip())
        return parse_queue(out)

    async def _list_nodes(self) -> list[Node]:
        code, out, err = await run_command("sinfo", "--noheader", "--Node", f"--Format={NODE_FORMAT}")
        if code:
            raise SchedulerSilent(err.strip())
        return parse_nodes(out)

    async def cancel(self, job_id: str) -> None:
        unread = self._unread.get(job_id) or await self._unread_by_mark(job_id)
        code, _, err = await run_command("scancel", job_id)
        if code and not re.search("Invalid job id|already completing", err):
            raise SchedulerSilent(err.strip())
        self._unread.pop(job_id, None)
        if unread:
            user, path = unread
            await private_file.remove(path, user)

    async def _unread_by_mark(self, job_id: str) -> tuple[str, str] | None:
        """The file of a job that still waits, for a hub that was restarted since it was submitted."""
        job = (await self.jobs(max_age=60)).get(job_id)
        if job is None or job.phase is not Phase.PENDING:
            return None
        user, mark = (await self.marked()).get(job_id, ("", ""))
        found = MARK_NAME.search(mark)
        return (user, f"{pwd.getpwnam(user).pw_dir}/{private_file.FOLDER}/env-{found[1]}") if found else None

    async def capacity(self, profiles: Iterable[Profile]) -> dict[str, Capacity]:
        nodes = await self._nodes(max_age=3)
        return {
            profile.key: Capacity(free=sum(node.fits(profile) for node in nodes),
                                  total=sum(node.fits(profile, empty=True) for node in nodes))
            for profile in profiles
        }

    async def marked(self) -> dict[str, tuple[str, str]]:
        code, out, err = await run_command("squeue", "--noheader", "--states=PENDING,RUNNING",
                                           f"--format={MARK_FORMAT}")
        if code:
            raise SchedulerSilent(err.strip())
        return parse_marks(out)


def private_name(script: str) -> str:
    """The job's file, seen from the home: named by the job's mark, if the script has one."""
    comment = re.search(r"^#SBATCH --comment=(\S+)$", script, re.MULTILINE)
    mark = MARK_NAME.search(comment[1]) if comment else None
    return f"{private_file.FOLDER}/env-{mark[1] if mark else uuid.uuid4().hex}"


def parse_queue(text: str) -> dict[str, Job]:
    """squeue's lines in ``QUEUE_FORMAT``, in the order in which Slurm would start the pending ones."""
    jobs: dict[str, Job] = {}
    waiting: dict[str, int] = {}
    for line in text.splitlines():
        job_id, user, state, partition, node, start, reason = line.split("|", 6)
        phase = PHASES.get(state, Phase.ENDED)
        position = None
        if phase is Phase.PENDING:
            position = waiting[partition] = waiting.get(partition, 0) + 1
            reason = waiting_words(reason)
        elif phase is Phase.ENDED:
            reason = ended_words(state)
        else:
            reason = ""
        expected = _epoch(start) if phase is Phase.PENDING else None
        jobs[job_id] = Job(job_id, user, phase, partition, reason, node, position, expected)
    return jobs


def _epoch(start: str) -> float | None:
    """squeue's %S, this machine's time; N/A while Slurm has no estimate."""
    try:
        return datetime.fromisoformat(start).timestamp()
    except ValueError:
        return None


def parse_marks(text: str) -> dict[str, tuple[str, str]]:
    """squeue's lines in ``MARK_FORMAT``: (user, comment) by job id.

    A comment with a line break in it can pretend to be the line of another job. That job has a line of its own,
    so an id that comes twice is left out: nobody can say anything of other people's jobs.
    """
    found: dict[str, tuple[str, str]] = {}
    twice: set[str] = set()
    for line in text.splitlines():
        job_id, _, rest = line.partition("|")
        user, _, comment = rest.partition("|")
        if job_id in found:
            twice.add(job_id)
        found[job_id] = user, comment
    return {job_id: entry for job_id, entry in found.items() if job_id not in twice}


@dataclass(frozen=True)
class Node:
    """One node in one partition: CPUs, megabytes and GPUs by model, free and in all."""

    partition: str
    up: bool
    cpus: tuple[int, int]
    memory: tuple[int, int]
    gpus: dict[str, tuple[int, int]]

    def fits(self, profile: Profile, empty: bool = False) -> int:
        """How many servers of ``profile`` fit here now, or would if the node were ``empty``."""
        if profile.partition != self.partition or not self.up:
            return 0
        which = 1 if empty else 0
        limits = [self.cpus[which] // profile.cpus, self.memory[which] // profile.memory]
        if profile.gpus:
            limits.append(sum(count[which] // profile.gpus for model, count in self.gpus.items()
                              if profile.gpu_model in (None, model)))
        return max(0, min(limits))


def parse_nodes(text: str) -> list[Node]:
    """sinfo's lines in ``NODE_FORMAT``. A node that is down, drained or silent gives nothing."""
    nodes = []
    for line in text.splitlines():
        _, state, cpus, memory, used_memory, gres, used_gres, partition = line.split()
        _, idle, _, total = map(int, cpus.split("/"))
        have, used = _gpus(gres), _gpus(used_gres)
        nodes.append(Node(
            partition=partition.removesuffix("*"),  # sinfo marks the default one
            up=state in ("idle", "mix", "alloc"),
            cpus=(idle, total),
            memory=(int(memory) - int(used_memory), int(memory)),
            gpus={model: (count - used.get(model, 0), count) for model, count in have.items()}))
    return nodes


def _gpus(gres: str) -> dict[str, int]:
    """'gpu:a100:2(IDX:0-1),gpu:v100:1' gives {'a100': 2, 'v100': 1}."""
    return {model: int(count) for model, count in re.findall(r"gpu:([^:,()]+):(\d+)", gres)}
