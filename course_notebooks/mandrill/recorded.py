"""A recording of real jobs on a real Slurm, for machines without a scheduler.

recorded.json holds what Slurm and the jobs of the notebook said, in the notebook's order.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from .jobscript import asked
from .scheduler import Job, Report
from .slurm import Slurm

_JOBS = Path(__file__).with_name("recorded.json")


@dataclass
class _RecordedJob(Job):
    said: dict = field(default_factory=dict)
    goes_on: bool = False  # it was cancelled, and here nobody has done so yet

    def log(self, which: str = "out") -> str:
        return "" if self.goes_on and which == "err" else self.said[which]


class Recording(Slurm):
    """Takes scripts as Slurm does, and shows what became of the recorded ones. Nothing runs."""

    name = "a recording of Slurm"
    recorded = True

    def __init__(self, why: str):
        self.said = json.loads(_JOBS.read_text(encoding="utf-8"))
        self.submitted: list[str] = []
        print(f"Nothing is submitted: {why}. What follows is a recording of jobs on {self.said['where']}.")

    def queue(self) -> str:
        print("a recording: $", self.words["my jobs"])
        return self.said["queue"]

    def interactive(self, *command: str) -> str:
        print("a recording: $", self.said["interactive"]["command"])
        return self.said["interactive"]["printed"]

    def submit(self, script: str | Path) -> Job:
        name = asked(Path(script).read_text()).name
        print(f"a recording: $ sbatch {Path(script).name}")
        jobs = [job for job in self.said["jobs"] if job["name"] == name] or self.said["jobs"][:1]
        said = jobs[min(self.submitted.count(name), len(jobs) - 1)]
        self.submitted.append(name)
        print(f"job {said['number']}")
        files = (Path("logs", f"{said['number']}.{which}") for which in ("out", "err"))
        return _RecordedJob(self, said["number"], said["name"], *files, said=said,
                            goes_on=said["report"]["state"] == "cancelled")

    def report(self, job: Job) -> Report:
        ended = Report(**job.said["report"])
        return replace(ended, state="running", ended=None) if job.goes_on else ended

    def cancel(self, job: Job) -> None:
        job.goes_on = False
        print(f"a recording: $ scancel {job.number}")

    def _where(self) -> dict[str, str]:
        return {}
