"""Cancels the jobs of this hub that nobody owns: those of a start that the hub does not remember."""

from __future__ import annotations

import asyncio
import logging

from jupyterhub.app import JupyterHub

from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.jobs import SchedulerSilent
from spawner_profiles.scheduler import Scheduler

log = logging.getLogger("jupyterhub")
PERIOD_S = 60


async def reap(scheduler: Scheduler, hub_id: str) -> list[str]:
    """Cancel what carries a mark of this hub and belongs to no spawner; returns the ids.

    A mark is only what a user's job says of itself, so a job that a spawner knows by its id is never touched.
    """
    jobs = await scheduler.marked()
    # After the query, not before: a start that began meanwhile has its mark since before its job exists.
    marks = {spawner.req_mark for spawner in JobSpawner.known}
    ids = {spawner.job_id for spawner in JobSpawner.known}
    orphans = [job_id for job_id, (_, mark) in jobs.items()
               if mark.startswith(f"{hub_id}/") and mark not in marks and job_id not in ids]
    for job_id in orphans:
        log.warning("Cancelling job %s of %s: it is of this hub and nobody owns it", job_id, jobs[job_id][0])
        await scheduler.cancel(job_id)
    return orphans


def start(scheduler: Scheduler, hub_id: str) -> asyncio.Task | None:
    """Reap for as long as the hub runs. Called while it reads its configuration, in its event loop.

    ``hub_id`` must be this hub's alone on the cluster: jobs with its mark that it does not know are cancelled.
    """
    try:
        return asyncio.get_running_loop().create_task(_every_minute(scheduler, hub_id))
    except RuntimeError:  # `jupyterhub upgrade-db` and the like read the configuration too, and run no hub
        return None


async def _every_minute(scheduler: Scheduler, hub_id: str) -> None:
    # The hub listens only after it has loaded every server that its database knows. Before, all would look orphaned.
    while not JupyterHub.instance().http_server:
        await asyncio.sleep(0.5)
    while True:
        try:
            await reap(scheduler, hub_id)
        except SchedulerSilent as error:
            log.warning("Not looking for jobs without an owner: %s", error)
        except Exception:
            log.exception("Looking for jobs without an owner failed; trying again in a minute")
        await asyncio.sleep(PERIOD_S)
