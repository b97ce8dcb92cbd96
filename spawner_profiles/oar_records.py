"""What oarstat tells of jobs, as :class:`spawner_profiles.jobs.Job`.

Sources: oarstat(1) and, for events and resubmission, OAR's own NodeChangeState.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from spawner_profiles.jobs import Job, Phase
from spawner_profiles.private_file import FOLDER
from spawner_profiles.words import N_, _

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
#: The type that oar_rules/gpus_per_person.pl gives to jobs with GPUs.
CAPPED = "gpus_of_a_person"
#: Seconds that we wait for OAR to do so; it takes less than one.
RESUBMIT_GRACE = 15
#: An event of an ended job, in words. The first that is found counts: OAR kills for many reasons, and always by FRAG.
ENDED = {
    "WALLTIME": N_("its time was over"),
    "BESTEFFORT_KILL": N_("a job of higher priority took its place"),
    **dict.fromkeys(RESUBMITS, N_("its node failed")),
    "EXTERMINATE_JOB": N_("its node failed"),
    "FRAG_JOB_REQUEST": N_("it was cancelled"),
}


def ours(now: float) -> str:
    """SQL: our jobs that have not ended, or did in the last hour; resubmitted ones longer, to follow them."""
    hour, month = int(now) - 3600, int(now) - 30 * 86400
    return (f"command LIKE '%/{FOLDER}/job-%' AND (state NOT IN ('Terminated', 'Error') OR stop_time > {hour}"
            f" OR submission_time > {hour} OR (resubmit_job_id <> 0 AND stop_time > {month}))")


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

    # OAR plans a job that a quota holds back for when it may run, and does not say that it was the quota.
    holders = {record["owner"] for record in records.values()
               if CAPPED in record["types"] and PHASES.get(record["state"]) is Phase.RUNNING}
    jobs = {}
    for job_id, now_id in current.items():
        record = records[now_id]
        phase = _phase(record, now)
        place = waiting[record["queue"]].index(now_id) + 1 if record["state"] == "Waiting" else None
        hosts = record["assigned_network_address"]
        jobs[job_id] = Job(
            id=job_id, user=record["owner"], phase=phase, partition=record["queue"], position=place,
            reason=_reason(record, phase, place, record["owner"] in holders), node=hosts[0] if hosts else "",
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


def _reason(record: dict[str, Any], phase: Phase, place: int | None, enough: bool) -> str:
    """Why it waits or why it ended, in words; nothing while it runs. ``enough``: its owner has what the cap gives."""
    message = record["message"] or ""
    if phase is Phase.PENDING:
        if record["state"] == "Hold":
            return _("it is on hold")
        if place is None:
            return _("its node is being prepared")
        if (enough and CAPPED in record["types"]) or ("quota" in message and "quota_ok" not in message):
            return _("you already hold as much as one person may")
        if "no_matching_slot" in message and any(each.startswith("inner=") for each in record["types"]):
            return _("its reservation does not last as long, or has no such node")
        if record["scheduledStart"]:
            return _("others are before you") if place > 1 else _("all nodes that fit are busy")
        if message and not message.startswith("R="):  # "R=1,W=0:10:0,J=B" only repeats the request
            return _("OAR says: {message}").format(message=message)
        return _("the nodes that fit are down or reserved") if "Karma" in message \
            else _("the scheduler has not looked at it yet")
    if phase is not Phase.ENDED:
        return ""
    events = _events(record)
    for event, words in ENDED.items():
        if event in events:
            return _(words)
    status = record["exit_code"]
    if status:  # a wait status: the exit code is in its upper byte, a signal in its lower
        return _("its script failed") if status >> 8 else _("signal {number} ended it").format(number=status & 127)
    return _("it ended by itself") if record["state"] == "Terminated" else _("OAR ended it with an error")
