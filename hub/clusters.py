"""The clusters that workshop.yml can name: one of our own on this machine, or an OAR or a Slurm that is there already.

Each knows which queues or partitions its profiles may name, and what it can tell of a profile that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from spawner_profiles.oar_resources import Properties
from spawner_profiles.profiles import MEGABYTES, Profile


class Part(BaseModel):
    """A part of workshop.yml: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GpuNode(Part):
    """A GPU node of the embedded cluster, emulated on a machine without NVIDIA GPUs."""

    model: str = Field(pattern=r"^[a-z0-9_]+$", description="as Slurm writes it: rtx2080ti, a100")
    gpus: int = Field(2, ge=1, le=16)


class EmbeddedCluster(Part):
    """A private Slurm whose nodes are emulated on this machine."""

    kind: Literal["embedded"] = "embedded"
    cpu_nodes: int = Field(2, ge=1, le=16)
    gpu_nodes: tuple[GpuNode, ...] = (GpuNode(model="rtx2080ti"), GpuNode(model="a100"))
    node_cpus: int = Field(16, ge=1, le=256, description="CPUs of each node")
    node_memory: MEGABYTES = Field(16384, description="memory of each node")

    @property
    def partitions(self) -> tuple[str, ...]:
        """Names that a profile may ask for."""
        return ("cpu", "gpu") if self.gpu_nodes else ("cpu",)

    def misfits(self, profile: Profile) -> Iterator[tuple[str, str]]:
        """(field, message) for all that no node of this cluster could give."""
        if profile.besteffort:
            yield "besteffort", "the embedded cluster takes no job away from anyone; expected cluster.kind: oar"
        for field in ("qos", "account"):
            if getattr(profile, field):
                yield field, "the embedded cluster has no accounting and would ignore it; expected none"
        models = {node.model for node in self.gpu_nodes}
        if profile.gpu_model and profile.gpu_model not in models:
            yield "gpu_model", (f"no GPU node has a {profile.gpu_model!r}; "
                                f"expected one of: {', '.join(sorted(models)) or 'none, there is no GPU node'}")
        if profile.cpus > self.node_cpus:
            yield "cpus", f"{profile.cpus} CPUs fit on no node; expected at most {self.node_cpus} (cluster.node_cpus)"
        if profile.memory > self.node_memory:
            yield "memory", (f"{profile.memory} MB fit on no node; expected at most {self.node_memory} MB "
                             "(cluster.node_memory)")
        most = max((node.gpus for node in self.gpu_nodes if profile.gpu_model in (None, node.model)), default=0)
        if profile.gpus > most and profile.gpu_model in models | {None}:
            yield "gpus", f"{profile.gpus} GPUs are on no node; expected at most {most}"


#: A name or an address, as one writes it in a URL.
HOST = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")]


class ExistingCluster(Part):
    """A cluster that is there already: we submit to it and start no part of it."""

    hub_address: HOST | None = Field(None, description="of this machine, as the cluster's nodes reach it; "
                                                       "none: its full name")

    def misfits(self, profile: Profile) -> Iterator[tuple[str, str]]:
        """(field, message); what fits on its nodes only the cluster itself can tell: see Backend.check."""
        yield from ()


class OarCluster(ExistingCluster):
    """OAR 2.5. What it calls a queue is a profile's partition."""

    kind: Literal["oar"]
    queues: tuple[str, ...] = Field(("default",), min_length=1, description="that profiles may name as `partition`")
    properties: Properties = Field(Properties(), description="what this site calls the properties that we ask for")

    @property
    def partitions(self) -> tuple[str, ...]:
        return self.queues

    def misfits(self, profile: Profile) -> Iterator[tuple[str, str]]:
        for field in ("qos", "account"):
            if getattr(profile, field):
                yield field, "is Slurm's, and OAR would not be told; expected none"
        if profile.gpu_model and not self.properties.gpu_model:
            yield "gpu_model", "needs a property to ask for; cluster.properties.gpu_model is null"
        if profile.reservation and not profile.reservation.isdecimal():
            yield "reservation", (f"{profile.reservation!r}: expected the number of a container job "
                                  "(oarsub -t container)")


class SlurmCluster(ExistingCluster):
    """Slurm, by its commands."""

    kind: Literal["slurm"]
    conf: Path = Path("/etc/slurm/slurm.conf")
    partitions: tuple[str, ...] = Field((), description="that profiles may name; none given: any, Slurm will tell")

    def misfits(self, profile: Profile) -> Iterator[tuple[str, str]]:
        if profile.besteffort:
            yield "besteffort", ("Slurm has no such jobs; expected a partition or a QOS that others may take nodes "
                                 "from (PreemptMode)")


CLUSTERS: dict[str, type[Part]] = {"embedded": EmbeddedCluster, "oar": OarCluster, "slurm": SlurmCluster}


def _kind(value: Any) -> Any:
    return value.get("kind", "embedded") if isinstance(value, dict) else getattr(value, "kind", "embedded")


Cluster = Annotated[
    Annotated[EmbeddedCluster, Tag("embedded")] | Annotated[OarCluster, Tag("oar")]
    | Annotated[SlurmCluster, Tag("slurm")],
    Discriminator(_kind, custom_error_type="kind", custom_error_message=f"expected one of: {', '.join(CLUSTERS)}")]
