"""Where a starting server reports its port. Replaces batchspawner's handler, which sets any attribute."""

from __future__ import annotations

import json

from jupyterhub.apihandlers import APIHandler, default_handlers
from tornado import web

PATH = r"/api/batchspawner"


class PortHandler(APIHandler):
    """POST {"port": N}, with the server's own token. Nothing else can be set."""

    @web.authenticated
    async def post(self):
        body = self.get_json_body()
        if not isinstance(body, dict) or set(body) != {"port"}:
            raise web.HTTPError(400, 'expected {"port": N} and nothing else')
        port = body["port"]
        if type(port) is not int or not 1024 <= port <= 65535:
            raise web.HTTPError(400, "port: expected a whole number from 1024 to 65535")
        token = self.get_auth_token()
        spawners = getattr(self.current_user, "spawners", {})
        for spawner in spawners.values():
            if token and spawner.owns(token):
                spawner.report_port(port)
                self.set_status(201)
                self.finish(json.dumps({"message": "port noted"}))
                return
        raise web.HTTPError(403, "this token belongs to no server that is starting")


def install() -> None:
    """Put our handler in the place of batchspawner's, which its import has registered."""
    import batchspawner.api  # noqa: F401 - registers the handler that must go

    default_handlers[:] = [entry for entry in default_handlers if entry[0] != PATH]
    default_handlers.append((PATH, PortHandler))
