"""Servers that were left open are stopped: each by itself, and by the hub what is left.

A server stops itself when nothing has run in it for its profile's idle limit (spawner_profiles/timeleft.py). It
alone knows whether a cell runs, it costs the hub nothing, and it can warn the person by the same clock.

jupyterhub-idle-culler is the net below: it stops servers that have told the hub nothing for longer than any of them
may be idle, because their extension is off or their process hangs. It knows one limit and the hub's
``last_activity``, which an open page renews by itself and a silent, long cell does not (our extension renews it
then). So it could neither tell GPU profiles from others nor spare cells, and alone would not do.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

SERVICE = "idle-culler"
#: Servers tell the hub of activity every five minutes; the net waits for three such reports after the last limit.
MARGIN = timedelta(minutes=15)
CHECK_EVERY = timedelta(minutes=5)
#: List who has a server, see when it was last active, stop it. Nothing else.
SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")


def idle_limit(gpus: int, own: timedelta | None, idle: timedelta, idle_gpu: timedelta) -> timedelta:
    """The limit of a profile: its ``own``, else by whether it holds a GPU. Zero means never."""
    if own is not None:
        return own
    return idle_gpu if gpus else idle


def arguments(limits: Iterable[timedelta]) -> list[str]:
    """The net's command line, after ``python -m jupyterhub_idle_culler``; ``limits`` are those of all profiles.

    A server without a limit always looks active: the net spares it.
    """
    timeout = max(limits) + MARGIN
    return [f"--timeout={int(timeout.total_seconds())}", f"--cull-every={int(CHECK_EVERY.total_seconds())}"]


def role() -> dict:
    """An entry of ``c.JupyterHub.load_roles``."""
    return {"name": SERVICE, "services": [SERVICE], "scopes": list(SCOPES),
            "description": "stops servers that were left open"}
