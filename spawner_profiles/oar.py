"""OAR 2.5, by its command line: submit as a user, list all jobs in one call, cancel, report capacity.

The commands find their cluster through /etc/oar/oar.conf. Sources: oarsub(1), oarstat(1), oardel(1), oarnodes(1) and,
for events and resubmission, OAR's own NodeChangeState. oarstat and oarnodes need Perl's JSON (Debian: libjson-perl).
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from spawner_profiles.jobs import Capacity, Job, Phase, SchedulerSilent, Shared, SubmitRefused
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler, run_command

#: OAR's state to our phase.
PHASES = {
    "Waiting": Phase.PENDING, "Hold": Phase.PENDING, "toLaunch": Phase.PENDING, "Launching": Phase.PENDING,
    "toAckReservation": Phase.PENDING, "Running": Phase.RUNNING, "Suspended": Phase.RUNNING,
    "Resuming": Phase.RUNNING, "Finishing": Phase.ENDING, "toError": Phase.ENDING,
    "Terminated": Phase.ENDED, "Error": Phase.ENDED,
}
#: After one of these OAR submits the job again by itself, under a new id and a moment after its state is Error.
RESUBMITS = {
    "SERVER_PROLOGUE_TIMEOUT", "SERVER_PROLOGUE_EXIT_CODE_ERROR", "SERVER_PROLOGUE_ERROR",
    "PING_CHECKER_NODE_SUSPECTED", "CPUSET_ERROR", "PROLOGUE_ERROR", "CANNOT_WRITE_NODE_FILE",
    "CANNOT_WRITE_PID_FILE", "USER_SHELL", "CANNOT_CREATE_TMP_DIRECTORY", "LAUNCHING_OAREXEC_TIMEOUT",
}
#: Seconds that we wait for OAR to do so; it takes less than one.
RESUBMIT_GRACE = 15
#: An event of an ended job, in words. The first that is found counts: OAR kills for many reasons, and always by FRAG.
ENDED = {
    "WALLTIME": "its time was over",
    "BESTEFFORT_KILL": "a job of higher priority took its place",
    **dict.fromkeys(RESUBMITS, "its node failed"),
    "EXTERMINATE_JOB": "its node failed",
    "FRAG_JOB_REQUEST": "it was cancelled",
}
#: In a home: what jobs run and know, so for nobody but the user. Also how our jobs are told from all others.
FOLDER = ".mandrillhub"
#: Run as the user: $1 is the script's name, the rest are oarsub's arguments. ``exec``, so that an oarsub that hangs
#: can be killed: it would submit whenever OAR's database comes back.
SUBMIT = f"""umask 077 && mkdir -p {FOLDER} && chmod 700 {FOLDER} && cd {FOLDER} || exit
cat >"$1" && chmod 700 "$1" && cd .. || exit
shift && exec oarsub "$@\""""
#: OAR hands paths to several shells with weak quotes.
PLAIN_PATH = re.compile(r"[\w./@%+-]+", re.ASCII)
#: oarsub's words when OAR's database or its server is away.
SILENT = re.compile(r"Cannot connect|DB connection|DBI connect|gave no answer|could not connect|Is OAR started",
                    re.IGNORECASE)


