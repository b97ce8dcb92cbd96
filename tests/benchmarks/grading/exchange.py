"""What our exchange costs beside nbgrader's own: CPU time of 40 people's submit and list, and of the course's collect.

Run as root, with the notebook server's environment installed (`make up`, or MANDRILLHUB_TEST_ROOT):

    python -m tests.benchmarks.grading.exchange [PEOPLE] > tests/benchmarks/grading/exchange.csv

Both arms have the same accounts and the same notebook. Each command is a process of its own, forked after nbgrader's
imports (2 s of CPU each, the same in both arms). Arms take turns, so that a machine's mood meets both.
"""

from __future__ import annotations

import csv
import statistics
import sys
import time

from tests.integration.grading.school import ACCOUNTS, ASSIGNMENT, School

COURSE = ("--course", "vision")
ROUNDS = 3


def stock(school: School) -> str:
    """A second exchange, as nbgrader's documentation has it; its settings."""
    root = school.root / "stock"
    root.mkdir()
    root.chmod(0o777)
    lines = school.root.joinpath("config/nbgrader_config.py").read_text().splitlines()
    return "\n".join(line for line in lines if "hub.grading" not in line).replace(str(school.exchange), str(root))


def main(count: int) -> None:
    people = [f"mh-x-{number:02}" for number in range(1, count + 1)]
    course = ACCOUNTS["vision"]
    school = School({"vision": people})
    settings = school.root / "config/nbgrader_config.py"
    arms = {"ours": settings.read_text(), "stock": stock(school)}
    rows: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def run(arm: str, step: str, login: str, *argv: str) -> None:
        settings.write_text(arms[arm])
        begin = time.perf_counter()
        ran = school.nbgrader(login, *argv)
        if ran.rc:
            raise SystemExit(f"{arm}, {login}: nbgrader {' '.join(argv)}:\n{ran.out}")
        rows.setdefault((arm, step), []).append((ran.cpu, time.perf_counter() - begin))

    try:
        for arm in arms:
            run(arm, "release", course, "release_assignment", ASSIGNMENT, *COURSE)
        for login in people:
            run("ours", "fetch", login, "fetch_assignment", ASSIGNMENT, *COURSE)
        for number in range(ROUNDS):
            for login in people:
                for arm in sorted(arms, reverse=number % 2):
                    run(arm, "submit", login, "submit", ASSIGNMENT, *COURSE)
                    run(arm, "list", login, "list", "--cached", *COURSE)
            for arm in sorted(arms, reverse=number % 2):
                run(arm, "list all", course, "list", "--inbound", *COURSE)
                run(arm, "collect", course, "collect", "--update", ASSIGNMENT, *COURSE)
    finally:
        school.close()
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["step", "arm", "people", "runs", "cpu_ms_median", "cpu_ms_max", "wall_ms_median"])
    for step in ("submit", "list", "list all", "collect"):
        for arm in arms:
            cpu, wall = zip(*rows[arm, step])
            out.writerow([step, arm, count, len(cpu), round(1000 * statistics.median(cpu)), round(1000 * max(cpu)),
                          round(1000 * statistics.median(wall))])


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 40)
