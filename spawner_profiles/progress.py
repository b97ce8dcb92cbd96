"""What the waiting page is told: one event for each thing that changed."""

from __future__ import annotations

import math
from typing import Any

from spawner_profiles.admission import Place
from spawner_profiles.jobs import Job, Phase
from spawner_profiles.words import _


def describe(job_id: str, job: Job | None, silent: bool, listening: bool, place: Place | None = None
             ) -> dict[str, Any]:
    """An event of JupyterHub's progress stream: ``progress`` in percent, ``message``, and for our page ``phase``
    (in_line, submitted, queued, starting, connecting) with what is known of ``job_id``, ``reason``, ``position``,
    ``seconds`` (in line: about how long still), ``expected_start`` (seconds since 1970) and ``node``. ``silent``
    is set while the scheduler does not answer.

    ``silent``: the scheduler did not answer when it was last asked; ``listening``: the server reported its port;
    ``place``: in the line before the scheduler.
    """
    if not job_id and place and (position := place.position):
        event = {"progress": 5, "phase": "in_line", "position": position}
        if not place.seconds or place.seconds < 1:
            return event | {"message": _("Your start is number {position} in line").format(position=position)}
        seconds = math.ceil(place.seconds)
        about = _("Your start is number {position} in line; about {seconds} s")
        return event | {"seconds": seconds, "message": about.format(position=position, seconds=seconds)}
    if job_id and listening:  # perhaps before the scheduler was asked at all
        return {"job_id": job_id, "progress": 90, "phase": "connecting",
                "message": _("JupyterLab answers; connecting you")} | ({"node": job.node} if job and job.node else {})
    if not job_id or (job is None and not silent):
        return {"progress": 10, "phase": "submitted", "message": _("Sending your job to the cluster")}
    event: dict[str, Any] = {"job_id": job_id}
    if silent or job is None:
        words = _("Job {job_id}: the scheduler does not answer; nothing is lost, we keep asking")
        return event | {"phase": "queued", "silent": True, "reason": _("the scheduler does not answer"),
                        "message": words.format(job_id=job_id)}
    if job.phase is Phase.PENDING:
        event |= {"progress": 25, "phase": "queued", "reason": job.reason, "position": job.position,
                  "message": _("Job {job_id} is in the queue: {reason} (place {position})").format(
                      job_id=job_id, reason=job.reason, position=job.position)}
        return event | ({"expected_start": job.expected_start} if job.expected_start else {})
    return event | {"node": job.node, "progress": 60, "phase": "starting",
                    "message": _("Job {job_id} runs on {node}; JupyterLab is starting").format(
                        job_id=job_id, node=job.node)}


def duration(seconds: float) -> str:
    """'2 h', '1 h 30 min', '10 min' or '45 s', for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
