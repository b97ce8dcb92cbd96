"""How long this notebook server still runs: until its job ends, or until nothing has run in it for too long.

An extension of the notebook server, so light: the standard library, and what the server has imported anyway.
``GET <base>/mandrillhub/time`` tells JupyterLab (lab/static/remoteEntry.js), which warns the person; ``POST`` to it is
"I am still here". The server stops itself when its idle limit is over: it alone knows whether a cell runs, and
the warning and the stop go by the same clock.

jupyter_server's own ``shutdown_no_activity_timeout`` is not used: JupyterLab asks its API every few seconds, and
it counts that as activity, so a tab that was left open would hold a GPU for ever.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime

#: Set in the job: when it ends (seconds since 1970), and the idle limit in seconds (0 or none: never).
ENDS_AT = "MANDRILLHUB_JOB_ENDS_AT"
IDLE_AFTER = "MANDRILLHUB_IDLE_AFTER"
#: jupyter_server counts every setting with such an ending as activity, and so does the hub, which it tells.
ACTIVITY = "mandrillhub_last_activity"
CHECK_EVERY_S = 30


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "spawner_profiles.timeleft"}]


def _load_jupyter_server_extension(app) -> None:
    from tornado.ioloop import PeriodicCallback

    watch = Watch(app)
    app.web_app.add_handlers(".*$", [(f"{app.base_url.rstrip('/')}/mandrillhub/time", _handler(), {"watch": watch})])
    # Writing counts: saves are the only sign of it that reaches the server.
    app.contents_manager.register_post_save_hook(watch.note_activity)
    every = min(CHECK_EVERY_S, (watch.idle_after or CHECK_EVERY_S * 10) / 10)
    PeriodicCallback(watch.check, every * 1000).start()


class Watch:
    """Looks at one server: is it busy, since when is it idle, and is that too long?"""

    def __init__(self, app, environment: Mapping[str, str] = os.environ) -> None:
        self.app = app
        self.ends_at = _number(environment.get(ENDS_AT))
        self.idle_after = _number(environment.get(IDLE_AFTER))

    def busy(self) -> bool:
        """A cell runs in some kernel, or a program in some terminal, however silent."""
        if any(kernel["execution_state"] == "busy" for kernel in self.app.kernel_manager.list_kernels()):
            return True
        terminals = getattr(self.app.web_app.settings.get("terminal_manager"), "terminals", {})
        return any(_runs_something(terminal.ptyproc) for terminal in terminals.values())

    def idle_since(self) -> float:
        """The last thing that a person or a program did. The requests of an open page are neither."""
        settings = self.app.web_app.settings
        times = [settings["started"], self.app.kernel_manager.last_kernel_activity,
                 settings.get("terminal_last_activity"), settings.get(ACTIVITY)]
        return max(time for time in times if time).timestamp()

    def note_activity(self, **_) -> None:
        self.app.web_app.settings[ACTIVITY] = datetime.now(UTC)

    def state(self) -> dict:
        """What JupyterLab is told; ``now`` because the clock of the person's computer may be wrong."""
        busy = self.busy()
        return {"ends_at": self.ends_at, "idle_after": self.idle_after, "busy": busy,
                "idle_since": None if busy else self.idle_since(), "now": datetime.now(UTC).timestamp()}

    def check(self) -> None:
        """Stop the server if nothing has run for too long.

        A cell that runs for hours and prints nothing is no activity for jupyter_server: without a word from us
        the hub's culler would take it for idle. It would stop servers without an idle limit, too.
        """
        if self.busy() or not self.idle_after:
            self.note_activity()
        elif datetime.now(UTC).timestamp() >= self.idle_since() + self.idle_after:
            self.app.log.warning("Nothing has run here for %d minutes: this server stops.", self.idle_after // 60)
            self.app.stop()


def _handler() -> type:
    from jupyter_server.base.handlers import APIHandler
    from tornado import web

    class TimeHandler(APIHandler):
        """The time left, and "I am still here"."""

        _track_activity = False  # asking for the time is no activity

        def initialize(self, watch: Watch) -> None:
            super().initialize()
            self.watch = watch

        @web.authenticated
        def get(self) -> None:
            self.finish(json.dumps(self.watch.state()))

        @web.authenticated
        def post(self) -> None:
            self.watch.note_activity()
            self.get()

    return TimeHandler


def _number(text: str | None) -> float | None:
    """A positive number, or None for anything else."""
    try:
        return max(0.0, float(text or 0)) or None
    except ValueError:
        return None


def _runs_something(pty) -> bool:
    """Does the shell of this terminal wait for a program? Then another process group holds the foreground."""
    try:
        return os.tcgetpgrp(pty.fd) != pty.pid
    except OSError:  # it ended just now
        return False
