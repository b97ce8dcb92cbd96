"""What a start costs: processes, queries, CPU seconds. Read from the kernel and from slurmctld, nothing is sampled.

Processes: the hub runs in a PID namespace of its own (``unshare --pid``; nothing else differs for it), where the kernel
numbers every process and thread that it or its children start, one after the other. A process that we put there for
a moment reads the number. Jobs are started by slurmd, outside, so they do not count.
Queries: slurmctld counts every call by its type; sdiag(1) tells.
CPU: proc(5), the process itself and, apart, the children that it has waited for.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from hub.daemons import Daemons
from hub.layout import Layout

TICKS = os.sysconf("SC_CLK_TCK")
#: What squeue, sinfo and scontrol ask (slurm_protocol_defs.h). srun asks none of these of its own step.
QUERIES = ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE", "REQUEST_JOB_USER_INFO", "REQUEST_NODE_INFO",
           "REQUEST_NODE_INFO_SINGLE", "REQUEST_PARTITION_INFO")


@dataclass(frozen=True)
class Counters:
    """All since the daemons began; subtract two of them."""

    forks: float
    queries: float
    hub_cpu_s: float
    commands_cpu_s: float
    proxy_cpu_s: float
    scheduler_cpu_s: float
    client_cpu_s: float

    def __sub__(self, other: Counters) -> Counters:
        return Counters(*(getattr(self, field.name) - getattr(other, field.name) for field in fields(self)))


def read(layout: Layout, daemons: Daemons) -> Counters:
    """Where there is no hub its figures are 0."""
    pids = {name: int(text.split(",")[0].removeprefix("pid ")) for name, _, text in daemons.status()}
    scheduler = sum(cpu(pid)[0] for name, pid in pids.items() if name not in ("hub", "proxy"))
    forks = hub = commands = proxy = 0.0
    if "hub" in pids:
        pid = hub_pid(pids["hub"])
        forks = numbered(pid)
        hub, commands = cpu(pid)
        proxy = cpu(pids["proxy"])[0]
    return Counters(forks, queries(layout), hub, commands, proxy, scheduler, sum(os.times()[:2]))


def hub_pid(unshare: int) -> int:
    return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()[0])


def numbered(pid: int) -> int:
    """How many processes and threads the PID namespace of ``pid`` has seen, without this look at it."""
    seen = subprocess.run(["nsenter", f"--pid=/proc/{pid}/ns/pid", "sh", "-c", "echo $$"], check=True,
                          capture_output=True, text=True).stdout
    return int(seen) - 1


def cpu(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of the children that it has waited for."""
    found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(found[11]) + int(found[12])) / TICKS, (int(found[13]) + int(found[14])) / TICKS


def queries(layout: Layout) -> int:
    said = subprocess.run(["sdiag"], env={"PATH": os.environ["PATH"], "SLURM_CONF": str(layout.slurm_conf)},
                          check=True, capture_output=True, text=True).stdout
    by_type = said.partition("by message type")[2].partition("by user")[0]
    return sum(int(count) for name, count in re.findall(r"^\s*(\w+)\s*\(\s*\d+\)\s+count:(\d+)", by_type, re.MULTILINE)
               if name in QUERIES)


def memory_of(logins: list[str]) -> float:
    """Megabytes (PSS, proc(5)) of all processes of these people."""
    uids = {pwd.getpwnam(login).pw_uid for login in logins}
    total = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid in uids:
                total += int(re.search(r"^Pss: +(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE)[1])
        except OSError:  # it ended meanwhile
            continue
    return total / 1024
