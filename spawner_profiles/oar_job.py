"""A notebook server as an OAR job, with the names of batchspawner's spawners. It has none for OAR."""

from __future__ import annotations

from traitlets import Unicode

from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.oar import Oar
from spawner_profiles.oar_resources import wanted

#: ``exec``, because what OAR kills first is the script: the server itself must be it.
#: Lines that start with #OAR count only up to the first line that is none of them; see oar.header_options.
BATCH_SCRIPT = """#!/bin/bash
#OAR -n {{mark}}
#OAR -q {{partition}}
#OAR -l {{resources}},walltime={{walltime}}
{% if properties %}#OAR -p {{properties}}
{% endif -%}
{% for type in types %}#OAR -t {{type}}
{% endfor -%}
#OAR -O {{logfile}}
#OAR -E {{logfile}}
set -eu
: >{{logfile}}
echo {{headline}}, job "$OAR_JOB_ID" on "$(hostname)"
for library in OMP MKL OPENBLAS NUMEXPR NUMBA; do
  export "${library}_NUM_THREADS={{nprocs}}"
done
export MANDRILLHUB_JOB_ENDS_AT=$(($(date +%s) + OAR_JOB_WALLTIME_SECONDS)) MANDRILLHUB_IDLE_AFTER={{idle_s}}
{{load_modules}}{{prologue}}
exec {{cmd}}
"""


class OarJobSpawner(JobSpawner):
    """One server, one OAR job. ``req_partition`` is OAR's queue."""

    scheduler = Oar()
    batch_script = Unicode(BATCH_SCRIPT, config=True)
    req_gres = Unicode("", config=True, help="gpu:N or gpu:MODEL:N, as Slurm writes it; empty: no GPU")

    def get_req_subvars(self) -> dict[str, str]:
        """What the profile asks for, in OAR's words too: ``resources``, ``walltime``, ``properties``, ``types``."""
        subvars = super().get_req_subvars()
        _, *model, gpus = subvars["gres"].split(":") if subvars["gres"] else ("", "0")
        resources, properties = wanted(
            int(subvars["nprocs"]), int(subvars["memory"]), int(gpus), model[0] if model else "",
            self.scheduler.properties)
        hours, minutes = divmod(int(subvars["runtime"]), 60)
        types = ["besteffort"] if subvars["besteffort"] else []
        types += [f"inner={subvars['reservation']}"] if subvars["reservation"] else []
        return subvars | {"resources": resources, "properties": properties, "types": types,
                          "walltime": f"{hours}:{minutes:02}:00"}