class Oar(Scheduler):
    """The cluster of /etc/oar/oar.conf. What OAR calls a queue is a profile's partition.

    Its resources have the properties ``core``, ``gpu`` and ``gpu_model`` (empty on nodes without), and ``mem``, the
    megabytes of the node. OAR gives no share of the memory away: a profile's is what its node must have in all.
    """

    #: Seconds. Without OAR's database oarsub and oardel wait, for ever.
    patience = 30

    def __init__(self) -> None:
        super().__init__()
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
        groups = os.getgrouplist(user, account.pw_gid)
        name = f"job-{uuid.uuid4().hex}"
        path = f"{account.pw_dir}/{FOLDER}/{name}"
        options = header_options(script)
        for word in [path, *(value for option, value in options if option in ("-O", "-E"))]:
            if not PLAIN_PATH.fullmatch(word):
                raise SubmitRefused(f"OAR cannot take the path {word!r}; it may have letters, digits and ._-+@% only")
        arguments = [word for option in options for word in option]
        code, out, err = await run_command(
            "sh", "-c", SUBMIT, "sh", name, *arguments, "-d", account.pw_dir, path,
            stdin=job_file(script, path, environment), cwd=account.pw_dir, user=account.pw_uid, group=account.pw_gid,
            extra_groups=groups, timeout=self.patience, env={
                "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": account.pw_dir, "USER": user})
        self.jobs.forget()
        found = re.search(r"^OAR_JOB_ID=(\d+)$", out, re.MULTILINE)
        if found:  # also when oarsub then ends with 9, OAR's server being away: the job waits in the database
            return found[1]
        await _remove(path, user)  # should OAR have taken the job after all, it ends at once
        if SILENT.search(out + err):
            raise SchedulerSilent(err.strip())
        raise SubmitRefused(refusal(out + "\n" + err) or f"oarsub ended with {code}")

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
        if f"/{FOLDER}/job-" in path:
            await _remove(path, user)  # a job that never started has not deleted it

    async def _delete(self, job_id: str) -> None:
        code, out, err = await run_command("oardel", job_id, timeout=self.patience)
        self.jobs.forget()
        # 6: it has ended or is about to. OAR says "not the right user" of an id that it does not know.
        if code not in (0, 6) and "not the right user" not in err:
            raise SchedulerSilent((err or out).strip())

    async def capacity(self, profiles: Iterable[Profile]) -> dict[str, Capacity]:
        resources, busy = await self._nodes(max_age=3)
        return {profile.key: Capacity(free=fits(resources, profile, busy), total=fits(resources, profile, set()))
                for profile in profiles}

    async def _list_nodes(self) -> tuple[list[dict[str, Any]], set[int]]:
        """All resources that are up, and the numbers of those that any job, of anyone, has."""
        resources = await _ask("oarnodes", "-J")
        # Without -f: no events, and what other people's jobs are is none of our business.
        jobs = await _ask("oarstat", "-J", "--sql", "state NOT IN ('Waiting', 'Hold', 'Terminated', 'Error')")
        return up(resources), {number for job in jobs.values() for number in job["assigned_resources"]}

    async def _records(self, condition: str) -> dict[str, dict[str, Any]]:
        return await _ask("oarstat", "-f", "-J", "--sql", condition)


async def _remove(path: str, user: str) -> None:
    """Delete a job's file as its ``user``: a path that OAR tells is what the user once wrote."""
    account = pwd.getpwnam(user)
    await run_command("rm", "-f", "--", path, user=account.pw_uid, group=account.pw_gid, extra_groups=[])


async def _ask(*command: str) -> dict[str, dict[str, Any]]:
    """A command's JSON; no output at all means that there is nothing to tell. Raises SchedulerSilent."""
    code, out, err = await run_command(*command)
    if code:
        raise SchedulerSilent(err.strip() or f"{command[0]} ended with {code}")
    try:
        return json.loads(out) if out.strip() else {}
    except ValueError:
        raise SchedulerSilent(f"{command[0]} gave no JSON: {out[:200].strip()} {err.strip()}") from None


def ours(now: float) -> str:
    """SQL: our jobs that have not ended, or did in the last hour; resubmitted ones longer, to follow them."""
    hour, month = int(now) - 3600, int(now) - 30 * 86400
    return (f"command LIKE '%/{FOLDER}/job-%' AND (state NOT IN ('Terminated', 'Error') OR stop_time > {hour}"
            f" OR submission_time > {hour} OR (resubmit_job_id <> 0 AND stop_time > {month}))")


def header_options(script: str) -> list[tuple[str, str]]:
    """The ``#OAR`` lines at the head of a script.

    Not left to ``oarsub -S``, which takes such lines from all of the file: an environment variable could hold one.
    """
    options = []
    for line in script.splitlines():
        if not line.startswith("#"):
            break
        if found := re.fullmatch(r"#OAR\s+(-{1,2}\w[\w-]*)\s+(.+?)\s*", line):
            options.append((found[1], found[2]))
    return options


def job_file(script: str, path: str, environment: dict[str, str]) -> str:
    """``script`` with a beginning that deletes the file and sets the environment; values can't reach the shell."""
    lines = script.splitlines(keepends=True)
    head = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    exports = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()
               if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)]
    return "".join([*lines[:head], f"rm -f -- {shlex.quote(path)}\n", *exports, *lines[head:]])


def refusal(text: str) -> str:
    """Why oarsub refused, without what it prints of every job."""
    noise = r"\[ADMISSION RULE\] (Modify|Automatically)|OAR_JOB_ID=|\[ERROR\] Oarsub failed|\s*$"
    return " ".join(line.strip() for line in text.splitlines() if not re.match(noise, line))


