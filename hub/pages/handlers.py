"""The two handlers that the pages add to the hub."""

import json

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from tornado import web

from .cards import read_capacity


class CapacityHandler(BaseHandler):
    """What is free now, for people who are logged in."""

    def initialize(self, availability, keys):
        self.availability = availability
        self.keys = keys

    def _record_activity(self, obj, timestamp=None):
        # an open page is not a person at work, and must not write to the database
        return False

    @web.authenticated
    async def get(self):
        capacity = await read_capacity(self.availability, self.keys)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(capacity))


class StaticHandler(CacheControlStaticFilesHandler):
    """This package's own files: kept by the browser when asked for with ?v=."""
