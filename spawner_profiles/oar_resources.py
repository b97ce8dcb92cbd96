"""What an OAR cluster has and what a profile asks of it, in the names that the site gives its properties (oarnodes(1)).

OAR gives no share of the memory away: a profile's is what its node must have in all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from spawner_profiles.jobs import Capacity
from spawner_profiles.profiles import Profile

PROPERTY = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Properties(BaseModel):
    """Names of the properties that sites choose; ``core`` and ``gpu``, which OAR itself needs, are the same everywhere.

    Grid'5000 has ``memnode`` and ``gpu_model``: lib/refrepo/gen/oar-properties.rb in its reference-repository.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory: PROPERTY | None = Field("mem", description="megabytes of the node; none: this site has no such property")
    gpu_model: PROPERTY | None = Field("gpu_model", description="empty on nodes without GPUs; none: no node has any")


def up(resources: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources that OAR would give to jobs, from ``oarnodes -J``."""
    return [each for each in resources.values()
            if each["state"] == "Alive" and each["type"] == "default" and each.get("drain", "NO") == "NO"]


def model_of(resource: dict[str, Any], properties: Properties) -> str:
    """A resource's GPU model as profiles write it (``tesla_v100``); empty where there is none."""
    model = str(resource.get(properties.gpu_model or "") or "").lower()
    return "" if model == "none" else re.sub(r"\W", "_", model)


@dataclass(frozen=True)
class Holder:
    """A job that has resources (their numbers), or will have them when its reservation begins."""

    id: str
    types: frozenset[str]
    running: bool
    resources: frozenset[int]


def holder(job_id: str, record: dict[str, Any]) -> Holder:
    """From one job of ``oarstat -J``."""
    running = record["state"] != "Waiting"
    numbers = record["assigned_resources"] if running else record.get("reserved_resources", ())
    return Holder(job_id, frozenset(record["types"]), running, frozenset(map(int, numbers)))


def capacity_of(resources: list[dict[str, Any]], holders: Iterable[Holder], profile: Profile,
                properties: Properties) -> Capacity:
    """What ``profile`` finds now and on the empty cluster, or within its reservation: OAR's container job.

    Besteffort jobs are in nobody's way but each other's.
    """
    running = [each for each in holders if each.running]
    inside = next((each for each in holders if each.id == profile.reservation), None)
    if profile.reservation:
        resources = [each for each in resources if inside and each["resource_id"] in inside.resources]
        running = [each for each in running if each is not inside]
    busy = {number for each in running if profile.besteffort or "besteffort" not in each.types
            for number in each.resources}
    begun = inside is None or inside.running
    return Capacity(free=fits(resources, profile, busy, properties) if begun else 0,
                    total=fits(resources, profile, set(), properties))


def fits(resources: Iterable[dict[str, Any]], profile: Profile, busy: set[int],
         properties: Properties = Properties()) -> int:
    """How many servers of ``profile`` fit on ``resources`` besides those that are ``busy``; see :func:`wanted`."""
    free: dict[str, dict[Any, bool]] = defaultdict(dict)
    unit = "gpu" if profile.gpus else "core"
    for each in resources:
        model = model_of(each, properties)
        memory = each.get(properties.memory or "")
        if bool(model) != bool(profile.gpus) or profile.gpu_model not in (None, model) \
                or (memory is not None and memory < profile.memory):
            continue
        # A GPU is free when all cores that come with it are.
        node, name = free[each["network_address"]], each[unit]
        node[name] = node.get(name, True) and each["resource_id"] not in busy
    return sum(sum(node.values()) // (profile.gpus or profile.cpus) for node in free.values())


def wanted(nprocs: int, memory: int, gpus: int, gpu_model: str = "",
           properties: Properties = Properties()) -> tuple[str, str]:
    """oarsub's ``-l`` (without the walltime) and ``-p``: on one node, and CPU jobs keep off the GPUs.

    A GPU comes with its cores. Sites write models their own way (``Tesla V100``): in SQL's LIKE the ``_`` of
    ``tesla_v100`` is any one character.
    """
    conditions = []
    if name := properties.gpu_model:
        conditions = [f"lower({name}) LIKE '{gpu_model}'" if gpu_model
                      else f"{name} NOT IN ('', 'none')" if gpus else f"({name} IS NULL OR {name} IN ('', 'none'))"]
    if name := properties.memory:
        conditions.append(f"({name} IS NULL OR {name} >= {memory})")
    return f"/nodes=1/{f'gpu={gpus}' if gpus else f'core={nprocs}'}", " AND ".join(conditions)
