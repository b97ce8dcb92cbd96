"""A notebook server as a Slurm job, with the names of batchspawner's SlurmSpawner."""

from __future__ import annotations

from batchspawner import SlurmSpawner
from traitlets import Unicode

from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.slurm import Slurm

#: ``exec``, because Slurm's first signal reaches the script alone: the server itself must be the script.
#: ``--no-requeue``, because a server that starts twice has one owner too many.
BATCH_SCRIPT = """#!/bin/bash
#SBATCH --job-name=jupyter-{{profile}}
#SBATCH --comment={{mark}}
#SBATCH --partition={{partition}}
#SBATCH --cpus-per-task={{nprocs}}
#SBATCH --mem={{memory}}M
#SBATCH --time={{runtime}}
{% if gres %}#SBATCH --gres={{gres}}
{% endif %}{% if qos %}#SBATCH --qos={{qos}}
{% endif %}{% if account %}#SBATCH --account={{account}}
{% endif %}{% if reservation %}#SBATCH --reservation={{reservation}}
{% endif -%}
#SBATCH --chdir={{homedir}}
#SBATCH --output={{logfile}}
#SBATCH --open-mode=truncate
#SBATCH --export=ALL
#SBATCH --no-requeue
set -eu
echo {{headline}}, job "$SLURM_JOB_ID" on "$SLURMD_NODENAME"
for library in OMP MKL OPENBLAS NUMEXPR NUMBA; do
  export "${library}_NUM_THREADS={{nprocs}}"
done
export MANDRILLHUB_JOB_ENDS_AT=$(($(date +%s) + {{walltime_s}})) MANDRILLHUB_IDLE_AFTER={{idle_s}}
{{load_modules}}{{prologue}}
exec {{cmd}}
"""


class SlurmJobSpawner(JobSpawner, SlurmSpawner):
    """One server, one Slurm job."""

    scheduler = Slurm()
    batch_script = Unicode(BATCH_SCRIPT, config=True)
