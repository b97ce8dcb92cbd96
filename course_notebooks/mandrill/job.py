"""The job that a notebook runs in: what the scheduler gave it, and until when."""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .cpus import job_cpus

#: Variables that hold a job's number, and the scheduler that sets each.
SCHEDULERS = {"SLURM_JOB_ID": "Slurm", "OAR_JOB_ID": "OAR"}
#: Variables that hold the second (since 1970) at which the job ends: the platform's, Slurm's.
_ENDS_AT = ("MANDRILLHUB_JOB_ENDS_AT", "SLURM_JOB_END_TIME")
#: A control group without a limit says "max" (version 2) or a number like this (version 1), in bytes.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class Job:
    """What this process may use. None where nobody says: no scheduler, no limit, no end."""

    scheduler: str | None
    number: str | None
    host: str
    cpus: int
    memory_mb: int | None
    seconds_left: int | None

    def __str__(self) -> str:
        lines = [f"job:     {self.scheduler} {self.number}" if self.scheduler else "job:     none (no scheduler here)",
                 f"machine: {self.host}",
                 f"CPUs:    {self.cpus}",
                 f"memory:  {self.memory_mb} MB" if self.memory_mb else "memory:  not limited by a job"]
        if self.seconds_left is None:
            lines.append("ends in: no end set")
        else:
            lines.append(f"ends in: {self.seconds_left // 3600} h {self.seconds_left % 3600 // 60} min")
        return "\n".join(lines)


def this_job(environment: Mapping[str, str] = os.environ) -> Job:
    """Look at the environment and at the control group of this process."""
    found = next((name for name in SCHEDULERS if environment.get(name)), None)
    ends = next((float(value) for value in map(environment.get, _ENDS_AT) if value and value.isdigit()), None)
    return Job(
        scheduler=SCHEDULERS[found] if found else None, number=environment[found] if found else None,
        host=environment.get("SLURMD_NODENAME") or socket.gethostname(), cpus=job_cpus(),
        memory_mb=memory_limit_mb(environment), seconds_left=None if ends is None else max(0, int(ends - time.time())))


def memory_limit_mb(environment: Mapping[str, str] = os.environ, root: Path = Path("/sys/fs/cgroup"),
                    membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The smallest memory limit (MB of 2**20 bytes) that Slurm or a control group sets; None for no limit."""
    limits = []
    asked = environment.get("SLURM_MEM_PER_NODE", "")
    if asked.isdigit() and int(asked):
        limits.append(int(asked))
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        lines = []
    for _, controllers, own in lines:
        if controllers == "":
            base, file = root, "memory.max"
        elif "memory" in controllers.split(","):
            base, file = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(own.lstrip("/"))
        for folder in (group, *group.parents):
            try:
                text = (base / folder / file).read_text().strip()
            except OSError:
                continue
            if text.isdigit() and int(text) < _NO_LIMIT:
                limits.append(int(text) // 2**20)
    return min(limits, default=None)
