"""What this job has to compute with: its CPUs, and a GPU or not."""

import os
import socket
from dataclasses import dataclass

import torch

from .cpus import job_cpus

GPU = "MANDRILLHUB_GPU"                    # the GPU that the job was given, such as rtx2080ti
EMULATED = "MANDRILLHUB_GPU_EMULATED"      # "1" where that GPU is only pretended
_JOB = ("SLURM_JOB_ID", "OAR_JOB_ID")


@dataclass(frozen=True)
class Machine:
    """Where the notebook runs. `torch` is the device to compute on; `gpu` says which GPU, in words."""

    torch: torch.device
    cpus: int
    gpu: str
    job: str | None
    host: str

    def __str__(self) -> str:
        job = f"job {self.job}" if self.job else "no job of a cluster"
        cpus = "1 CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        return f"{job} on {self.host}: {cpus}, {self.gpu}"


def this_machine() -> Machine:
    """Look at the job, and let torch use its CPUs: no more (others share the machine), no fewer."""
    cpus = job_cpus()
    torch.set_num_threads(cpus)
    job = next((os.environ[name] for name in _JOB if os.environ.get(name)), None)
    found = torch.cuda.is_available()
    host = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    return Machine(torch.device("cuda" if found else "cpu"), cpus, _gpu(found), job, host)


def _gpu(found: bool) -> str:
    given = os.environ.get(GPU)
    if found:
        return f"GPU {torch.cuda.get_device_name()}"
    if not given:
        return "no GPU"
    if os.environ.get(EMULATED) == "1":
        return f"GPU {given} (emulated: no GPU on this machine)"
    return f"GPU {given} asked for, but PyTorch sees none: tell an instructor (running on the CPU)"
