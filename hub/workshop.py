"""The one description of the day: workshop.yml, its schema and its defaults.

Everything that needs to know the workshop reads it through :func:`load`. A mistake ends with the file,
the line, the field and what was expected; an empty file is a workshop that runs.
"""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from hub.people import Person, read_people
from hub.problems import Problem, Problems
from spawner_profiles.profiles import DURATION, MEGABYTES, Profile


class Part(BaseModel):
    """A part of workshop.yml: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GpuNode(Part):
    """A GPU node of the embedded cluster, emulated on a machine without NVIDIA GPUs."""

    model: str = Field(pattern=r"^[a-z0-9_]+$", description="as Slurm writes it: rtx2080ti, a100")
    gpus: int = Field(2, ge=1, le=16)


class Cluster(Part):
    """The scheduler. ``embedded``: a private Slurm whose nodes are emulated on this machine."""

    kind: Literal["embedded"] = "embedded"
    cpu_nodes: int = Field(2, ge=1, le=16)
    gpu_nodes: tuple[GpuNode, ...] = (GpuNode(model="rtx2080ti"), GpuNode(model="a100"))
    node_cpus: int = Field(16, ge=1, le=256, description="CPUs of each node")
    node_memory: MEGABYTES = Field(16384, description="memory of each node")

    @property
    def partitions(self) -> tuple[str, ...]:
        """Names that a profile may ask for."""
        return ("cpu", "gpu") if self.gpu_nodes else ("cpu",)


class Data(Part):
    """What the course learns from."""

    mandrillus: Path | None = Field(None, description="the Mandrillus Face Database; none: synthetic faces")
    synthetic_photos: int = Field(3000, ge=200, le=100_000)


class Limits(Part):
    """What one person may use."""

    queue_wait: DURATION = Field(timedelta(hours=2), gt=timedelta(0),
                                 description="how long a start may wait in the queue")
    idle: DURATION = Field(timedelta(hours=1), ge=timedelta(0),
                           description="a server stops when nothing has run in it for so long; 0m: never")
    idle_gpu: DURATION = Field(timedelta(minutes=30), ge=timedelta(0), description="the same for profiles with a GPU")


DEFAULT_PROFILES = (
    Profile(key="cpu", title="CPU notebook", partition="cpu", cpus=2, memory=2048,
            description="For reading, plotting and small models. Starts at once on most days."),
    Profile(key="gpu", title="GPU notebook", partition="gpu", cpus=2, memory=4096, gpus=1, walltime=timedelta(hours=2),
            description="One GPU to yourself, for training. Stop it when you are done: others wait for it."),
)


class Workshop(Part):
    """workshop.yml."""

    title: str = Field("Deep learning on a GPU cluster", min_length=1, max_length=80)
    subtitle: str = Field("Predict a mandrill's age from a photo", max_length=160)
    language: Literal["en"] = "en"
    port: int = Field(8000, ge=1024, le=65000, description="of the address that people open; the next 40 are ours")
    listen: str = Field("127.0.0.1", description="address the proxy listens on; 0.0.0.0 for a class")
    cluster: Cluster = Cluster()
    profiles: tuple[Profile, ...] = Field(DEFAULT_PROFILES, min_length=1)
    attendees: Path = Field(Path("attendees.csv"), description="relative to workshop.yml")
    data: Data = Data()
    limits: Limits = Limits()

    @property
    def idle_limits(self) -> list[timedelta]:
        """All idle limits in force, of whatever profile."""
        return [self.limits.idle, self.limits.idle_gpu, *(p.idle for p in self.profiles if p.idle is not None)]

    @model_validator(mode="after")
    def _profiles_fit_the_cluster(self) -> Workshop:
        problems = []
        seen: set[str] = set()
        models = {node.model for node in self.cluster.gpu_nodes}
        for index, profile in enumerate(self.profiles):
            where = ("profiles", index)
            if profile.key in seen:
                problems.append((*where, "key", f"{profile.key!r} is used twice; expected a key of its own"))
            seen.add(profile.key)
            if profile.partition not in self.cluster.partitions:
                expected = ", ".join(self.cluster.partitions)
                problems.append((*where, "partition",
                                 f"no partition {profile.partition!r} in this cluster; expected one of: {expected}"))
            if profile.gpu_model and profile.gpu_model not in models:
                problems.append((*where, "gpu_model", f"no GPU node has a {profile.gpu_model!r}; "
                                 f"expected one of: {', '.join(sorted(models)) or 'none, there is no GPU node'}"))
            if profile.cpus > self.cluster.node_cpus:
                problems.append((*where, "cpus", f"{profile.cpus} CPUs fit on no node; expected at most "
                                 f"{self.cluster.node_cpus} (cluster.node_cpus)"))
            if profile.memory > self.cluster.node_memory:
                problems.append((*where, "memory", f"{profile.memory} MB fit on no node; expected at most "
                                 f"{self.cluster.node_memory} MB (cluster.node_memory)"))
            most = max((node.gpus for node in self.cluster.gpu_nodes
                        if profile.gpu_model in (None, node.model)), default=0)
            if profile.gpus > most and profile.gpu_model in models | {None}:
                problems.append((*where, "gpus", f"{profile.gpus} GPUs are on no node; expected at most {most}"))
        if problems:
            raise Misfit(problems)
        return self


class Misfit(Exception):
    """Fields that are right each by itself and wrong together: (*path, message) tuples."""

    def __init__(self, problems: list[tuple]):
        self.problems = problems


def load(path: Path, **overrides: Any) -> tuple[Workshop, list[Person]]:
    """Read and check workshop.yml and the attendees.csv it names.

    ``overrides`` (``port``; ``cpu_nodes`` and ``gpu_nodes`` of the cluster) replace what the file says unless
    they are None. Raises :class:`Problems` with every mistake found.
    """
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Problems([Problem(path, None, "", f"cannot be read: {error.strerror}")]) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Problems([Problem(path, mark and mark.line + 1, "", "is not YAML: "
                                f"{getattr(error, 'problem', None) or error}")]) from None
    except UnicodeDecodeError:
        raise Problems([Problem(path, None, "", "is not UTF-8 text")]) from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise Problems([Problem(path, 1, "", "expected keys such as `title:` and `profiles:`")])
    values = dict(document)
    port, cluster = overrides.pop("port", None), {k: v for k, v in overrides.items() if v is not None}
    if port is not None:
        values["port"] = port
    if cluster:
        values["cluster"] = {**(values.get("cluster") or {}), **cluster}
    try:
        workshop = Workshop.model_validate(values)
    except ValidationError as error:
        details = error.errors()
        places = [detail["loc"] for detail in details]
        # pydantic also calls a list too short whose only items have mistakes of their own.
        raise Problems([_problem(path, document, detail["loc"], _words(detail)) for detail in details
                        if detail["type"] != "too_short" or sum(place[:1] == detail["loc"] for place in places) == 1
                        ]) from None
    except Misfit as error:
        raise Problems([_problem(path, document, where[:-1], where[-1]) for where in error.problems]) from None
    photos = workshop.data.mandrillus
    if photos and not (photos.is_absolute() and photos.is_dir()):
        raise Problems([_problem(path, document, ("data", "mandrillus"), f"'{photos}' is no directory; expected the "
                                 "whole path of the one that holds the database's CSV and Images/")])
    attendees = path.parent / workshop.attendees
    if not attendees.exists() and "attendees" not in document:
        attendees = Path(__file__).parent / "defaults/attendees.csv"
    return workshop, read_people(attendees)


def _problem(path: Path, document: Any, location: tuple, message: str) -> Problem:
    """Name the field as a path, and find its line, or that of the nearest parent that the file has."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    line, node = None, document
    for part in location:
        position = getattr(node, "lc", None)
        try:
            found = position.item(part) if isinstance(part, int) else position.key(part)
            line, node = found[0] + 1, node[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return Problem(path, line, field, message)


def _meant(key: str) -> str:
    """'; did you mean …' for a key that looks like one of ours."""
    ours = {name for part in (Workshop, Cluster, GpuNode, Profile, Data, Limits) for name in part.model_fields}
    close = get_close_matches(key, ours, n=1)
    return f", did you mean {close[0]!r}" if close else ""


def _words(detail: dict) -> str:
    """A pydantic error in the words of someone who writes YAML."""
    if detail["type"] == "extra_forbidden":
        return f"unknown key{_meant(str(detail['loc'][-1]))}; hub/README.md lists the keys"
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    value = detail.get("input")
    shown = f"{value!r}: " if isinstance(value, (str, int, float, bool)) else ""
    return shown + message
