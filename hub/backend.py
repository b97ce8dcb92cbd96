"""From workshop.yml's ``cluster`` to its scheduler: job class, who reaches whom, the environment of the commands."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.clusters import Cluster, OarCluster, SlurmCluster
from hub.layout import Layout
from hub.problems import Stop
from hub.supervisor_config import PATH
from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.jobs import Phase, SchedulerSilent
from spawner_profiles.oar import Oar
from spawner_profiles.oar_job import OarJobSpawner
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler
from spawner_profiles.slurm import Slurm
from spawner_profiles.slurm_job import SlurmJobSpawner

OAR_PROGRAMS = ("oarsub", "oarstat", "oardel", "oarnodes")
SLURM_PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo")


@dataclass(frozen=True)
class Backend:
    """How this hub uses its cluster. The embedded one is all on this machine, and so is everything by default."""

    name: str
    job_class: type[JobSpawner]
    scheduler: Scheduler
    #: Of this hub alone, on this cluster alone: the mark of its jobs begins with it.
    hub_id: str
    #: What the scheduler's commands need, in the hub and in jobs.
    environment: dict[str, str] = field(default_factory=dict)
    #: Where servers listen, and where the hub reaches them; '': at the name of their node.
    server_ip: str = "127.0.0.1"
    server_address: str = "127.0.0.1"
    #: Where the hub's API listens, and where jobs reach it.
    hub_ip: str = "127.0.0.1"
    hub_address: str = "127.0.0.1"


def backend(layout: Layout, cluster: Cluster) -> Backend:
    """The one place that tells the kinds of clusters apart for the hub and the command line."""
    if isinstance(cluster, OarCluster):
        return Backend("OAR", OarJobSpawner, Oar(cluster.properties), f"{layout.instance}-oar", **_apart(cluster))
    if isinstance(cluster, SlurmCluster):
        return Backend("Slurm", SlurmJobSpawner, Slurm(), f"{layout.instance}-slurm",
                       environment={"SLURM_CONF": str(cluster.conf)}, **_apart(cluster))
    return Backend("Slurm", SlurmJobSpawner, Slurm(), layout.instance,
                   environment={"SLURM_CONF": str(layout.slurm_conf)})


def commands(layout: Layout, cluster: Cluster) -> Backend:
    """The same for a command of this process, whose environment it changes."""
    its = backend(layout, cluster)
    os.environ.update(its.environment)
    return its


def _apart(cluster: OarCluster | SlurmCluster) -> dict[str, str]:
    """Nodes are other machines. The hub listens everywhere: its own name may be 127.0.1.1 to this machine."""
    return {"server_ip": "0.0.0.0", "server_address": "", "hub_ip": "0.0.0.0",
            "hub_address": cluster.hub_address or socket.getfqdn()}


def check_installed(cluster: Cluster) -> None:
    """Raises Stop where this machine lacks what an existing cluster's users need; nothing is changed."""
    if isinstance(cluster, OarCluster):
        _check_programs("oar", OAR_PROGRAMS, "install OAR's user commands (Debian: oar-user, oar-user-pgsql or "
                        "oar-user-mysql, and libjson-perl) and copy /etc/oar/oar.conf from the cluster's frontend")
    if isinstance(cluster, SlurmCluster):
        if not cluster.conf.is_file():
            raise Stop(f"cluster.conf: there is no {cluster.conf} on this machine.\n"
                       "Next: copy it, and munge's key, from the cluster's login node, or name the file in "
                       "workshop.yml: `cluster: {kind: slurm, conf: …}`.")
        _check_programs("slurm", SLURM_PROGRAMS, "install Slurm's commands as on the cluster's login node "
                        "(Debian: slurm-client)")


def _check_programs(kind: str, programs: Iterable[str], next_step: str) -> None:
    missing = [name for name in programs if not shutil.which(name, path=PATH)]
    if missing:
        raise Stop(f"cluster.kind is {kind}, but this machine has no {', '.join(missing)}.\nNext: {next_step}.")


async def unfit(its: Backend, profiles: Iterable[Profile]) -> list[Profile]:
    """Ask the cluster once; the profiles that fit on none of its nodes. Raises Stop if it gives no answer."""
    try:
        if isinstance(its.scheduler, Oar):
            await _check_properties(its.scheduler)
        found = await its.scheduler.capacity(profiles)
    except SchedulerSilent as error:
        raise Stop(f"{its.name} does not answer: {error}\nNext: see whether "
                   f"`{'oarstat' if its.name == 'OAR' else 'squeue'}` works on this machine.") from None
    return [profile for profile in profiles if not found[profile.key].total]


async def _check_properties(oar: Oar) -> None:
    there = await oar.property_names()
    for key, name in oar.properties:
        if name and there and name not in there:
            raise Stop(f"cluster.properties.{key}: the resources of this OAR have no property {name!r}; they have: "
                       f"{', '.join(sorted(there))}.\nNext: name the right one in workshop.yml, or `null` if there "
                       "is none.")


async def cancel_all(its: Backend, limit_s: float = 60) -> None:
    """Cancel this hub's jobs and wait until they have ended. Raises SchedulerSilent, and Stop for jobs that do not."""
    left = [job_id for job_id, (_, mark) in (await its.scheduler.marked()).items()
            if mark.startswith(f"{its.hub_id}/")]
    for job_id in left:
        await its.scheduler.cancel(job_id)
    end = time.monotonic() + limit_s
    while left:
        if time.monotonic() > end:
            raise Stop(f"Jobs do not end: {' '.join(left)}.\nNext: ask those who run the cluster.")
        await asyncio.sleep(0.5)
        jobs = await its.scheduler.jobs(0)
        left = [job_id for job_id in left if job_id in jobs and jobs[job_id].phase is not Phase.ENDED]
