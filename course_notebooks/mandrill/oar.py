"""OAR's commands, version 2.5. Sources: oarsub(1), oarstat(1)."""

import json
import re

from .scheduler import FORGOTTEN, Job, Report, Scheduler, SchedulerError

#: States and event types of oarstat(1); an OAR job that was killed is in Error, and its events tell why.
_OAR_STATES = {"Waiting": "waiting", "Hold": "waiting", "toLaunch": "waiting", "Launching": "waiting",
               "toAckReservation": "waiting", "Running": "running", "Suspended": "running", "Resuming": "running",
               "Finishing": "ending", "Terminated": "completed", "Error": "failed"}
_OAR_ENDS = {"FRAG_JOB_REQUEST": "cancelled", "WALLTIME": "time over", "BESTEFFORT_KILL": "cancelled"}


class Oar(Scheduler):
    """The cluster that oarsub finds."""

    name = "OAR"
    words = {
        "an interactive job": "oarsub -I -l /core=1,walltime=0:10:00",
        "a batch job": "oarsub -S ./job.sh",
        "my jobs": "oarstat -u",
        "all about a job": "oarstat -f -j 12",
        "end a job": "oardel 12",
        "lines in the script": "#OAR -l /core=1,walltime=00:10:00",
    }

    def lines(self, name: str, cpus: int, memory_gb: int, minutes: int) -> list[str]:
        return [f"#OAR -n {name}", f"#OAR -l /core={cpus},walltime={minutes // 60:02}:{minutes % 60:02}:00",
                "#OAR -O logs/%jobid%.out", "#OAR -E logs/%jobid%.err"]

    def interactive(self, *command: str) -> str:
        """OAR gives interactive jobs to terminals alone: what to type there."""
        return f"Open a terminal (File > New > Terminal), and type:  {self.words['an interactive job']}"

    def submitting(self, script: str) -> list[str]:
        return ["oarsub", "-S", f"./{script}"]

    def report(self, job: Job) -> Report:
        text = self._run(["oarstat", "-J", "-f", "-j", job.number], show=False)
        if not text.strip():
            return Report(FORGOTTEN)
        (said,) = json.loads(text).values()
        state = _OAR_STATES.get(said["state"], said["state"])
        events = said.get("events") or []
        if state == "failed":
            state = next((_OAR_ENDS[event["type"]] for event in events if event["type"] in _OAR_ENDS), state)
        if state == "completed" and said.get("exit_code"):
            state = "failed"
        why, nodes = said.get("message") or "", said.get("assigned_network_address") or []
        if state == "waiting":
            nodes = []
        if state != "waiting" or why.startswith("R="):  # "R=1,W=0:10:0,J=B" only repeats what was asked for
            why = ""
        return Report(state, why, ",".join(nodes),
                      *(float(said[which]) if said.get(which) else None
                        for which in ("submissionTime", "startTime", "stopTime")))

    def _number(self, said: str) -> str:
        found = re.search(r"^OAR_JOB_ID=(\d+)$", said, re.MULTILINE)
        if not found:
            raise SchedulerError(said.strip())
        return found[1]
