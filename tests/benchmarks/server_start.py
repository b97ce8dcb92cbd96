"""A notebook server from exec to its first HTTP 200, ours beside stock: seconds, CPU seconds, megabytes.

"stock" is batchspawner-singleuser around jupyterhub-singleuser in an environment as the packages, nbgrader among them,
install themselves; "attendee" and "desk" (formgrader) are spawner_profiles.singleuser in the platform's notebook server
environment with the configuration that the hub gives to each. All talk to the same stand-in for the hub, which only
notes the reported port; they alternate, so that a drifting machine slows all.
As root, on a platform that was installed once (it need not run), from the repository's root:
    MANDRILLHUB_TEST_ROOT=… PYTHONPATH=. PYTHON tests/benchmarks/server_start.py [RUNS]
Writes server_start.csv beside itself. CPU seconds are the server's and its children's, user and system; memory is
resident (RSS), and this process's share of what it shares with others (PSS), at the first answer, in MiB.
"""

from __future__ import annotations

import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.benchmarks.one_attendee import cost
from tests.live import Platform


class StandIn(ThreadingHTTPServer):
    """Answers what a starting server asks of the hub, and remembers the port that it reports."""

    port: int | None = None


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200, {"version": "6.1.1"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "{}")
        if self.path.endswith("/batchspawner"):
            self.server.port = body["port"]
        self._answer(201, {})

    def _answer(self, status: int, body: dict) -> None:
        self.send_response(status)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_) -> None:
        pass


def start(command: list[str], home: str, config_path: str) -> tuple[float, ...]:
    """Seconds, CPU seconds, RSS and PSS in MiB of one start."""
    hub = StandIn(("127.0.0.1", 0), Answer)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    api = f"http://127.0.0.1:{hub.server_port}/hub/api"
    environment = {
        "PATH": f"{Path(command[0]).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8",
        "JUPYTER_CONFIG_PATH": config_path,
        "JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_API_URL": api, "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-x",
        "JUPYTERHUB_USER": "x", "JUPYTERHUB_BASE_URL": "/", "JUPYTERHUB_HOST": "", "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/x/", "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0/user/x/",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/x/oauth_callback", "JUPYTERHUB_ACTIVITY_URL": f"{api}/users/x/activity",
        "JUPYTERHUB_OAUTH_SCOPES": "[]", "JUPYTERHUB_OAUTH_ACCESS_SCOPES": "[]"}
    begin = time.monotonic()
    server = subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            if hub.port is not None:
                try:
                    if requests.get(f"http://127.0.0.1:{hub.port}/user/x/api", timeout=5).ok:
                        break
                except requests.ConnectionError:
                    pass
            assert server.poll() is None and time.monotonic() - begin < 60, "the server did not start"
            time.sleep(0.01)
        seconds = time.monotonic() - begin
        cpu, rss, pss = cost(server.pid)
        children = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[13:15]
        return seconds, cpu + sum(map(int, children)) / os.sysconf("SC_CLK_TCK"), rss, pss
    finally:
        server.terminate()
        server.wait()
        hub.shutdown()


def stock_environment(platform: Platform) -> Path:
    """The same packages in the same versions and batchspawner, with all that they bring by themselves."""
    place = platform.layout.opt / "bench-stock"
    uv = platform.layout.opt / "uv/bin/uv"
    version = re.search(r"^batchspawner==\S+", Path("hub/environments/hub.in").read_text(), re.MULTILINE)[0]
    for command in (["venv", "--clear", "--python", "/usr/bin/python3", place],
                    ["pip", "install", "--python", place / "bin/python", "--compile-bytecode", version,
                     "--requirements", "hub/environments/server.in", "--constraints", "hub/environments/server.lock"]):
        subprocess.run([uv, "--quiet", *command], check=True)
    return place / "bin"


def main(runs: int) -> None:
    platform = Platform()
    stock = stock_environment(platform)
    ours = [str(platform.layout.server_bin / "python"), "-m", "spawner_profiles.singleuser", "--allow-root"]
    everyone, desk = (str(platform.layout.config / who) for who in ("everyone", "courses/mandrill"))
    commands = {"attendee": (ours, everyone), "desk": (ours, f"{desk}:{everyone}"),
                "stock": ([str(stock / "batchspawner-singleuser"), "jupyterhub-singleuser", "--allow-root"], "")}
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as home:
        for number in range(runs + 1):
            for name, (command, config_path) in commands.items():
                figures = start(command, home, config_path)
                if number:  # the first warms the disk's cache
                    rows[name].append(figures)
                    print(name, *(f"{value:.2f}" for value in figures), flush=True)
    with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["start", "run", "exec_to_200_s", "cpu_s", "rss_mb", "pss_mb"])
        for name, found in rows.items():
            for number, figures in enumerate([*found, tuple(map(statistics.median, zip(*found)))], start=1):
                label = "median" if number > len(found) else number
                table.writerow([name, label, *(f"{value:.2f}" for value in figures)])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
