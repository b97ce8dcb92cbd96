"""What the processes in the box take, seen from the outer one; and why one of them was killed."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PERIOD_S = 0.5
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class Process(NamedTuple):
    """One process. ``cpu_s`` includes those children of it that have ended."""

    pid: int
    parent: int
    threads: int
    resident_mb: int
    cpu_s: float


def processes() -> Iterator[Process]:
    """All that the outer box shows: this job's alone. Format: proc(5)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        cpu_s = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        yield Process(int(stat.parent.name), int(fields[1]), int(fields[17]), int(fields[21]) * PAGE_KB // 1024, cpu_s)


def below(pid: int) -> list[Process]:
    """``pid`` and those that descend from it, parents first."""
    everybody = list(processes())
    found = [each for each in everybody if each.pid == pid]
    for parent in found:  # grows meanwhile
        found += [each for each in everybody if each.parent == parent.pid]
    return found


def shared_mb(pids: list[int]) -> int:
    """Memory with each shared page counted once: forked processes share most of theirs."""
    total = 0
    for pid in pids:
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[1])
        except (OSError, TypeError):
            continue
    return total // 1024


def killed_for_memory() -> int:
    """How often the kernel ended a process of this job for its memory (cgroup v1 and v2); 0 if that is not told."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for file in (f"/sys/fs/cgroup/memory{path}/memory.oom_control" if "memory" in controllers.split(",") else "",
                     f"/sys/fs/cgroup{path}/memory.events" if not controllers else ""):
            try:
                return int(re.search(r"^oom_kill (\d+)", Path(file).read_text(), re.MULTILINE)[1])
            except (OSError, TypeError):
                continue
    return 0


async def watch(client, memory_mb: int, most: int) -> None:
    """End the box when it takes too much. A cluster that limits memory itself does so too; not every one does."""
    while True:
        await asyncio.sleep(PERIOD_S)
        found = below(client.box_pid)
        if sum(each.threads for each in found) >= most * 0.9:
            client.kill(f"it started more than {most * 0.9:.0f} processes and threads")
        # The exact sum costs more: only when it may matter.
        elif (sum(each.resident_mb for each in found) > memory_mb
              and shared_mb([each.pid for each in found]) > memory_mb):
            client.kill(f"it used more memory than the {memory_mb} MB that there are")
