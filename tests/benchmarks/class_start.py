"""The whole class presses Start within a second: how long each waits, and what the hub spends.

Brings a platform of its own root up with N attendees (real accounts, removed afterwards), logs everybody in, then posts
all starts at once and follows every waiting page. Real JupyterLab servers, all nodes on this machine. As root, from the
repository's root, with the platform's tests installed (see tests/run.sh):
    MANDRILLHUB_TEST_ROOT=… PYTHONPATH=. PYTHON tests/benchmarks/class_start.py [N …]
Writes class_start.csv beside itself: seconds from Start to ready (median, p95, max), failures, CPU seconds of the hub
and of the commands that it ran (sbatch, squeue), and megabytes (PSS) of a server with all N running.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hub.daemons import Daemons
from tests.benchmarks.one_attendee import TICKS, cost
from tests.live import Platform
from tests.person import Person

WORKSHOP = """
cluster: {node_cpus: 128, node_memory: 64G}
profiles:
  - {key: small, title: Small notebook, partition: cpu, cpus: 1, memory: 512M, walltime: 30m}
data: {synthetic_photos: 3000}
courses: [{name: mandrill, account: mh-grader-mandrill}]
"""


def logins(count: int) -> list[str]:
    return [f"mh-s{number:03}" for number in range(count)]


def hub_process(platform: Platform) -> int:
    return next(int(text.split(",")[0].removeprefix("pid "))
                for name, _, text in Daemons(platform.layout, platform.layout.hub_bin).status() if name == "hub")


def spent(pid: int) -> tuple[float, float]:
    """CPU seconds of the hub itself and of the commands that it ran (proc(5): cutime and cstime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS


def start_all(platform: Platform, people: list[Person]) -> tuple[list[float], int]:
    """Seconds to ready of those who got there, and how many did not."""
    gate = threading.Barrier(len(people))

    def one(person: Person) -> float | None:
        gate.wait()
        begin = time.monotonic()
        try:
            person.start("small")
        except (AssertionError, OSError) as error:
            print(person.login, error, file=sys.stderr)
            return None
        return time.monotonic() - begin

    with ThreadPoolExecutor(len(people)) as pool:
        taken = list(pool.map(one, people))
    ready = sorted(seconds for seconds in taken if seconds is not None)
    return ready, len(taken) - len(ready)


def measure(platform: Platform, count: int) -> dict[str, float]:
    people = [platform.person(login) for login in logins(count)]
    for person in people:
        person.get("/hub/spawn")
    pid = hub_process(platform)
    before = spent(pid)
    ready, failures = start_all(platform, people)
    after = spent(pid)
    servers = subprocess.run(["pgrep", "-f", f"{platform.layout.server_bin}/python -m spawner_profiles.singleuser"],
                             capture_output=True, text=True).stdout.split()
    pss = [cost(int(server))[2] for server in servers]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Person.stop, people))
    return {"people": count, "failures": failures, "ready_median_s": statistics.median(ready),
            "ready_p95_s": ready[int(0.95 * (len(ready) - 1))], "ready_max_s": ready[-1],
            "hub_cpu_s": after[0] - before[0], "commands_cpu_s": after[1] - before[1],
            "server_pss_mb": statistics.median(pss)}


def main(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "workshop.yml"
        file.write_text(WORKSHOP)
        people = "".join(f"{login},Student {login[-3:]}\n" for login in logins(max(counts)))
        (file.parent / "attendees.csv").write_text("login,name\n" + people)
        platform = Platform(workshop=file)
        rows = []
        try:
            platform.make("up")
            for count in counts:
                rows.append(measure(platform, count))
                print({name: round(value, 2) for name, value in rows[-1].items()}, flush=True)
        finally:
            platform.make("down")
            for login in logins(max(counts)):
                subprocess.run(["userdel", "--force", "--remove", login], capture_output=True)
    with Path(__file__).with_suffix(".csv").open("w", newline="") as out:
        table = csv.DictWriter(out, rows[0])
        table.writeheader()
        table.writerows({name: f"{value:.2f}" for name, value in row.items()} for row in rows)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1, 5, 20])
