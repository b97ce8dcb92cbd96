"""The one description of the day: workshop.yml, its schema and its defaults.

Everything that needs to know the workshop reads it through :func:`load`. A mistake ends with the file,
the line, the field and what was expected; an empty file is a workshop that runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from ruamel.yaml import YAML, YAMLError

from hub import courses
from hub.clusters import CLUSTERS, Cluster, EmbeddedCluster, GpuNode, Part
from hub.courses import Course
from hub.people import LOGIN, Person, read_people
from hub.problems import Problem, Problems
from kernels import build as kernels
from spawner_profiles.profiles import DURATION, MEGABYTES, WALLTIME, Profile
from spawner_profiles.words import N_

#: The kernel that the course's notebooks name.
COURSE_KERNEL = "pytorch"


class Data(Part):
    """What the course learns from."""

    mandrillus: Path | None = Field(None, description="the Mandrillus Face Database; none: synthetic faces")
    synthetic_photos: int = Field(3000, ge=200, le=100_000)


class Kernel(Part):
    """A kernel that notebooks can run in; a name alone stands for ``{name: …}``."""

    name: str
    image: bool = Field(False, description="run it from an Apptainer image, which is made of its environment")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, Kernel)) else {"name": value}


class Limits(Part):
    """What one person may use."""

    gpus: int = Field(1, ge=0, description="GPUs that one person may hold at a time; further jobs wait")
    queue_wait: DURATION = Field(timedelta(hours=2), gt=timedelta(0),
                                 description="how long a start may wait in the queue")
    idle: DURATION = Field(timedelta(hours=1), ge=timedelta(0),
                           description="a server stops when nothing has run in it for so long; 0m: never")
    idle_gpu: DURATION = Field(timedelta(minutes=30), ge=timedelta(0), description="the same for profiles with a GPU")


class Grading(Part):
    """The jobs in which submitted notebooks are executed, each in a sandbox."""

    account: str = Field("grader-sandbox", pattern=f"^{LOGIN.pattern}$", description="whose jobs they are: an account "
                         "that owns nothing")
    partition: str | None = Field(None, description="none: that of the first profile without GPUs; so are these")
    cpus: int | None = Field(None, ge=1)
    memory: MEGABYTES | None = Field(None, description="megabytes, or 2G")
    walltime: WALLTIME = Field(timedelta(minutes=30), validate_default=True)

    def profile(self, workshop: Workshop) -> Profile:
        """What such a job asks for."""
        plain = next((profile for profile in workshop.profiles if not profile.gpus), workshop.profiles[0])
        return Profile(key="grading", title="Grading", partition=self.partition or plain.partition,
                       cpus=self.cpus or plain.cpus, memory=self.memory or plain.memory, walltime=self.walltime)


class Reservation(Part):
    """The time in which the embedded cluster's nodes are the workshop's people's alone, in this machine's time."""

    start: datetime = Field(description="such as 2026-11-24T09:00")
    end: datetime

    @field_validator("start", "end", mode="before")
    @classmethod
    def _a_date_and_a_time(cls, value: Any) -> Any:
        if isinstance(value, str):
            with suppress(ValueError):
                value = datetime.fromisoformat(value)
        if not isinstance(value, datetime) or value.tzinfo:
            raise ValueError("expected a date and a time of this machine such as 2026-11-24T09:00")
        return value

    @field_validator("end")
    @classmethod
    def _ends_after_it_starts(cls, value: datetime, info: ValidationInfo) -> datetime:
        if "start" in info.data and value <= info.data["start"]:
            raise ValueError(f"expected a time after the start, {info.data['start']:%Y-%m-%dT%H:%M}")
        return value


DEFAULT_PROFILES = (
    Profile(key="cpu", title=N_("CPU notebook"), partition="cpu", cpus=2, memory=2048,
            description=N_("For reading, plotting and small models. Starts at once on most days.")),
    Profile(key="gpu", title=N_("GPU notebook"), partition="gpu", cpus=2, memory=4096, gpus=1,
            walltime=timedelta(hours=2),
            description=N_("One GPU to yourself, for training. Stop it when you are done: others wait for it.")),
)


def _default_profiles(earlier: dict[str, Any]) -> tuple[Profile, ...]:
    """A CPU and a GPU notebook, in the first queue of a cluster that has none of these names."""
    names = earlier["cluster"].partitions if "cluster" in earlier else ()
    return tuple(profile if profile.partition in names or not names
                 else profile.model_copy(update={"partition": names[0]}) for profile in DEFAULT_PROFILES)


class Workshop(Part):
    """workshop.yml."""

    title: str = Field(N_("Deep learning on a GPU cluster"), min_length=1, max_length=80)
    subtitle: str = Field(N_("Predict a mandrill's age from a photo"), max_length=160)
    language: Literal["en", "fr"] = "en"
    port: int = Field(8000, ge=1024, le=65000, description="of the address that people open; the next 40 are ours")
    listen: str = Field("127.0.0.1", description="address the proxy listens on; 0.0.0.0 for a class")
    cluster: Cluster = EmbeddedCluster()
    profiles: tuple[Profile, ...] = Field(default_factory=_default_profiles, min_length=1)
    attendees: Path = Field(Path("attendees.csv"), description="relative to workshop.yml")
    courses: tuple[Course, ...] = (Course(name=courses.OURS),)
    data: Data = Data()
    kernels: tuple[Kernel, ...] = Field((Kernel(name=COURSE_KERNEL),), description="folders of kernels/")
    limits: Limits = Limits()
    grading: Grading = Grading()
    reservation: Reservation | None = Field(None, description="of the embedded cluster; elsewhere: profiles name it")

    @property
    def accounts(self) -> dict[str, str]:
        """The accounts that are nobody's: what each is for, by login."""
        return {self.grading.account: "sandbox of submitted notebooks",
                **{course.account: f"course {course.name}" for course in self.courses}}

    @property
    def idle_limits(self) -> list[timedelta]:
        """All idle limits in force, of whatever profile."""
        return [self.limits.idle, self.limits.idle_gpu, *(p.idle for p in self.profiles if p.idle is not None)]

    @model_validator(mode="after")
    def _profiles_fit_the_cluster(self) -> Workshop:
        problems = self._kernel_problems() + list(courses.problems(self.courses))
        seen: set[str] = set()
        partitions = self.cluster.partitions
        for index, profile in enumerate(self.profiles):
            where = ("profiles", index)
            if profile.key in seen:
                problems.append((*where, "key", f"{profile.key!r} is used twice; expected a key of its own"))
            seen.add(profile.key)
            if partitions and profile.partition not in partitions:
                problems.append((*where, "partition", f"no partition {profile.partition!r} in this cluster; "
                                                      f"expected one of: {', '.join(partitions)}"))
            problems += [(*where, field, message) for field, message in self.cluster.misfits(profile)]
        profile = self.grading.profile(self)
        if partitions and self.grading.partition and profile.partition not in partitions:
            problems.append(("grading", "partition", f"no partition {profile.partition!r} in this cluster; "
                             f"expected one of: {', '.join(partitions)}"))
        problems += [("grading", field, message) for field, message in self.cluster.misfits(profile)
                     if getattr(self.grading, field, None)]
        if self.grading.account in [course.account for course in self.courses]:
            problems.append(("grading", "account", f"{self.grading.account!r} is a course's; expected one that owns "
                             "nothing"))
        if problems:
            raise Misfit(problems)
        return self

    @model_validator(mode="after")
    def _what_the_cluster_can_enforce(self) -> Workshop:
        problems = []
        embedded = isinstance(self.cluster, EmbeddedCluster)
        for index, profile in enumerate(self.profiles):
            if embedded and profile.gpus > self.limits.gpus:
                problems.append(("profiles", index, "gpus", f"{profile.gpus} GPUs are more than one person may hold; "
                                 f"expected at most {self.limits.gpus} (limits.gpus)"))
        if self.reservation and not embedded:
            problems.append(("reservation", "only the embedded cluster's is made here; expected the name of one "
                             "that the cluster's admin made, as `reservation` of the profiles"))
        if self.limits.gpus != Limits().gpus and not embedded:
            problems.append(("limits", "gpus", "only the embedded cluster's is enforced here; expected none: "
                             "spawner_profiles/README.md shows how a cluster's admin caps GPUs"))
        if problems:
            raise Misfit(problems)
        return self

    def _kernel_problems(self) -> list[tuple]:
        known, names = kernels.names(), [kernel.name for kernel in self.kernels]
        problems = []
        for index, name in enumerate(names):
            if name not in known:
                problems.append(("kernels", index, f"no kernel {name!r}; expected one of: {', '.join(known)} "
                                 "(the folders of kernels/)"))
            elif name in names[:index]:
                problems.append(("kernels", index, f"{name!r} is there twice; expected each kernel once"))
        if COURSE_KERNEL not in names:
            problems.append(("kernels", f"{COURSE_KERNEL!r} is missing; expected it among them: the course runs in it"))
        return problems


