"""How much memory is in use, to see what a line of code takes and gives back."""

import os
from pathlib import Path

import torch


def used_mb(device: torch.device) -> float:
    """MB (of 10**6 bytes) that PyTorch holds on a GPU, or that this process has in the machine's memory.

    nan where the machine does not say (a CPU outside Linux).
    """
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device) / 1e6
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
