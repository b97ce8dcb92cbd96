"""Slurm's commands, from version 20 on. Sources: sbatch(1), scontrol(1), srun(1)."""

import os
import re
import time

from .scheduler import FORGOTTEN, OVER, Job, Report, Scheduler, SchedulerError

#: JobState of scontrol(1), in the course's words.
_SLURM_STATES = {"PENDING": "waiting", "CONFIGURING": "waiting", "RUNNING": "running", "SUSPENDED": "running",
                 "COMPLETING": "ending", "COMPLETED": "completed", "FAILED": "failed", "CANCELLED": "cancelled",
                 "TIMEOUT": "time over", "DEADLINE": "time over", "OUT_OF_MEMORY": "out of memory",
                 "NODE_FAIL": "node failed", "BOOT_FAIL": "node failed", "PREEMPTED": "cancelled"}


class Slurm(Scheduler):
    """The cluster that sbatch finds."""

    name = "Slurm"
    words = {
        "an interactive job": "salloc --cpus-per-task=1 --time=10",
        "a batch job": "sbatch job.sh",
        "my jobs": "squeue --me",
        "all about a job": "scontrol show job 12",
        "end a job": "scancel 12",
        "lines in the script": "#SBATCH --time=00:10:00",
    }

    def lines(self, name: str, cpus: int, memory_gb: int, minutes: int) -> list[str]:
        asks = {"job-name": name, "cpus-per-task": cpus, "mem": f"{memory_gb}G",
                "time": f"{minutes // 60:02}:{minutes % 60:02}:00", "output": "logs/%j.out", "error": "logs/%j.err"}
        return [f"#SBATCH --{option}={value}" for option, value in (asks | self._where()).items()]

    def interactive(self, *command: str) -> str:
        """Run a command in a job of its own, wait for it, and return what it prints."""
        where = [f"--{option}={value}" for option, value in self._where().items()]
        return self._run(["srun", "--mem=100M", "--time=1", *where, *command]).strip()

    def submitting(self, script: str) -> list[str]:
        return ["sbatch", script]

    def report(self, job: Job) -> Report:
        try:
            text = self._run(["scontrol", "--oneliner", "show", "job", job.number], show=False)
        except SchedulerError as error:
            if "Invalid job id" in str(error):
                return Report(FORGOTTEN)
            raise
        said = dict(re.findall(r"(\w+)=(\S+)", text))
        state = _SLURM_STATES.get(said["JobState"], said["JobState"].lower())
        return Report(state, said.get("Reason", "") if state == "waiting" else "",
                      "" if state == "waiting" else said.get("NodeList", "").replace("(null)", ""),
                      *(_seconds(said.get(f"{which}Time"), state, which) for which in ("Submit", "Start", "End")))

    def _number(self, said: str) -> str:
        return re.search(r"Submitted batch job (\d+)", said)[1]

    def _where(self) -> dict[str, str]:
        """The notebook's own place in the cluster, unless that has a GPU, which the course's jobs do not need."""
        if os.environ.get("MANDRILLHUB_GPU"):
            return {}
        found = {option: os.environ.get(f"SLURM_JOB_{option.upper()}", "")
                 for option in ("partition", "account", "reservation")}
        return {option: value for option, value in found.items() if value and value != "(null)"}


def _seconds(text: str | None, state: str, which: str) -> float | None:
    """Slurm's local time; a Start or End that is only expected is None."""
    expected = state == "waiting" if which == "Start" else which == "End" and state not in OVER
    if not text or text == "Unknown" or expected:
        return None
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