def parse_jobs(records: dict[str, dict[str, Any]], now: float) -> tuple[dict[str, Job], dict[str, str]]:
    """``oarstat -f -J`` as jobs by the id that we know, and under which id OAR has each now."""
    known: dict[str, str] = {}
    current: dict[str, str] = {}
    for job_id in sorted(records, key=int):
        record = records[job_id]
        before = str(record["resubmit_job_id"])
        if before != "0" and records.get(before, record)["owner"] == record["owner"]:
            known[job_id] = known.get(before, before)
        else:
            known[job_id] = job_id
        current[known[job_id]] = job_id  # the latest

    waiting: dict[str, list[str]] = defaultdict(list)
    for job_id, record in records.items():
        if record["state"] == "Waiting":
            waiting[record["queue"]].append(job_id)
    for ids in waiting.values():
        ids.sort(key=lambda job_id: (records[job_id]["scheduledStart"] or float("inf"), int(job_id)))

    jobs = {}
    for job_id, now_id in current.items():
        record = records[now_id]
        phase = _phase(record, now)
        place = waiting[record["queue"]].index(now_id) + 1 if record["state"] == "Waiting" else None
        hosts = record["assigned_network_address"]
        jobs[job_id] = Job(
            id=job_id, user=record["owner"], phase=phase, partition=record["queue"], position=place,
            reason=_reason(record, phase, place), node=hosts[0] if hosts else "",
            expected_start=record["scheduledStart"] if phase is Phase.PENDING else None)
    return jobs, current


def _events(record: dict[str, Any]) -> set[str]:
    return {event["type"] for event in record["events"]}


def _phase(record: dict[str, Any], now: float) -> Phase:
    phase = PHASES.get(record["state"], Phase.PENDING)
    events = _events(record)
    if phase is Phase.ENDED:
        # Called only for the last of a chain: OAR has not submitted this one again, but is about to.
        due = events & RESUBMITS and now - max(event["date"] for event in record["events"]) < RESUBMIT_GRACE
        return Phase.ENDING if due and record["state"] == "Error" else phase
    return Phase.ENDING if "FRAG_JOB_REQUEST" in events else phase


def _reason(record: dict[str, Any], phase: Phase, place: int | None) -> str:
    """Why it waits or why it ended, in words; nothing while it runs."""
    message = record["message"] or ""
    if phase is Phase.PENDING:
        if record["state"] == "Hold":
            return "it is on hold"
        if place is None:
            return "its node is being prepared"
        if "quota" in message and "quota_ok" not in message:
            return "you already hold as much as one person may"
        if record["scheduledStart"]:
            return "others are before you" if place > 1 else "all nodes that fit are busy"
        if message and not message.startswith("R="):  # "R=1,W=0:10:0,J=B" only repeats the request
            return f"OAR says: {message}"
        return "the nodes that fit are down or reserved" if "Karma" in message \
            else "the scheduler has not looked at it yet"
    if phase is not Phase.ENDED:
        return ""
    events = _events(record)
    for event, words in ENDED.items():
        if event in events:
            return words
    status = record["exit_code"]
    if status:  # a wait status: the exit code is in its upper byte, a signal in its lower
        return "its script failed" if status >> 8 else f"signal {status & 127} ended it"
    return "it ended by itself" if record["state"] == "Terminated" else "OAR ended it with an error"


def up(resources: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources that OAR would give to jobs, from ``oarnodes -J``."""
    return [each for each in resources.values()
            if each["state"] == "Alive" and each["type"] == "default" and each.get("drain", "NO") == "NO"]


def fits(resources: Iterable[dict[str, Any]], profile: Profile, busy: set[int]) -> int:
    """How many servers of ``profile`` fit on ``resources`` besides those that are ``busy``; see :func:`wanted`."""
    free: dict[str, dict[Any, bool]] = defaultdict(dict)
    unit = "gpu" if profile.gpus else "core"
    for each in resources:
        model = re.sub(r"\W", "_", (each.get("gpu_model") or "").lower())
        memory = each.get("mem")
        if bool(model) != bool(profile.gpus) or profile.gpu_model not in (None, model) \
                or (memory is not None and memory < profile.memory):
            continue
        # A GPU is free when all cores that come with it are.
        node, name = free[each["network_address"]], each[unit]
        node[name] = node.get(name, True) and each["resource_id"] not in busy
    return sum(sum(node.values()) // (profile.gpus or profile.cpus) for node in free.values())


def wanted(nprocs: int, memory: int, gpus: int, gpu_model: str = "") -> tuple[str, str]:
    """oarsub's ``-l`` (without the walltime) and ``-p``: on one node, and CPU jobs keep off the GPUs.

    A GPU comes with its cores. Sites write models their own way (``Tesla V100``): in SQL's LIKE the ``_`` of
    ``tesla_v100`` is any one character.
    """
    unit = f"gpu={gpus}" if gpus else f"core={nprocs}"
    model = f"lower(gpu_model) LIKE '{gpu_model}'" if gpu_model else f"gpu_model IS {'NOT ' if gpus else ''}NULL"
    return f"/nodes=1/{unit}", f"{model} AND (mem IS NULL OR mem >= {memory})"
