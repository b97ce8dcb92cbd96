"""The scheduler of this machine: Slurm, OAR, or, where there is none, a recording of one."""

import os
import shutil
import subprocess
from collections.abc import Mapping

from .oar import Oar
from .recorded import Recording
from .scheduler import Scheduler
from .slurm import Slurm


def here(environment: Mapping[str, str] = os.environ) -> Scheduler:
    """The scheduler whose commands this machine has. A notebook that is being graded or validated submits nothing."""
    if "NBGRADER_EXECUTION" in environment:
        return Recording("this notebook is being graded or validated")
    if shutil.which("sbatch") and _answers("sinfo", "--noheader", "--format=%P"):
        return Slurm()
    if shutil.which("oarsub") and _answers("oarstat"):
        return Oar()
    return Recording("there is no scheduler on this machine")


def _answers(*command: str) -> bool:
    """Whether the cluster answers; its commands may be there without one."""
    try:
        return subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def commands() -> str:
    """What to type for what, on each scheduler, as a table."""
    rows = [("", *(kind.name for kind in (Slurm, Oar)))]
    rows += [(what, typed, Oar.words[what]) for what, typed in Slurm.words.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{what:{widths[0]}}   {one:{widths[1]}}   {other}".rstrip() for what, one, other in rows)
