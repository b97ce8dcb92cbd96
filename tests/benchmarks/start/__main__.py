"""The whole class presses Start within one second: ours, stock batchspawner, and no hub at all, side by side.

`make bench-start` runs it, as root. Every measurement has a cluster, a database and a hub of its own, all of one
embedded Slurm on this machine, with real accounts; all are removed afterwards. In full it writes, beside itself,
starts.csv, idle.csv and starts.svg, and the table of spawner_profiles/README.md. With an option it only prints:
    make bench-start BENCH="--people 1 20 --arms ours floor --skip-real"
Columns: seconds from Start to ready; failures and what those people saw; processes and threads that the hub started;
queries to slurmctld; CPU seconds of the hub, of the commands that it ran, of the proxy, of slurmctld, slurmds and
munged, and of the people's browsers (one process); megabytes (PSS) a person. The floor has no figures of a hub.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import sys
import time
from pathlib import Path

from tests.benchmarks.start.arms import starts
from tests.benchmarks.start.instance import Bench

HERE = Path(__file__).parent
PEOPLE = [1, 20, 50, 100, 200]
ARMS = ["ours", "stock", "floor"]
REAL_PEOPLE = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-start", description=__doc__.splitlines()[0])
    parser.add_argument("--people", nargs="+", type=int, default=PEOPLE, help="how many press Start")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--skip-real", action="store_true", help="no JupyterLab servers, and no two idle minutes")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root, port = (os.environ.get(name, other) for name, other in
                  (("MANDRILLHUB_BENCH_ROOT", "/var/tmp/mh-bench"), ("MANDRILLHUB_BENCH_PORT", "18200")))
    bench = Bench(Path(root).resolve(), int(port), max(*options.people, REAL_PEOPLE) + 1)
    rows, idle_rows = [], []
    begin = time.monotonic()
    bench.alone()
    try:
        bench.open()
        print(f"{len(bench.people)} accounts and the environments: {time.monotonic() - begin:.0f} s", flush=True)
        for servers, people, arms in plan(options):
            for arm in arms:
                idle = not options.skip_real and servers == "stub" and people == max(options.people) and arm != "floor"
                row, idle_row = starts(bench, arm, people, servers, idle)
                rows.append(row)
                idle_rows += [idle_row] if idle_row else []
                for each in (row, idle_row):
                    if each:
                        show(each, time.monotonic() - begin)
    finally:
        print("cleaning up", flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        bench.close()
    if sys.argv[1:]:
        return
    write(HERE / "starts.csv", rows)
    write(HERE / "idle.csv", idle_rows)
    from tests.benchmarks.start import report

    report.write()


def plan(options: argparse.Namespace) -> list[tuple[str, int, list[str]]]:
    """What is measured: kind of servers, how many people, arms."""
    found = [("stub", people, options.arms) for people in options.people]
    return found + ([] if options.skip_real else [("jupyterlab", REAL_PEOPLE,
                                                   [arm for arm in options.arms if arm != "floor"])])


def show(row: dict, since_s: float) -> None:
    words = (f"{name} {value:.2f}".removesuffix(".00") if isinstance(value, float) else f"{name} {value}"
             for name, value in row.items() if value != "")
    print(f"[{since_s:4.0f} s] {', '.join(words)}", flush=True)


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows({name: f"{value:.3f}" if isinstance(value, float) else value for name, value in row.items()}
                        for row in rows)


if __name__ == "__main__":
    main()
