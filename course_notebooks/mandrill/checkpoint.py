"""Save the state of a training so that a job that is killed at any moment leaves one that can be read."""

import os
from pathlib import Path

import torch


def save(state: dict, path: str | Path) -> None:
    """Write `state` (tensors, numbers, text, lists, dicts), replacing what was there at one stroke."""
    beside = f"{path}.new"
    torch.save(state, beside)
    os.replace(beside, path)  # on one file system this happens wholly or not at all


def load(path: str | Path) -> dict | None:
    """What was saved last, with its tensors on the CPU; None if nothing was."""
    if not Path(path).exists():
        return None
    return torch.load(path, map_location="cpu", weights_only=True)
