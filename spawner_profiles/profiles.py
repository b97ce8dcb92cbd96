"""What a person may ask for. One check on every path: form, URL, API, named servers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from spawner_profiles.words import _, decimal


def _megabytes(value: Any) -> Any:
    """'2G' or '512M' (as Slurm writes them), or a number of megabytes."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)\s*([MGT])B?", value.strip(), re.IGNORECASE)
        if not found:
            raise ValueError("expected a memory size such as 512M or 2G")
        return int(found[1]) * {"M": 1, "G": 1024, "T": 1024**2}[found[2].upper()]
    return value


def _walltime(value: Any) -> Any:
    """'90m', '4h', '2d', or '4:00:00' as Slurm writes it."""
    if isinstance(value, str):
        if found := re.fullmatch(r"(\d+)\s*([mhd])", value.strip()):
            return timedelta(minutes=int(found[1]) * {"m": 1, "h": 60, "d": 1440}[found[2]])
        if found := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", value.strip()):
            days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if value.startswith("P"):  # as pydantic writes it to JSON
            return value
    elif isinstance(value, timedelta):
        return value
    raise ValueError("expected a time such as 90m, 4h or '4:00:00'")


def _list(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("expected a list such as [cuda/12.4]")
    return value


MEGABYTES = Annotated[int, BeforeValidator(_megabytes), Field(ge=64)]
#: '90m', '4h' or '4:00:00'.
DURATION = Annotated[timedelta, BeforeValidator(_walltime)]
#: Of something that a cluster's admin has named.
NAME = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
#: ``cuda`` or ``cuda/12.4``
MODULE = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]*$", max_length=120)]
WALLTIME = Annotated[DURATION, Field(ge=timedelta(minutes=1), le=timedelta(days=30))]


class Profile(BaseModel):
    """One card of the start page: the job that a server becomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    title: str = Field(min_length=1, max_length=60)
    description: str = Field("", max_length=300)
    partition: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    cpus: int = Field(1, ge=1)
    memory: MEGABYTES = Field(2048, description="megabytes, or 2G")
    gpus: int = Field(0, ge=0)
    gpu_model: str | None = Field(None, pattern=r"^[a-z0-9_]+$", description="none: any model")
    walltime: WALLTIME = Field(timedelta(hours=4), validate_default=True)
    idle: DURATION | None = Field(None, ge=timedelta(0), description="stop when nothing has run for so long; "
                                  "0m: never; none: as limits say")
    besteffort: bool = Field(False, description="OAR: takes what is idle, and ends when somebody else needs it")
    qos: NAME | None = None
    account: NAME | None = None
    reservation: NAME | None = Field(None, coerce_numbers_to_str=True,
                                     description="Slurm's by its name, OAR's by the number of its container job")
    modules: Annotated[tuple[MODULE, ...], BeforeValidator(_list)] = Field(
        (), max_length=20, description="environment modules that the job loads, in this order")
    queue_wait: DURATION | None = Field(None, gt=timedelta(0), description="how long a start may wait in the queue; "
                                        "none: as limits say")
    emulated: bool = Field(False, description="set by the embedded cluster: the GPUs are not real")

    @model_validator(mode="after")
    def _model_needs_gpus(self) -> Profile:
        if self.gpu_model and not self.gpus:
            raise ValueError("gpu_model is given but gpus is 0; expected gpus: 1 or more")
        return self

    @property
    def memory_text(self) -> str:
        if self.memory >= 1024:
            return _("{size} GB").format(size=decimal(self.memory / 1024))
        return _("{size} MB").format(size=self.memory)

    @property
    def walltime_text(self) -> str:
        minutes = int(self.walltime.total_seconds()) // 60
        hours, rest = divmod(minutes, 60)
        return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)


class Refused(Exception):
    """The request asks for something that no profile offers."""


def choose(profiles: Iterable[Profile], options: dict[str, Any]) -> Profile:
    """The profile that ``options`` name; raises :class:`Refused` for anything else.

    ``options`` is what a form, a URL or the API sent. The only thing one may choose is ``profile``.
    No choice at all means the first profile.
    """
    profiles = list(profiles)
    extra = sorted(set(options) - {"profile"})
    if extra:
        raise Refused(_("{options}: cannot be chosen; the only option is `profile`").format(options=", ".join(extra)))
    wanted = options.get("profile", profiles[0].key)
    for profile in profiles:
        if profile.key == wanted:
            return profile
    raise Refused(_("there is no profile {name}; choose one of: {names}").format(
        name=repr(wanted), names=", ".join(p.key for p in profiles)))
