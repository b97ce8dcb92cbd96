"""The desk of a course, in its notebook server: several instructors share it, and formgrader has a tab of its own.

Loaded by spawner_profiles/grading.py where hub/grading/config.py says so.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

#: nbgrader's own leads to the root of the site, where the hub is, unless it is in a frame.
LINK_TO = """
linkTo = (type, path) => (_, element) =>
  $(element).attr('href', `${base_url.replace(/\\/formgrader$/, '')}/lab/tree/${path}`).attr('target', '_blank')[0];
"""


def load(app) -> None:
    """Add our addresses, before all others."""
    from tornado.routing import PathMatches, Rule

    workspace, links = _handlers()
    base = app.base_url.rstrip("/")
    app.web_app.default_router.rules[:0] = [
        Rule(PathMatches(rf"{base}/lab/?(/tree/.*)?$"), workspace),
        Rule(PathMatches(rf"{base}/formgrader/static/js/utils\.js$"), links)]


def _handlers() -> tuple[type, type]:
    from jupyter_server.base.handlers import JupyterHandler
    from tornado import web

    class OwnWorkspace(JupyterHandler):
        """JupyterLab keeps what is open, and where, by workspace: each instructor gets their own."""

        @web.authenticated
        def get(self, path: str | None) -> None:
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(f"{self.base_url}lab/workspaces/{self.current_user.username}{path or ''}{query}")

    class Links(JupyterHandler):
        """formgrader's links into the course directory, for a tab of its own."""

        @web.authenticated
        def get(self) -> None:
            nbgrader = Path(find_spec("nbgrader").origin).parent
            script = nbgrader / "server_extensions/formgrader/static/js/utils.js"
            self.set_header("Content-Type", "text/javascript; charset=UTF-8")
            self.finish(script.read_text(encoding="utf-8") + LINK_TO)

    return OwnWorkspace, Links
