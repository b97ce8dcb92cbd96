"""The embedded cluster's reservation for the day: in its time the nodes are the workshop's people's alone.

Slurm's flags (scontrol(1)): MAGNETIC, a job of theirs takes part without asking for it; FLEX, one may start before and
end after it; IGNORE_JOBS, what runs when it is made does not matter.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import datetime

from hub.embedded.slurm import EmbeddedSlurm
from hub.problems import Stop
from hub.workshop import Reservation

NAME = "workshop"


def keep(slurm: EmbeddedSlurm, wanted: Reservation | None, people: Iterable[str]) -> str:
    """Make the cluster's reservation what workshop.yml says. Returns what was done; '' if it was so already.

    Raises Stop in Slurm's own words where it refuses.
    """
    now = int(time.time())
    there = parse(slurm.command("scontrol", "show", "reservation", NAME, "--oneliner").stdout)
    if wanted is None or wanted.end.timestamp() <= now:
        if there is None:
            return ""
        if slurm.command("scontrol", "delete", f"ReservationName={NAME}").returncode:  # jobs use it; they may go on
            _do(slurm, "update", *["StartTime=now"] * (there[0] > now), "EndTime=now+10")
        return "reservation removed"
    begin, end, users = int(wanted.start.timestamp()), int(wanted.end.timestamp()), ",".join(sorted(people))
    start = "StartTime=" + (_time(begin) if begin > now else "now")
    if there and there[0] <= now < begin:  # Slurm moves no start that was
        _do(slurm, "delete")
        there = None
    if there is None:
        _do(slurm, "create", start, f"EndTime={_time(end)}", f"Users={users}", "Nodes=ALL",
            "Flags=MAGNETIC,FLEX,IGNORE_JOBS")
        return f"reserved for {len(users.split(','))} people"
    changes = []
    if there[0] != begin and max(there[0], begin) > now:  # when it began does not matter any more
        changes.append(start)
    if there[1] != end:
        changes.append(f"EndTime={_time(end)}")
    if there[2] != set(users.split(",")):
        changes.append(f"Users={users}")
    if changes:
        _do(slurm, "update", *changes)
    return "reservation changed" if changes else ""


def parse(text: str) -> tuple[int, int, set[str]] | None:
    """Start, end and users of our reservation in what ``scontrol show reservation`` says; None without one."""
    found = re.search(rf"ReservationName={NAME} StartTime=(\d+) EndTime=(\d+) .*? Users=(\S+)", text)
    return (int(found[1]), int(found[2]), set(found[3].split(","))) if found else None


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).isoformat()


def _do(slurm: EmbeddedSlurm, what: str, *words: str) -> None:
    done = slurm.command("scontrol", what, "reservation", f"ReservationName={NAME}", *words)
    if done.returncode:
        raise Stop(f"Slurm refused the reservation: {done.stderr.strip() or done.stdout.strip()}\n"
                   "Next: look at `reservation:` in workshop.yml.")
