"""Ending all notebook servers of a hub: for `down`, and when workshop.yml names another kind of cluster."""

from __future__ import annotations

import asyncio

from rich.markup import escape

from hub.backend import cancel_all, commands
from hub.clusters import EmbeddedCluster
from hub.daemons import Daemons
from hub.embedded.slurm import EmbeddedSlurm
from hub.layout import Layout
from hub.running import Running
from hub.terminal import console, step
from spawner_profiles.jobs import SchedulerSilent


def leave_former_cluster(layout: Layout, running: Running, supervisor: Daemons) -> None:
    """workshop.yml names another kind of cluster than the one that runs: its servers end."""
    if not supervisor.running() or not layout.running.exists():
        return
    kind = Running.kind(layout)
    if kind != running.workshop.cluster.kind:
        former = Running.read(layout)
        with step(f"leaving the cluster of before ({kind})"):
            supervisor.stop("hub")
            stop_servers(layout, former)
            supervisor.stop_all(lambda text: None)
            remove_traces(layout, former)


def stop_servers(layout: Layout, running: Running) -> None:
    """End all notebook servers of this hub; the hub itself is stopped already."""
    cluster = running.workshop.cluster
    if isinstance(cluster, EmbeddedCluster):
        EmbeddedSlurm(layout, cluster, running.workshop.port).drain(lambda text: None)
        return
    its = commands(layout, running.workshop.cluster)
    try:
        asyncio.run(cancel_all(its))
    except SchedulerSilent as error:
        console.print(f"[yellow]{its.name} does not answer, so servers may run on until their time is over[/]: "
                      f"{escape(str(error))}. Once it does, `make up` finds them again.")


def remove_traces(layout: Layout, running: Running) -> None:
    """After the embedded cluster's daemons have stopped."""
    cluster = running.workshop.cluster
    if isinstance(cluster, EmbeddedCluster):
        EmbeddedSlurm(layout, cluster, running.workshop.port).remove_cgroups()
