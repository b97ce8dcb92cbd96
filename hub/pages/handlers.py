"""The handlers that the pages add to the hub."""

import json

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat

from spawner_profiles.words import N_

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


class DeskHandler(BaseHandler):
    """The way to a course's desk, for those who may open it: at formgrader, or at its files in JupyterLab.

    JupyterHub's own spawn address does the rest: it leads to a desk that runs, waits with who comes while it
    starts, and starts it with `profile` if there is none.
    """

    def initialize(self, courses, profile):
        self.courses = courses
        self.profile = profile

    @web.authenticated
    def get(self, page, course=None):
        theirs = {
            name: account
            for name, account in self.courses.items()
            if self.has_scope(f"access:servers!user={account}")
        }
        if course is None and len(theirs) == 1:
            course = next(iter(theirs))
        if course is None and theirs:
            # of several courses a person chooses one at home
            self.redirect(url_path_join(self.hub.base_url, "home"))
            return
        if course not in theirs:
            raise web.HTTPError(404, N_("You are no instructor of this course."))
        account = theirs[course]
        self.redirect(
            url_concat(
                url_path_join(self.hub.base_url, "spawn", account),
                {
                    "opt-profile": self.profile,
                    "next": url_path_join(self.base_url, "user", account, page),
                },
            )
        )


class StaticHandler(CacheControlStaticFilesHandler):
    """This package's own files: kept by the browser when asked for with ?v=."""
