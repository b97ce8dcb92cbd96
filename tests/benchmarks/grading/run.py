"""What grading a class costs: `mandrillhub grade` (jobs in a sandbox) beside `nbgrader autograde` (one after another).

Both grade the same submissions of 02_data, solved with small variations, on the same machine and CPUs; ours as jobs
of one and of four emulated nodes of the embedded cluster, which hands out as many at once as the machine has CPUs. They
must give the same scores, else this fails. As root, on a quiet machine: `make bench-grade`, or from the repository's
root
    MANDRILLHUB_TEST_ROOT=… PYTHONPATH=. PYTHON -m tests.benchmarks.grading.run [SUBMISSIONS] [ROUNDS]
Writes grading.csv beside itself. CPU seconds are user and system: ``cpu_s`` of the grading command and its children,
and for ours of what the drivers of the jobs tell of themselves and of their kernels; ``machine_cpu_s`` of the whole
machine meanwhile (/proc/stat), which has the scheduler, the hub and the sandbox service in it.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hub.grading import grade
from hub.running import Running
from tests.integration.grading.course import COURSE, Course
from tests.live import Platform

ASSIGNMENT = "02_data"
OURS = "mandrillhub grade"
#: CPU nodes of the embedded cluster.
NODES = (1, 4)
FIELDS = ("arm", "round", "submissions", "nodes", "cpus", "wall_s", "cpu_s", "machine_cpu_s",
          "wall_each_s", "cpu_each_s", "machine_cpu_each_s")


def machine_cpu_s() -> float:
    """User, nice, system, irq and softirq time of all CPUs since boot (proc(5)); a guest's own is in user's."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[index]) for index in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(arm: str, number: int, submissions: int, nodes: int, work: Callable[[], float]) -> dict:
    """``work`` returns CPU seconds of what is no child of ours; ``nodes``: on which it works."""
    begin, cpu, machine = time.monotonic(), children_cpu_s(), machine_cpu_s()
    elsewhere = work()
    row = {"arm": arm, "round": number, "submissions": submissions, "nodes": nodes, "cpus": os.cpu_count(),
           "wall_s": time.monotonic() - begin, "cpu_s": children_cpu_s() - cpu + elsewhere,
           "machine_cpu_s": machine_cpu_s() - machine}
    for name in ("wall", "cpu", "machine_cpu"):
        row[f"{name}_each_s"] = row[f"{name}_s"] / submissions
    row = {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}
    print(row, flush=True)
    return row


def main(submissions: int, rounds: int) -> None:
    platform = Platform()
    platform.make("up", CPU_NODES=NODES[0])
    course, its = Course(platform), grade.chosen(Running.read(platform.layout), COURSE)
    course.clear(ASSIGNMENT)
    solutions = course.add_ours(ASSIGNMENT)
    names = [f"person{number:02}" for number in range(submissions)]
    for number, name in enumerate(names):
        course.hand_in(name, ASSIGNMENT, {id_: f"{source}\n# variation {number}" for id_, source in solutions.items()})

    def stock() -> float:
        course.nbgrader("autograde", ASSIGNMENT, "--force", "--create")
        return 0

    def ours() -> float:
        with course.patient():
            told = list(grade.events(platform.layout, its, ASSIGNMENT, None, force=True))
        ends = [event for event in told if event.get("state") in grade.ENDS]
        if [event["state"] for event in ends] != ["graded"] * submissions:
            raise SystemExit(f"not all were graded: {told}")
        return sum(event["job_cpu_s"] for event in ends)

    rows = []
    for number in range(1, rounds + 1):  # they take turns, so that a drifting machine slows both
        rows.append(measured("nbgrader autograde", number, submissions, 1, stock))
        expected = course.scores(ASSIGNMENT)
        for nodes in NODES:
            platform.make("up", CPU_NODES=nodes)
            rows.append(measured(OURS, number, submissions, nodes, ours))
            if course.scores(ASSIGNMENT) != expected:
                raise SystemExit("the scores differ")
    course.clear(ASSIGNMENT)
    with Path(__file__).with_name("grading.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["40", "1"][len(sys.argv) - 1:])))
