"""What the waiting page is told: one event for each thing that changed."""

from __future__ import annotations

from typing import Any

from spawner_profiles.jobs import Job, Phase


def describe(job_id: str, job: Job | None, silent: bool, listening: bool) -> dict[str, Any]:
    """An event of JupyterHub's progress stream: ``progress`` in percent, ``message``, and for our page ``phase``
    (submitted, queued, starting, connecting) with what is known of ``job_id``, ``reason``, ``position``,
    ``expected_start`` (seconds since 1970) and ``node``.

    ``silent``: the scheduler did not answer when it was last asked; ``listening``: the server reported its port.
    """
    if not job_id or (job is None and not silent):
        return {"progress": 10, "phase": "submitted", "message": "Sending your job to the cluster"}
    event: dict[str, Any] = {"job_id": job_id}
    if silent or job is None:
        return event | {"phase": "queued", "reason": "the scheduler does not answer",
                        "message": f"Job {job_id}: the scheduler does not answer; nothing is lost, we keep asking"}
    if job.phase is Phase.PENDING:
        event |= {"progress": 25, "phase": "queued", "reason": job.reason, "position": job.position,
                  "message": f"Job {job_id} is in the queue: {job.reason} (place {job.position})"}
        return event | ({"expected_start": job.expected_start} if job.expected_start else {})
    event["node"] = job.node
    if not listening:
        return event | {"progress": 60, "phase": "starting",
                        "message": f"Job {job_id} runs on {job.node}; JupyterLab is starting"}
    return event | {"progress": 90, "phase": "connecting", "message": "JupyterLab answers; connecting you"}
