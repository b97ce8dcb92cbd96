"""What one attendee costs: seconds from Start to JupyterLab on screen, CPU and memory of server and kernel.

Run on a platform that is up and otherwise idle, as root:
    MANDRILLHUB_TEST_ROOT=… PYTHONPATH=. PYTHON tests/benchmarks/one_attendee.py [RUNS]
Writes one_attendee.csv beside itself: a row a run, then the medians. Seconds, and megabytes (MiB) of resident (RSS)
and proportional (PSS) memory; the browser shares the CPUs with what it waits for.
"""

from __future__ import annotations

import csv
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.live import Platform

LOGIN = "mh-ada"
TICKS = os.sysconf("SC_CLK_TCK")
#: The kernel looks at itself with torch imported: CPU seconds since its start, RSS and PSS in kB.
IMPORT_TORCH = """
import os, re, time
begin = time.time()
import torch
took = time.time() - begin
rollup = open("/proc/self/smaps_rollup").read()
print(took, sum(os.times()[:2]), *(re.search(name + r": +(\\d+) kB", rollup)[1] for name in ("Rss", "Pss")))
"""


def cost(pid: int) -> tuple[float, float, float]:
    """CPU seconds, RSS and PSS in MiB of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (int(re.search(rf"^{name}: +(\d+) kB", rollup, re.MULTILINE)[1]) / 1024 for name in ("Rss", "Pss"))
    return (int(fields[11]) + int(fields[12])) / TICKS, rss, pss


def server_pid() -> int:
    """The process that became the job's script."""
    return int(subprocess.run(["pgrep", "-u", LOGIN, "-f", "spawner_profiles.singleuser"], check=True,
                              capture_output=True, text=True).stdout.split()[0])


def one_run(platform: Platform, chromium) -> dict[str, float]:
    person = platform.person(LOGIN)
    if person.server():
        person.stop()
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(f"{platform.address}/hub/login")
    page.get_by_label("User name").fill(LOGIN)
    page.get_by_label("Password", exact=True).fill(platform.passwords[LOGIN])
    page.get_by_role("button", name="Log in").click()
    begin = time.monotonic()
    page.locator("button[name=profile][value=cpu]").click()
    page.wait_for_url("**/user/*/lab/**", timeout=120_000)
    redirected = time.monotonic() - begin
    server = cost(server_pid())
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=120_000)
    on_screen = time.monotonic() - begin
    context.close()
    asked = time.monotonic()
    with ThreadPoolExecutor(1) as other:  # Playwright has an event loop in this thread
        torch_s, kernel_cpu_s, rss, pss = map(float, other.submit(person.run, IMPORT_TORCH).result().split())
    kernel_s = time.monotonic() - asked
    person.stop()
    return {"start_to_redirect_s": redirected, "start_to_lab_on_screen_s": on_screen,
            "server_cpu_s": server[0], "server_rss_mb": server[1], "server_pss_mb": server[2],
            "kernel_to_torch_s": kernel_s, "import_torch_s": torch_s,
            "kernel_cpu_s": kernel_cpu_s, "kernel_rss_mb": rss / 1024, "kernel_pss_mb": pss / 1024}


def main(runs: int) -> None:
    platform = Platform()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        rows = []
        for number in range(runs):
            rows.append(one_run(platform, chromium))
            print(number + 1, {name: round(value, 2) for name, value in rows[-1].items()}, flush=True)
    rows.append({name: statistics.median(row[name] for row in rows) for name in rows[0]})
    with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["run", *rows[0]])
        for number, row in enumerate(rows, start=1):
            table.writerow(["median" if number == len(rows) else number, *(f"{value:.2f}" for value in row.values())])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
