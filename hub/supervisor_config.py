"""supervisord.conf: what a daemon is, and how supervisord is told (its manual, "Configuration File")."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Daemon:
    """A program that supervisord keeps running.

    ``ready`` tells whether it really serves; ``ready_text`` ends "… does not answer: expected". A change of
    ``restart_key`` (a hash of the files that it reads) restarts it. Neighbours in the list with the same
    ``together`` start at the same time.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    ready_text: str
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    directory: Path = Path("/")
    restart_key: str = ""
    together: str = ""
    stop_signal: str = "TERM"
    stop_wait_s: int = 10
    ready_timeout_s: float = 30
    next_step: str = "mend what the log says, then `make up` again"


def render(daemons: Sequence[Daemon], logs: Path, socket: Path, pidfile: Path) -> str:
    """The text of supervisord.conf. Raises ValueError for a value that it cannot hold."""
    sections = {
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "supervisord": {"logfile": logs / "supervisord.log", "logfile_maxbytes": "5MB", "logfile_backups": 3,
                        "pidfile": pidfile, "directory": "/", "umask": "022", "childlogdir": logs,
                        **({"user": "root"} if os.geteuid() == 0 else {})},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        "supervisorctl": {"serverurl": f"unix://{socket}"},  # for an admin who knows supervisor
        **{f"program:{daemon.name}": _program(daemon, logs) for daemon in daemons}}
    return "".join(f"[{name}]\n" + "".join(f"{key}={_escape(value)}\n" for key, value in keys.items()) + "\n"
                   for name, keys in sections.items())


def _program(daemon: Daemon, logs: Path) -> dict[str, object]:
    # pdeathsig: when supervisord is killed, its daemons end too, and none is left that nobody watches.
    # The children of a daemon do not inherit it: slurmd's jobs live on.
    command = [shutil.which("setpriv", path=PATH) or "setpriv", "--pdeathsig", daemon.stop_signal, "--",
               *map(str, daemon.command)]
    environment = {**ENVIRONMENT, **daemon.environment, "RESTART_KEY": daemon.restart_key}
    return {"command": shlex.join(command),
            "environment": ",".join(f"{key}={_quote(value)}" for key, value in environment.items()),
            "directory": daemon.directory, **({"user": daemon.user} if daemon.user else {}),
            "autostart": "false", "autorestart": "true", "startsecs": 1, "startretries": 10,
            "stopsignal": daemon.stop_signal, "stopwaitsecs": daemon.stop_wait_s,
            "stopasgroup": "false", "killasgroup": "false",
            "redirect_stderr": "true", "stdout_logfile": logs / f"{daemon.name}.log",
            "stdout_logfile_maxbytes": "5MB", "stdout_logfile_backups": 3}


def _escape(value: object) -> str:
    """A value of supervisord.conf: % is special, and what cannot be written there is a ValueError."""
    text = str(value)
    if re.search(r"[\r\n\0]|(^|\s)[;#]", text):
        raise ValueError(f"supervisord's configuration cannot hold a line break, ' ;' or ' #': {text!r}")
    return text.replace("%", "%%")


def _quote(value: str) -> str:
    """A value of an environment; supervisord knows no escapes in quotes and strips both kinds from the ends."""
    mark = "'" if '"' in value else '"'
    if mark in value or value.strip("'\"") != value:
        raise ValueError(f"supervisord's configuration cannot hold these quotes: {value!r}")
    return mark + value + mark
