"""Slurm, by its command line: submit as a user, list all jobs in one call, cancel, report capacity.

The commands find their cluster through ``SLURM_CONF``. Formats and traps: squeue(1), sinfo(1), scancel(1).
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from spawner_profiles.jobs import Capacity, Job, Phase, SchedulerSilent, Shared, SubmitRefused
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler, run_command

#: squeue's %T to our phase; any other state means that the job has ended.
PHASES = {
    "PENDING": Phase.PENDING, "CONFIGURING": Phase.PENDING, "REQUEUED": Phase.PENDING,
    "SUSPENDED": Phase.RUNNING, "RUNNING": Phase.RUNNING, "COMPLETING": Phase.ENDING,
}
#: squeue's %r for a pending job, in words.
WAITING = {
    "None": "the scheduler has not looked at it yet",
    "Resources": "all nodes that fit are busy",
    "Priority": "others are before you",
    "QOSMaxGRESPerUser": "you already hold as many GPUs as one person may",
    "ReqNodeNotAvail": "the nodes that fit are down or reserved",
    "PartitionDown": "this partition is closed at the moment",
    "PartitionTimeLimit": "it asks for more time than the partition allows",
    "BeginTime": "it was put back and starts again in a moment",
    "Reservation": "its reservation has not begun",
}
#: How a job can end, in words.
ENDED = {
    "CANCELLED": "it was cancelled",
    "TIMEOUT": "its time was over",
    "OUT_OF_MEMORY": "it used more memory than its profile gives",
    "NODE_FAIL": "its node failed",
    "FAILED": "its script failed",
    "BOOT_FAIL": "its node failed to start",
    "PREEMPTED": "a job of higher priority took its place",
    "COMPLETED": "it ended by itself",
}
#: Nothing in it that users write: a job's name or comment may hold a line break, and a line of another's job.
QUEUE_FORMAT = "%i|%u|%T|%P|%N|%S|%r"
#: id, user, comment. Comments are users' text: parse_marks does not believe them.
MARK_FORMAT = "%i|%u|%k"
NODE_FORMAT = "NodeHost:64,StateCompact:16,CPUsState:32,Memory:16,AllocMem:16,Gres:256,GresUsed:256,Partition:64"


class Slurm(Scheduler):
    """The cluster that ``SLURM_CONF`` names."""

    def __init__(self) -> None:
        super().__init__()
        self._nodes = Shared(self._list_nodes)

    async def submit(self, script: str, user: str, environment: dict[str, str]) -> str:
        """sbatch stores the environment readable by Slurm and the user alone."""
        account = pwd.getpwnam(user)
        groups = os.getgrouplist(user, account.pw_gid)
        code, out, err = await run_command(
            "sbatch", "--parsable", stdin=script, env=environment, cwd=account.pw_dir,
            user=account.pw_uid, group=account.pw_gid, extra_groups=groups)
        job_id = out.split(";")[0].strip()
        if code or not job_id.isdigit():
            raise SubmitRefused(err.removeprefix("sbatch: error: ").strip() or f"sbatch ended with {code}")
        # A list from before this moment lacks the job: it must not look as if it had ended.
        self.jobs.forget()
        return job_id

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
        code, _, err = await run_command("scancel", job_id)
        self.jobs.forget()
        if code and not re.search("Invalid job id|already completing", err):
            raise SchedulerSilent(err.strip())

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
            word = reason.split(",")[0].strip("()")
            reason = WAITING.get(word, f"Slurm says {word}")
        elif phase is Phase.ENDED:
            reason = ENDED.get(state, state.lower())
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
