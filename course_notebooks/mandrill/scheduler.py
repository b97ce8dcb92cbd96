"""What Slurm, OAR and a recording have in common: scripts, jobs, and the scheduler's own commands, which are shown."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .faces import VARIABLE
from .jobscript import asked

#: What a scheduler's command needs of this notebook's environment. The rest stays here: a job that works only in the
#: surroundings of a notebook is no good, and some of it is secret.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "SLURM_CONF")
#: States of a job that has ended, in the course's words.
OVER = ("completed", "failed", "cancelled", "time over", "out of memory", "node failed")
#: The state of a job that ended so long ago (minutes) that the scheduler has no word of it: its log has.
FORGOTTEN = "ended some time ago"


class SchedulerError(Exception):
    """A command of the scheduler failed; the message is its own."""


@dataclass(frozen=True)
class Report:
    """What the scheduler says of a job. Times are seconds since 1970; None: not yet, or not known."""

    state: str                      # waiting, running, ending, one of OVER, or FORGOTTEN
    reason: str = ""                # why it waits
    node: str = ""
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None


@dataclass
class Job:
    """A job that was submitted."""

    scheduler: "Scheduler"
    number: str
    name: str
    out: Path                       # the file of what it prints
    err: Path                       # the file of its errors
    last: Report | None = None      # how it ended: a scheduler forgets jobs some minutes after their end

    def report(self) -> Report:
        """What the scheduler says now, or said last of a job that has ended."""
        if self.last is None:
            found = self.scheduler.report(self)
            if found.state not in OVER:
                return found
            self.last = found
        return self.last

    def cancel(self) -> None:
        """End it, waiting or running."""
        self.scheduler.cancel(self)

    def log(self, which: str = "out") -> str:
        """What the file `out` or `err` holds now; '' as long as there is none."""
        path = getattr(self, which)
        return path.read_text(errors="replace") if path.exists() else ""


class Scheduler:
    """The commands of a scheduler. `words`: what people want to do, and what they type for it."""

    name: str
    words: dict[str, str]
    recorded = False

    def script(self, command: str, name: str = "train", cpus: int = 1, memory_gb: int = 2, minutes: int = 5) -> str:
        """A job script: what the job needs, then `command`, with this notebook's Python as `python`."""
        return "\n".join(["#!/bin/bash", *self.lines(name, cpus, memory_gb, minutes), "",
                          f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
                          f"export OMP_NUM_THREADS={cpus}",
                          f"export {VARIABLE}={shlex.quote(os.environ.get(VARIABLE, ''))}", command, ""])

    def submit(self, script: str | Path) -> Job:
        """Submit a script from the folder where it lies, as one would in a terminal."""
        script = Path(script).absolute()
        asks = asked(script.read_text())
        for which in ("output", "error"):
            if file := asks.file(which, "0"):
                (script.parent / file).parent.mkdir(parents=True, exist_ok=True)  # no scheduler makes it
        script.chmod(0o755)
        number = self._number(self._run(self.submitting(script.name), script.parent))
        print(f"job {number}")
        return Job(self, number, asks.name or script.stem, script.parent / asks.file("output", number),
                   script.parent / asks.file("error", number))

    def queue(self) -> str:
        """The person's own jobs, as the scheduler lists them."""
        return self._run(self.words["my jobs"].split()).rstrip()

    def _run(self, command: list[str], folder: Path | None = None, show: bool = True) -> str:
        if show:
            print("$", shlex.join(command))
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PWD"] = str(folder or Path.cwd())  # oarsub believes this, not where it is
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SchedulerError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
        return done.stdout

    def lines(self, name: str, cpus: int, memory_gb: int, minutes: int) -> list[str]:
        raise NotImplementedError

    def submitting(self, script: str) -> list[str]:
        raise NotImplementedError

    def report(self, job: Job) -> Report:
        raise NotImplementedError

    def cancel(self, job: Job) -> None:
        self._run([*self.words["end a job"].split()[:-1], job.number])

    def _number(self, said: str) -> str:
        raise NotImplementedError
