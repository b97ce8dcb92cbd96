"""Keeps the daemons of an instance running, through supervisord.

supervisord starts them, restarts one that crashes, and rotates the logs. We write its configuration and
talk to it by XML-RPC over a socket that only root can open.
"""

from __future__ import annotations

import re
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from xmlrpc.client import Fault, ProtocolError, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from hub.files import write_file
from hub.layout import Layout
from hub.problems import Stop
from hub.supervisor_config import ENVIRONMENT, Daemon, render

ALIVE = ("STARTING", "RUNNING")
SETTLE_S = 4  # a daemon that dies at first gets this long: what held its port or lock may still be stopping
POLL_S = 0.05


@dataclass
class Changes:
    """Names of the daemons that were started, restarted (their configuration changed) or removed."""

    started: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.started or self.restarted or self.removed)

    def __str__(self) -> str:
        parts = [f"{what} {', '.join(names)}" for what, names in
                 (("started", self.started), ("restarted", self.restarted), ("removed", self.removed)) if names]
        return "; ".join(parts) or "nothing changed"


class Daemons:
    """The supervisord of one instance. ``python_bin_dir`` holds the supervisord of the hub's environment."""

    def __init__(self, layout: Layout, python_bin_dir: Path):
        self.logs = layout.logs
        self.supervisord = python_bin_dir / "supervisord"
        self.config = layout.var / "supervisord.conf"
        self.run = layout.var / "run"
        self.socket = self.run / "supervisord.sock"
        self.pidfile = self.run / "supervisord.pid"

    @property
    def _rpc(self) -> ServerProxy:
        """supervisord's own API. A new connection each time: the last one may be to one that is gone."""
        return ServerProxy("http://localhost", transport=SupervisorTransport(serverurl=f"unix://{self.socket}")
                           ).supervisor

    def running(self) -> bool:
        """Does a supervisord of this instance answer?"""
        try:
            return bool(self._rpc.getState())
        except (OSError, ProtocolError):
            return False

    def status(self) -> list[tuple[str, str, str]]:
        """(name, state, description) of each daemon; states are supervisord's: RUNNING, FATAL, …"""
        if not self.running():
            return []
        return [(info["name"], info["statename"], info["description"]) for info in self._rpc.getAllProcessInfo()]

    def pids(self) -> set[int]:
        """Pids of the running daemons, for :func:`hub.ports.check_free`."""
        return {info["pid"] for info in self._rpc.getAllProcessInfo()} - {0} if self.running() else set()

    def apply(self, daemons: Sequence[Daemon], progress: Callable[[str], None]) -> Changes:
        """Make supervisord run exactly these, in this order, and wait until each is ready.

        What runs already and has not changed is left alone. Raises Stop for a daemon that does not start.
        """
        self.run.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o700)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.logs.chmod(0o700)  # logs of the hub name people
        if len(str(self.socket)) > 100:  # it is bound as supervisord.sock.<pid>; sun_path has 107 characters
            raise Stop(f"The path {self.socket} is too long for a socket.\nNext: choose a shorter --root.")
        order = self._order()
        write_file(self.config, render(daemons, self.logs, self.socket, self.pidfile), mode=0o600)
        changes = Changes()
        if self.running():
            self._update(order, changes, progress)
        else:
            self._start_supervisord()
        for _, group in groupby(enumerate(daemons), key=lambda item: item[1].together or item[0]):
            self._start([daemon for _, daemon in group], changes, progress)
        return changes

    def _update(self, order: list[str], changes: Changes, progress: Callable[[str], None]) -> None:
        """Have supervisord read its configuration; take out what changed, in reverse order of starting."""
        try:
            added, changed, removed = self._rpc.reloadConfig()[0]
        except Fault as error:
            raise Stop(f"supervisord refuses {self.config}: {error.faultString}\nNext: report this.") from None
        for name in _backwards(order, [*changed, *removed]):
            progress(f"stopping {name}")
            if self.stop(name) and name in changed:
                changes.restarted.insert(0, name)
            self._rpc.removeProcessGroup(name)
        changes.removed += removed
        for name in [*added, *changed]:
            self._rpc.addProcessGroup(name)

    def _start(self, group: list[Daemon], changes: Changes, progress: Callable[[str], None]) -> None:
        """Start those of the group that do not run, then wait for all of them."""
        for daemon in group:
            if self._rpc.getProcessInfo(daemon.name)["statename"] not in (*ALIVE, "BACKOFF"):
                progress(f"starting {daemon.name}")
                self._rpc.startProcess(daemon.name, False)
                if daemon.name not in changes.restarted:
                    changes.started.append(daemon.name)
        begin = time.monotonic()
        for daemon in group:
            while not self._is_ready(daemon, time.monotonic() - begin):
                time.sleep(POLL_S)

    def _is_ready(self, daemon: Daemon, waited_s: float) -> bool:
        """False: wait on. Raises Stop for a daemon that died, or that should have been ready by now."""
        state = self._rpc.getProcessInfo(daemon.name)["statename"]
        if state == "FATAL" or (state not in ALIVE and waited_s > SETTLE_S):
            self.stop(daemon.name)  # it would die again and again
            self._fail(daemon, "does not start: it ends at once")
        if state in ALIVE and daemon.ready():
            return True
        if waited_s > daemon.ready_timeout_s:
            self._fail(daemon, f"runs, but after {daemon.ready_timeout_s:g} s {daemon.ready_text}")
        return False

    def _fail(self, daemon: Daemon, what: str) -> None:
        log = self.log(daemon.name)
        lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        said = "".join(f"\n  {line}" for line in lines) or "\n  (nothing)"
        raise Stop(f"{daemon.name} {what}.\nIts log, {log}, ends:{said}\nNext: {daemon.next_step}.")

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def restart(self, name: str) -> None:
        """Stop one daemon and start it again. Raises Stop where there is no such daemon."""
        known = [each for each, _, _ in self.status()]
        if name not in known:
            raise Stop(f"No daemon {name!r} runs here; there are: {', '.join(known) or 'none'}.")
        self.stop(name)
        self._rpc.startProcess(name, True)

    def stop(self, name: str) -> bool:
        """Stop a daemon and wait until it is gone; False if it was not running."""
        try:
            self._rpc.stopProcess(name, False)
        except Fault:  # NOT_RUNNING
            return False
        while self._rpc.getProcessInfo(name)["statename"] not in ("STOPPED", "EXITED", "FATAL"):
            time.sleep(POLL_S)  # supervisord itself sends SIGKILL after stop_wait_s
        return True

    def stop_all(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Stop every daemon in reverse order of starting, then supervisord, and wait until it is gone."""
        if not self.running():
            return
        for name in _backwards(self._order(), [name for name, _, _ in self.status()]):
            progress(f"stopping {name}")
            self.stop(name)
        pid = self._rpc.getPID()
        self._rpc.shutdown()
        end = time.monotonic() + 30
        while not _gone(pid):
            if time.monotonic() > end:
                raise Stop(f"supervisord does not end.\nNext: see {self.logs}/supervisord.log.")
            time.sleep(POLL_S)

    def _start_supervisord(self) -> None:
        self.socket.unlink(missing_ok=True)  # of one that was killed
        # The hub holds two sockets a person: more than the usual 1024 files. (Not by `minfds`: supervisord closes
        # that many in every child before it listens to signals again.)
        files = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        done = subprocess.run(["prlimit", f"--nofile={files}:", self.supervisord, "-c", self.config], cwd="/",
                              env=ENVIRONMENT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Stop(f"supervisord does not start:\n  {done.stdout.strip()}\n"
                       f"Next: see {self.config} and {self.logs}/supervisord.log.")
        end = time.monotonic() + 10
        while not self.running():
            if time.monotonic() > end:
                raise Stop(f"supervisord does not answer.\nNext: see {self.logs}/supervisord.log.")
            time.sleep(POLL_S)

    def _order(self) -> list[str]:
        """Names in the order of starting, from the configuration that supervisord runs with."""
        text = self.config.read_text() if self.config.exists() else ""
        return re.findall(r"^\[program:(.+)\]$", text, re.MULTILINE)


def _gone(pid: int) -> bool:
    """Has it ended? In a container whose init does not tidy up, it stays as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _backwards(order: list[str], names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: order.index(name) if name in order else -1, reverse=True)
