"""OAR 2.5, by its command line: submit as a user, list all jobs in one call, cancel, report capacity.

The commands find their cluster through /etc/oar/oar.conf. Sources: oarsub(1), oarstat(1), oardel(1), oarnodes(1).
oarstat and oarnodes need Perl's JSON (Debian: libjson-perl).
"""

from __future__ import annotations

import json
import os
import pwd
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any

from spawner_profiles import private_file
from spawner_profiles.jobs import Capacity, Job, Phase, SchedulerSilent, Shared, SubmitRefused
from spawner_profiles.oar_records import ours, parse_jobs
from spawner_profiles.oar_resources import Holder, Properties, capacity_of, holder, up
from spawner_profiles.oar_submit import PLAIN_PATH, SILENT, SUBMIT, header_options, job_file, refusal
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler, as_account, run_command
from spawner_profiles.words import _


class Oar(Scheduler):
    """The cluster of /etc/oar/oar.conf. What OAR calls a queue is a profile's partition.

    ``properties``: what the site calls the properties of its resources that we ask for.
    """

    #: Seconds. Without OAR's database oarsub and oardel wait, for ever.
    patience = 30

    def __init__(self, properties: Properties = Properties()) -> None:
        super().__init__()
        self.properties = properties
        self._nodes = Shared(self._list_nodes)
        #: Jobs that somebody wants to end, by the id that we know; see :meth:`list_jobs`.
        self._cancelled: set[str] = set()
        #: The id under which OAR runs a job now, and the file that it was to run, by the id that we know.
        self._current: dict[str, str] = {}
        self._scripts: dict[str, tuple[str, str]] = {}

    async def submit(self, script: str, user: str, environment: dict[str, str]) -> str:
        """Write the job to a file that only ``user`` can read, and have it submitted by them.

        OAR neither reads scripts from stdin nor keeps a copy nor passes the environment on, and shows a job's
        command to everyone. The file deletes itself when it starts.
        """
        account = pwd.getpwnam(user)
        name = f"job-{uuid.uuid4().hex}"
        path = f"{account.pw_dir}/{private_file.FOLDER}/{name}"
        options = header_options(script)
        for word in [path, *(value for option, value in options if option in ("-O", "-E"))]:
            if not PLAIN_PATH.fullmatch(word):
                raise SubmitRefused(
                    _("OAR cannot take the path {path}; it may have letters, digits and {signs} only").format(
                        path=repr(word), signs="._-+@%"))
        arguments = [word for option in options for word in option]
        code, out, err = await run_command(
            *as_account(account), "sh", "-c", SUBMIT, "sh", name, *arguments, "-d", account.pw_dir, path,
            stdin=job_file(script, path, environment), cwd=account.pw_dir, timeout=self.patience,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": account.pw_dir, "USER": user})
        found = re.search(r"^OAR_JOB_ID=(\d+)$", out, re.MULTILINE)
        if found:  # also when oarsub then ends with 9, OAR's server being away: the job waits in the database
            return found[1]
        await private_file.remove(path, user)  # should OAR have taken the job after all, it ends at once
        if SILENT.search(out + err):
            raise SchedulerSilent(err.strip())
        raise SubmitRefused(refusal(out + "\n" + err)
                            or _("{command} ended with {code}").format(command="oarsub", code=code))

    async def list_jobs(self) -> dict[str, Job]:
        """Our jobs, and what waits before them. One that OAR submitted again has the id under which we know it."""
        records = await self._records(f"state = 'Waiting' OR ({ours(time.time())})")
        jobs, self._current = parse_jobs(records, time.time())
        self._scripts = {job_id: (records[current]["owner"], records[current]["command"] or "")
                         for job_id, current in self._current.items()}
        self._cancelled &= jobs.keys()
        for job_id in list(self._cancelled):  # while we wait, another may be cancelled
            if jobs[job_id].phase in (Phase.PENDING, Phase.RUNNING):
                # OAR had submitted it again when, or after, it was cancelled.
                await self._delete(self._current[job_id])
        return jobs

    async def marked(self) -> dict[str, tuple[str, str]]:
        records = await self._records(ours(time.time()))
        jobs, current = parse_jobs(records, time.time())
        return {job_id: (job.user, records[current[job_id]]["name"] or "") for job_id, job in jobs.items()
                if job.phase in (Phase.PENDING, Phase.RUNNING)}

    async def cancel(self, job_id: str) -> None:
        if job_id not in self._current:
            await self.jobs(max_age=1)  # a hub that was restarted does not know under which id it runs now
        self._cancelled.add(job_id)
        await self._delete(self._current.get(job_id, job_id))
        user, path = self._scripts.pop(job_id, ("", ""))
        if f"/{private_file.FOLDER}/job-" in path:
            await private_file.remove(path, user)  # a job that never started has not deleted it

    async def _delete(self, job_id: str) -> None:
        code, out, err = await run_command("oardel", job_id, timeout=self.patience)
        # 6: it has ended or is about to. OAR says "not the right user" of an id that it does not know.
        if code not in (0, 6) and "not the right user" not in err:
            raise SchedulerSilent((err or out).strip())

    async def capacity(self, profiles: Iterable[Profile]) -> dict[str, Capacity]:
        resources, holders = await self._nodes(max_age=3)
        return {profile.key: capacity_of(resources, holders, profile, self.properties) for profile in profiles}

    async def property_names(self) -> set[str]:
        """What the resources that are up have; empty if there are none."""
        resources, _ = await self._nodes(max_age=3)
        return {name for each in resources for name in each}

    async def _list_nodes(self) -> tuple[list[dict[str, Any]], list[Holder]]:
        """All resources that are up, and the jobs, of anyone, that have some or a reservation of some."""
        resources = await _ask("oarnodes", "-J")
        # Without -f: no events, and what other people's jobs are is none of our business.
        jobs = await _ask("oarstat", "-J", "--sql", "state NOT IN ('Waiting', 'Hold', 'Terminated', 'Error')"
                                                    " OR (state = 'Waiting' AND reservation = 'Scheduled')")
        return up(resources), [holder(job_id, job) for job_id, job in jobs.items()]

    async def _records(self, condition: str) -> dict[str, dict[str, Any]]:
        return await _ask("oarstat", "-f", "-J", "--sql", condition)


async def _ask(*command: str) -> dict[str, dict[str, Any]]:
    """A command's JSON; no output at all means that there is nothing to tell. Raises SchedulerSilent."""
    code, out, err = await run_command(*command)
    if code:
        raise SchedulerSilent(err.strip() or f"{command[0]} ended with {code}")
    try:
        return json.loads(out) if out.strip() else {}
    except ValueError:
        raise SchedulerSilent(f"{command[0]} gave no JSON: {out[:200].strip()} {err.strip()}") from None
