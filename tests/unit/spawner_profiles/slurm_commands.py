"""Slurm's commands with answers that a test writes."""

import asyncio
import getpass
import re
import subprocess

PORT = 54321
TOKEN = "0123456789abcdef-a-token"


class Commands:
    """What Slurm's commands answer: per command a list of ``(exit status, output, errors)``, the last one for ever."""

    def __init__(self):
        self.answers = {"sbatch": [(0, "12345", "")], "scancel": [(0, "", "")], "squeue": [(0, "", "")]}
        self.asked = []
        self.options = []
        self.scripts = []
        #: Called before each squeue is answered, with its answer: the place to let a server report its port.
        self.before_squeue = lambda answer: None

    async def run(self, *command, stdin="", timeout=30, **process):
        name = next(word for word in ("sbatch", "squeue", "scancel") if re.search(rf"\b{word}\b", " ".join(command)))
        self.asked.append(command)
        if name == "sbatch":
            self.scripts.append(stdin)
            self.options.append(process)
        waiting = self.answers[name]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if name == "squeue":
            self.before_squeue(answer)
        return answer

    def squeue(self, *states, job_id="12345"):
        """Queue these states of the job, e.g. PENDING, RUNNING; None: an empty list, SILENT: no answer."""
        self.answers["squeue"] = [self.line(state, job_id) for state in states]

    def line(self, state, job_id):
        if state == "SILENT":
            return 1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
        node = "node7" if state == "RUNNING" else ""
        line = f"{job_id}|{getpass.getuser()}|{state}|cpu|{node}|N/A|None\n"
        return 0, line if state else "", ""

    def environment(self):
        """What the job submitted last gets: what a shell makes of the lines that it will read from its file."""
        lines = self.options[-1]["env"]["MANDRILLHUB_PRIVATE"]
        done = subprocess.run(["bash", "-c", f"{lines}\n/usr/bin/env -0"], env={}, capture_output=True, check=True)
        return dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)

    def names(self):
        """The commands that ran, without repeats that follow each other."""
        names = [re.search(r"sbatch|squeue|scancel", " ".join(command))[0] for command in self.asked]
        return [name for before, name in zip([None, *names], names) if name != before]


def start(spawner, commands):
    """Start; the server reports its port the moment its job runs."""
    commands.before_squeue = lambda answer: spawner.report_port(PORT) if "RUNNING" in answer[1] else None
    return asyncio.run(asyncio.wait_for(spawner.start(), 5))
