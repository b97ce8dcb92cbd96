"""What a job script asks the scheduler for, read as the scheduler reads it.

Sources: sbatch(1) of Slurm, oarsub(1) of OAR. Only the options that the course needs; others are passed over.
"""

import argparse
import re
import shlex
from dataclasses import dataclass

#: The number of CPUs is the product of these levels of an OAR resource request, such as /nodes=1/core=4.
_OAR_LEVELS = ("nodes", "host", "network_address", "cpu", "core")
_MEMORY = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


class ScriptError(Exception):
    """The scheduler would refuse this script; the message says why."""


@dataclass(frozen=True)
class Asked:
    """What a script asks for. None: it does not say, and the cluster's own default counts."""

    scheduler: str             # Slurm or OAR
    tasks: int                 # processes that may lie on different machines
    cpus: int | None           # in all
    memory_mb: int | None      # MB of 2**20 bytes; always None for OAR, which has no such option
    seconds: int | None        # the walltime
    output: str | None         # files, in which %j (Slurm) or %jobid% (OAR) stands for the job's number
    error: str | None
    name: str | None
    ignored: tuple[str, ...]   # lines that come too late to count

    def file(self, which: str, number: str | int) -> str | None:
        """The name of the file ``output`` or ``error`` of the job with this number."""
        pattern = getattr(self, which)
        return pattern and pattern.replace("%jobid%", str(number)).replace("%j", str(number))


def asked(text: str) -> Asked:
    """Read a script. Raises ScriptError where sbatch or oarsub would refuse it."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("#!"):
        raise ScriptError("the first line must say what runs the script: #!/bin/bash")
    head = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    mark = "#SBATCH" if any(line.startswith("#SBATCH") for line in lines) else "#OAR"
    words = [word for line in lines[:head] if line.startswith(mark) for word in _split(line.removeprefix(mark))]
    late = tuple(line for line in lines[head:] if line.startswith(mark))
    return _slurm(words, late) if mark == "#SBATCH" else _oar(words, late)


class _Options(argparse.ArgumentParser):
    def __init__(self, *names: tuple[str, ...]):
        super().__init__(add_help=False, allow_abbrev=False)
        for each in names:
            self.add_argument(*each)

    def error(self, message: str):
        raise ScriptError(message)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise ScriptError(f"{text.strip()}: {error}") from None


def _slurm(words: list[str], late: tuple[str, ...]) -> Asked:
    found, _ = _Options(("-c", "--cpus-per-task"), ("-n", "--ntasks"), ("--mem",), ("--mem-per-cpu",), ("-t", "--time"),
                        ("-o", "--output"), ("-e", "--error"), ("-J", "--job-name")).parse_known_args(words)
    tasks = _whole("--ntasks", found.ntasks or "1")
    cpus = None if found.cpus_per_task is None else tasks * _whole("--cpus-per-task", found.cpus_per_task)
    memory = _memory(found.mem) if found.mem else None
    if found.mem_per_cpu:
        memory = _memory(found.mem_per_cpu) * (cpus or tasks)
    return Asked("Slurm", tasks, cpus if cpus or not found.ntasks else tasks, memory,
                 slurm_seconds(found.time) if found.time else None, found.output, found.error, found.job_name, late)


def _oar(words: list[str], late: tuple[str, ...]) -> Asked:
    found, _ = _Options(("-l", "--resource"), ("-O", "--stdout"), ("-E", "--stderr"),
                        ("-n", "--name")).parse_known_args(words)
    resources, _, walltime = (found.resource or "").partition("walltime=")
    counts = [int(count) for level, count in re.findall(r"(\w+)=(\d+)", resources) if level in _OAR_LEVELS]
    cpus = 1
    for count in counts:
        cpus *= count
    return Asked("OAR", 1, cpus if counts else None, None, _oar_seconds(walltime) if walltime else None,
                 found.stdout, found.stderr, found.name, late)


def slurm_seconds(text: str) -> int:
    """Seconds of Slurm's forms: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S."""
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", text):
        raise ScriptError(f"--time={text}: expected hours:minutes:seconds, such as 01:30:00")
    days, dash, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    else:
        hours, minutes, seconds = {1: [0, *parts, 0], 2: [0, *parts], 3: parts}[len(parts)]
    return 86400 * int(days or 0) + 3600 * hours + 60 * minutes + seconds


def _oar_seconds(text: str) -> int:
    if not re.fullmatch(r"\d+(:\d+){0,2}", text):
        raise ScriptError(f"walltime={text}: expected hours:minutes:seconds, such as 01:30:00")
    hours, minutes, seconds = [*map(int, text.split(":")), 0, 0][:3]
    return 3600 * hours + 60 * minutes + seconds


def _memory(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMGT])?B?", text.upper())
    if not found:
        raise ScriptError(f"--mem={text}: expected a whole number and a unit, such as 4G")
    return int(int(found[1]) * _MEMORY[found[2] or "M"])


def _whole(option: str, text: str) -> int:
    if not text.isdigit() or not int(text):
        raise ScriptError(f"{option}={text}: expected a whole number")
    return int(text)