class Misfit(Exception):
    """Fields that are right each by itself and wrong together: (*path, message) tuples."""

    def __init__(self, problems: list[tuple]):
        self.problems = problems


def load(path: Path, **overrides: Any) -> tuple[Workshop, list[Person]]:
    """Read and check workshop.yml and the attendees.csv it names.

    ``overrides`` (``port``; ``cpu_nodes`` and ``gpu_nodes`` of an embedded cluster) replace what the file says unless
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
    port, nodes = overrides.pop("port", None), {k: v for k, v in overrides.items() if v is not None}
    if port is not None:
        values["port"] = port
    cluster = values.get("cluster") or {}
    if isinstance(cluster, dict) and cluster.get("kind", "embedded") == "embedded":
        values["cluster"] = {**cluster, **nodes}
    if isinstance(values.get("courses"), list):
        values["courses"] = [{**course, "source": str(path.resolve().parent / course["source"])}
                             if isinstance(course, dict) and isinstance(course.get("source"), str) else course
                             for course in values["courses"]]
    try:
        workshop = Workshop.model_validate(values)
    except ValidationError as error:
        details = [detail for detail in error.errors() if detail["type"] != "default_factory_not_called"]
        for detail in details:
            detail["loc"] = _place(detail)
        places = [detail["loc"] for detail in details]
        # pydantic also calls a list too short whose only items have mistakes of their own.
        raise Problems([_problem(path, document, detail["loc"], _words(detail)) for detail in details
                        if detail["type"] != "too_short" or sum(place[:len(detail["loc"])] == detail["loc"]
                                                             for place in places) == 1]) from None
    except Misfit as error:
        raise Problems([_problem(path, document, where[:-1], where[-1]) for where in error.problems]) from None
    photos = workshop.data.mandrillus
    if photos and not (photos.is_absolute() and photos.is_dir()):
        raise Problems([_problem(path, document, ("data", "mandrillus"), f"'{photos}' is no directory; expected the "
                                 "whole path of the one that holds the database's CSV and Images/")])
    attendees = path.parent / workshop.attendees
    if not attendees.exists() and "attendees" not in document:
        attendees = Path(__file__).parent / "defaults/attendees.csv"
    people = read_people(attendees)
    if problems := [Problem(attendees, person.line, *mistake) for person in people
                    for mistake in _misplaced(person, workshop)]:
        raise Problems(problems)
    return workshop, people


def _misplaced(person: Person, workshop: Workshop) -> Iterator[tuple[str, str]]:
    """(column, message) for what does not fit the workshop."""
    names = [course.name for course in workshop.courses]
    for name in person.courses:
        if name not in names:
            yield "course", f"no course {name!r}; expected one or several of: {', '.join(names) or 'none'}"
    if person.login in workshop.accounts:
        yield "login", f"{person.login!r} is the account of the {workshop.accounts[person.login]}; expected a person's"


def problem(path: Path, location: tuple, message: str) -> Problem:
    """A mistake that shows only on this machine, at the line of its field."""
    return _problem(path, YAML(typ="rt").load(path.read_text(encoding="utf-8-sig")), location, message)


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


def _place(detail: dict) -> tuple:
    """Where a pydantic error is, as the file's keys go: pydantic adds the kind to what lies below ``cluster``."""
    location = detail["loc"]
    if detail["type"] == "kind":
        return *location, "kind"
    if location[:1] == ("cluster",) and location[1:2] and location[1] in CLUSTERS:
        return location[:1] + location[2:]
    return location


def _meant(place: tuple) -> str:
    """', did you mean …' for a key that looks like one of ours; whose it is, if it belongs to another cluster."""
    key = str(place[-1])
    kinds = [kind for kind, cluster in CLUSTERS.items() if key in cluster.model_fields]
    if place[:-1] == ("cluster",) and kinds:
        return f" of this kind of cluster, it is one of: {', '.join(kinds)}"
    ours = {name for part in (Workshop, *CLUSTERS.values(), GpuNode, Profile, Kernel, Course, Data, Limits, Grading,
                         Reservation)
            for name in part.model_fields}
    close = get_close_matches(key, ours, n=1)
    return f", did you mean {close[0]!r}" if close else ""


def _words(detail: dict) -> str:
    """A pydantic error in the words of someone who writes YAML."""
    if detail["type"] == "extra_forbidden":
        return f"unknown key{_meant(detail['loc'])}; hub/README.md lists the keys"
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    value = detail.get("input")
    shown = f"{value!r}: " if isinstance(value, (str, int, float, bool)) else ""
    return shown + message
