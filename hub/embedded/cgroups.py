"""What Slurm's jobs leave in cgroups: find it, end it, remove it.

Where they are (Slurm 22.05 and later, several slurmd a host): version 1, ``<controller>/slurm_<node>``;
version 2, ``system.slice/<node>_slurmstepd.scope``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")


def of_node(node: str, mount: Path = MOUNT) -> list[Path]:
    """The top cgroups of a node, one a controller under version 1."""
    return [*mount.glob(f"*/slurm_{node}"), *mount.glob(f"system.slice/{node}_slurmstepd.scope")]


def of_instance(instance: str, mount: Path = MOUNT) -> set[str]:
    """Names of the instance's nodes that have cgroups, whether or not workshop.yml still has the node."""
    found = [*mount.glob(f"*/slurm_{instance}-*"), *mount.glob(f"system.slice/{instance}-*_slurmstepd.scope")]
    return {path.name.removeprefix("slurm_").removesuffix("_slurmstepd.scope") for path in found}


def processes(tops: Iterable[Path]) -> set[int]:
    """Pids in these cgroups and below."""
    pids: set[int] = set()
    for top in tops:
        for directory, _, _ in os.walk(top):
            try:
                pids.update(map(int, Path(directory, "cgroup.procs").read_text().split()))
            except OSError:  # removed while we looked
                continue
    pids.discard(0)  # a process of another pid namespace
    return pids


def jobs(node: str, mount: Path = MOUNT) -> dict[int, set[int]]:
    """Pids of each job that has cgroups on the node, by the job's number."""
    found: dict[int, set[int]] = {}
    for top in of_node(node, mount):
        for directory, names, _ in os.walk(top):
            for name in names:
                if number := re.fullmatch(r"job_(\d+)", name):
                    found.setdefault(int(number[1]), set()).update(processes([Path(directory, name)]))
    return found


def kept(pids: set[int]) -> bool:
    """Is a job with these processes alive to Slurm? Without its keeper, slurmstepd, Slurm no longer sees it."""
    return of_people(pids) != pids


def of_people(pids: set[int]) -> set[int]:
    """Those of these processes that are people's: slurmstepd, a job's keeper, sits in its cgroups too."""
    return {pid for pid in pids if not _command(pid).startswith("slurmstepd")}


def kill(pids: set[int]) -> None:
    """SIGKILL, without complaint where a process has ended by itself."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def empty(tops: list[Path], seconds: float, patience_s: float = 0) -> bool:
    """Kill what is in these cgroups until nothing is; False if something is left after so many seconds.

    For ``patience_s`` it is given the time to end by itself.
    """
    begin = time.monotonic()
    while pids := processes(tops):
        waited = time.monotonic() - begin
        if waited > seconds:
            return False
        if waited >= patience_s:
            kill(pids)
        time.sleep(0.05)
    return True


def remove(tops: Iterable[Path]) -> None:
    """Remove empty cgroups, the deepest first. One that is not empty stays."""
    for top in tops:
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                continue


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""
