"""nbgrader in the notebook server, imported when somebody first uses it: it costs as much as half a server's start.

Which of nbgrader's server extensions a person gets is configured as ``Grading.extensions`` in
jupyter_server_config.json; hub/grading.py writes one for everybody and one for instructors.
"""

from __future__ import annotations

import importlib
from typing import Any

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
