"""The spawner of the hub: wrapspawner's ProfilesSpawner, with one check of the profile on every path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import object_session
from traitlets import Callable, List, Type, Unicode, Union, default
from wrapspawner import ProfilesSpawner

from spawner_profiles import certificates, together
from spawner_profiles.child import make_child, own_value
from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.jobs import Capacity, Phase, SchedulerSilent
from spawner_profiles.known_job import Unwatched
from spawner_profiles.problems import SpawnProblem
from spawner_profiles.profiles import Profile, Refused, choose
from spawner_profiles.scheduler import Scheduler
from spawner_profiles.slurm_job import SlurmJobSpawner
from spawner_profiles.words import _


def job_options(profile: Profile) -> dict[str, str]:
    """A profile in the words of batchspawner's ``req_`` traits."""
    minutes = int(profile.walltime.total_seconds() // 60)
    gres = ":".join(filter(None, ("gpu", profile.gpu_model, str(profile.gpus)))) if profile.gpus else ""
    return {"req_profile": profile.key, "req_title": profile.title, "req_partition": profile.partition,
            "req_nprocs": str(profile.cpus), "req_memory": str(profile.memory), "req_runtime": str(minutes),
            "req_gres": gres, "req_qos": profile.qos or "", "req_account": profile.account or "",
            "req_reservation": profile.reservation or "", "req_modules": " ".join(profile.modules),
            "req_besteffort": "1" if profile.besteffort else "",
            "req_walltime_s": str(int(profile.walltime.total_seconds())),
            "req_queue_wait_s": str(int(profile.queue_wait.total_seconds()) if profile.queue_wait else 0),
            "req_idle_s": str(int(profile.idle.total_seconds()) if profile.idle else 0)}


class ProfileSpawner(ProfilesSpawner):
    """Servers by profile. What a profile does not offer can't be asked for, whatever the path.

    Configure ``catalog`` with :class:`Profile` objects; wrapspawner's ``profiles`` follows from it. There is no
    fallback: without a valid profile nothing starts, on the hub's host least of all.
    """

    catalog = List(config=True, help="the profiles, in the order of the start page")
    job_class = Type(SlurmJobSpawner, JobSpawner, config=True, help="the scheduler: one JobSpawner class")
    # wrapspawner fixes it to a select box; this is JupyterHub's own again.
    options_form = Union([Unicode(), Callable()], config=True)
    #: By which the job's spawner follows this one.
    _links = ()

    @default("start_timeout")
    def _start_timeout(self) -> int:
        """JupyterHub asks us, but whoever knows batchspawner configures it for the job's class."""
        return own_value(self.job_class, type(self), self.config, "start_timeout")

    #: How the last server ended if it did so by itself, for the pages; kept until the next start. See :meth:`last_end`.
    _end: dict[str, Any] | None = None
    _loaded = True  # from the hub's database, and nothing was started since

    @default("profiles")
    def _profiles(self) -> list[tuple]:
        return [(p.title, p.key, self.job_class, job_options(p)) for p in self.catalog]

    # -- choosing ---------------------------------------------------------------------------------------

    def options_from_form(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """Form and URL: every field is passed on to the one check, which knows what may be chosen."""
        options = {key: values[0] if len(values) == 1 else values
                   for key, values in form.items() if key != "_xsrf"}
        self._choose(options)
        return options

    @default("apply_user_options")
    def _apply(self):
        """JupyterHub calls this before every start, from the API and with remembered options too."""
        return lambda spawner, options: spawner._choose(options)

    def _choose(self, options: dict[str, Any]) -> Profile:
        try:
            return choose(self.catalog, options)
        except Refused as error:
            # Do not remember a refused request as this person's default for the next start.
            if self.orm_spawner:
                self.orm_spawner.user_options = {}
            raise SpawnProblem(str(error), reason="profile-refused", status_code=400) from None

    def select_profile(self, profile: str) -> None:
        """wrapspawner's hook: called with a checked key before a start, with a remembered one after a restart."""
        super().select_profile(profile)
        # wrapspawner updates it in place: a copy, or one person's remembered job would change everybody's profile.
        self.child_config = dict(self.child_config)
        # A remembered server of a profile that is no longer offered is still somebody's job.
        self.child_class = self.job_class

    # -- the job ----------------------------------------------------------------------------------------

    async def start(self):
        self._end = None
        # No choice means the first profile; wrapspawner looks it up by name.
        self.user_options = {"profile": self._choose(self.user_options).key}
        self.construct_child()
        return await self.child_spawner.start()

    def construct_child(self):
        """In place of wrapspawner's, whose links overwrite what is configured for the job's class and stay for ever."""
        if self.child_spawner is None:
            self.child_profile = self.user_options.get("profile", "")
            self.select_profile(self.child_profile)
            self.child_spawner, self._links = make_child(self, self.child_class, self.child_config)
            if self.child_state:
                self.child_spawner.load_state(self.child_state)
            self.child_spawner.remember = self._remember
            self.child_spawner.noticed = self._notice
        return self.child_spawner

    def clear_state(self) -> None:
        super().clear_state()
        for link in self._links:
            link.unlink()
        self._links = ()
        self._loaded = False

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """JupyterHub calls this before a start, if the hub speaks TLS to the servers."""
        return await certificates.give(self.user.name, paths)

    def _remember(self) -> Awaitable[None]:
        """Write our state to the hub's database in a moment; await it where nothing may happen before it is there.

        JupyterHub itself writes it only after a start has succeeded, and a hub that dies while a job is queued would
        forget the job. One commit serves all who start in the same moment.
        """
        if self.orm_spawner is None:
            return Unwatched()
        return together.write(self.orm_spawner, self.get_state)

    async def get_url(self) -> str:
        """JupyterHub asks this after its restart, of servers whose job still exists: finish a start found half-way."""
        child = self.child_spawner
        if child.ready:
            return self.server.url
        try:
            address, port = await child.until_ready()
        except SpawnProblem as error:
            self.log.warning("The start of %s, found half-way, did not end well: %s", self._log_name, error)
            self.http_timeout = 1  # JupyterHub now tries the server's old address, in vain, and then cleans up
            return self.server.url
        return f"{'https' if self.internal_ssl else 'http'}://{address}:{port}"

    async def poll(self):
        child = self.child_spawner
        if self.server and self._loaded and not (child and child.req_mark):
            self._note_end("in_line", at=None)  # the hub was restarted before this start was submitted
        if not child:
            return 1
        status = await child.poll()
        if child.ended:
            self._note_end(child.ended.reason or _("its job ended"), child.ended_at, child.ended.node)
            child.ended = None
        return status

    def _notice(self) -> None:
        self._noticing = asyncio.ensure_future(self.poll_and_notify())

    # -- how it ended -----------------------------------------------------------------------------------

    def _note_end(self, reason: str, at: float | None, node: str = "") -> None:
        self._loaded = False  # JupyterHub polls once more while it cleans up; that is no news
        self._end = {"reason": reason, "at": at, "node": node, "profile": (self.user_options or {}).get("profile")}
        self._revoke_tokens()

    def _revoke_tokens(self) -> None:
        """A lost node's processes may live on with their token. JupyterHub deletes it, unless it was restarted since:
        then it no longer knows which one it is."""
        if self.orm_spawner is None or self.api_token or not self.server:
            return
        session = object_session(self.orm_spawner)
        for token in self.orm_spawner.user.api_tokens:
            if token.note == f"Server at {self.server.base_url}":
                session.delete(token)
        session.commit()

    def last_end(self) -> dict[str, Any] | None:
        """``reason`` in words ("in_line": it was never submitted), ``node``, ``profile``, and ``when`` in words;
        None if nothing ended by itself since the last start."""
        if not self._end:
            return None
        when = self._end["at"] and datetime.fromtimestamp(self._end["at"])
        if when:
            when = when.strftime("%H:%M" if when.date() == datetime.now().date() else _("%H:%M on %d %B"))
        return self._end | {"when": when}

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | ({"end": self._end} if self._end else {})

    def load_state(self, state: dict[str, Any]) -> None:
        self._end = state.get("end")
        super().load_state(state)

    async def stop(self, now: bool = False):
        if self.child_spawner:
            await self.child_spawner.stop(now)

    def report_port(self, port: int) -> None:
        """Called by the port handler for the server whose token this is."""
        self.child_spawner.report_port(port)

    def owns(self, token: str) -> bool:
        """Is this the token that this server's job was given?"""
        return self.child_spawner is not None and self.child_spawner.owns(token)

    @property
    def progress(self):
        return self._progress

    async def _progress(self):
        """The job's own events; one of ours if the page asks before there is a job."""
        if self.child_spawner is None:
            yield {"progress": 5, "phase": "submitted", "message": _("Preparing your job")}
        while self.child_spawner is None:
            await asyncio.sleep(0.1)
        async for event in self.child_spawner.progress():
            yield event

    # -- what is free -----------------------------------------------------------------------------------

    async def availability(self) -> dict[str, Capacity]:
        """What is free now, by profile."""
        return await availability(self.job_class.scheduler, self.catalog)


def waiting(key: str) -> int:
    """How many of this hub's servers of a profile are in the queue."""
    return sum(spawner.req_profile == key and spawner.job is not None and spawner.job.phase is Phase.PENDING
               for spawner in JobSpawner.known)


async def availability(scheduler: Scheduler, catalog: Iterable[Profile]) -> dict[str, Capacity]:
    """What is free now, by profile; ``free`` is None while the scheduler does not answer."""
    try:
        found = await scheduler.capacity(catalog)
        return {key: replace(capacity, waiting=waiting(key)) for key, capacity in found.items()}
    except SchedulerSilent:
        return {profile.key: Capacity(free=None, total=0) for profile in catalog}
