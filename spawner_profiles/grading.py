"""nbgrader in the notebook server, imported when somebody first uses it: it costs as much as half a server's start.

Which of nbgrader's server extensions a server gets is configured as ``Grading.extensions`` in
jupyter_server_config.json, and further modules of the platform as ``Grading.at_start``, by hub/grading/config.py.
"""

from __future__ import annotations

import importlib
import re
from datetime import UTC, datetime
from typing import Any

from spawner_profiles.timeleft import ACTIVITY

#: Below the server's address; all that nbgrader's four server extensions answer.
ADDRESSES = r"(assignments|courses|formgraders?|nbgrader_version)(/.*)?$"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "spawner_profiles.grading"}]


def _load_jupyter_server_extension(app) -> None:
    from tornado.routing import PathMatches, Router, Rule

    class OnDemand(Router):
        """Adds nbgrader's own handlers at the first request for one of them. It answers nothing itself: tornado goes
        on with the next rule that matches, and that is nbgrader's."""

        loaded = False

        def find_handler(self, request: Any, **_: Any) -> None:
            if not self.loaded:
                self.loaded = True
                for name in app.config.Grading.get("extensions", []):
                    importlib.import_module(f"nbgrader.server_extensions.{name}").load_jupyter_server_extension(app)

    # Where add_handlers would put it: jupyter_server's takes RequestHandlers alone.
    rule = Rule(PathMatches(f"{app.base_url.rstrip('/')}/{ADDRESSES}"), OnDemand())
    app.web_app.default_router.rules.insert(-1, rule)
    _count_as_activity(app)
    for name in app.config.Grading.get("at_start", []):
        importlib.import_module(name).load(app)


def _count_as_activity(app) -> None:
    """Who grades runs no cell and saves no file; their pages ask for nothing by themselves."""
    ours = re.compile(re.escape(app.base_url.rstrip("/")) + "/" + ADDRESSES)
    settings = app.web_app.settings
    log = settings["log_function"]

    def log_and_note(handler, *args: Any, **options: Any) -> None:
        if ours.match(handler.request.path):
            settings[ACTIVITY] = datetime.now(UTC)
        log(handler, *args, **options)

    settings["log_function"] = log_and_note
