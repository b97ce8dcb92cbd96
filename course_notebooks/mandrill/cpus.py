"""How many CPUs this job was given, which is often fewer than the machine has."""

import os
from pathlib import Path

_ASKED = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "OMP_NUM_THREADS")


def job_cpus() -> int:
    """CPUs of this job, at least 1: the smallest of what the scheduler and the kernel allow.

    Looks at the CPUs that the process may run on, at the control group's quota, at
    Slurm's variables and at OMP_NUM_THREADS (which the platform sets to the job's CPUs).
    """
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    quota = _quota()
    if quota:
        limits.append(quota)
    limits += [int(value) for value in map(os.environ.get, _ASKED) if value and value.isdigit() and int(value)]
    return max(1, min(limits))


def _quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """Whole CPUs that this process's control group (version 2) or one above it allows; None for no limit."""
    try:
        own = next(line.split("::", 1)[1] for line in membership.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    group = Path(own.strip().lstrip("/"))
    found = []
    for folder in (group, *group.parents):
        try:
            quota, period = (root / folder / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if quota != "max":
            found.append(max(1, int(quota) // int(period)))
    return min(found, default=None)
