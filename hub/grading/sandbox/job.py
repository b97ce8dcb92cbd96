"""The job of one notebook: what the cluster is asked for, in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Template

from hub.grading.sandbox import box
from spawner_profiles.oar import Oar
from spawner_profiles.oar_resources import wanted
from spawner_profiles.profiles import Profile
from spawner_profiles.scheduler import Scheduler
from spawner_profiles.slurm_words import ENDED

SLURM = """#!/bin/bash
#SBATCH --job-name=sandbox
#SBATCH --comment={{mark}}
#SBATCH --partition={{partition}}
#SBATCH --cpus-per-task={{cpus}}
#SBATCH --mem={{memory}}M
#SBATCH --time={{minutes}}
#SBATCH --chdir=/
#SBATCH --output={{log}}
#SBATCH --open-mode=truncate
#SBATCH --export=ALL
#SBATCH --no-requeue
"""
OAR = """#!/bin/bash
#OAR -n {{mark}}
#OAR -q {{partition}}
#OAR -l {{resources}},walltime={{hours}}:{{rest}}:00
{% if properties %}#OAR -p {{properties}}
{% endif -%}
#OAR -O {{log}}
#OAR -E {{log}}
"""
#: What the driver itself takes, beside the memory that the notebook has.
DRIVER_MB = 256


@dataclass(frozen=True)
class Limits:
    """What one notebook may take; cpus, memory and walltime are workshop.yml's."""

    disk_mb: int = 512
    output_mb: int = 8
    #: Threads count. A bomb of so many takes that share of a node whose CPUs are not told apart, until it is ended.
    processes: int = 256


def script(scheduler: Scheduler, profile: Profile, mark: str, place: Path, limits: Limits, python: Path) -> str:
    """The job's script. Nothing in it tells whose notebook it is."""
    minutes = -(-int(profile.walltime.total_seconds()) // 60)
    words = {"mark": mark, "partition": profile.partition, "cpus": profile.cpus, "log": place / "log",
             "memory": profile.memory + DRIVER_MB, "minutes": minutes, "hours": minutes // 60,
             "rest": f"{minutes % 60:02}"}
    if isinstance(scheduler, Oar):
        words["resources"], words["properties"] = wanted(profile.cpus, words["memory"], 0, "", scheduler.properties)
    head = Template(OAR if isinstance(scheduler, Oar) else SLURM, keep_trailing_newline=True).render(words)
    command = box.outer(place, limits.disk_mb, [str(python), "-m", "hub.grading.sandbox.driver", str(place)])
    return f"{head}set -eu\nexec {command}\n"


def fault_of_submission(reason: str, profile: Profile) -> str | None:
    """If a job that ended without a result did so for what was executed in it: why, in words; None if not so."""
    return {ENDED["TIMEOUT"]: f"the whole notebook took longer than {profile.walltime_text}",
            ENDED["OUT_OF_MEMORY"]: f"it used more memory than the {profile.memory} MB that there are",
            }.get(reason)
