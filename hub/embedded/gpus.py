"""The GPUs of the embedded cluster: this machine's NVIDIA GPUs, or device nodes that stand in for them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hub.clusters import GpuNode
from hub.problems import Stop

NVIDIA_MAJOR = 195  # of /dev/nvidia0…: Documentation/admin-guide/devices.txt of the kernel

# What nvidia-smi's product names carry beside the model: maker, line, form factor, memory.
_NOT_THE_MODEL = re.compile(r"\(.*?\)|\b(nvidia|tesla|geforce|quadro|gpu|generation|graphics|device|pcie|nvl"
                            r"|sxm\d*|hbm\d\w*|\d+\s*gb)\b")


@dataclass(frozen=True)
class Gpus:
    """The GPUs of one node: all of one model."""

    model: str
    files: tuple[Path, ...]
    emulated: bool


def model_name(product: str) -> str:
    """nvidia-smi's product name in Slurm's style: "NVIDIA A100-SXM4-40GB" -> "a100"."""
    words = _NOT_THE_MODEL.sub(" ", product.lower().replace("-", " "))
    return re.sub(r"[^a-z0-9_]+", "", words) or "gpu"


def real(devices: Path = Path("/dev"), proc: Path = Path("/proc/driver/nvidia/gpus"),
         nvidia_smi: str = "nvidia-smi") -> tuple[list[Gpus], str]:
    """The GPUs that the NVIDIA driver offers, one entry a model, and a remark ('' where all is well).

    A driver that does not work is no GPU and a remark: a class can then still be tried out, emulated.
    """
    files = {int(path.name[6:]): path for path in devices.glob("nvidia[0-9]*") if path.name[6:].isdigit()}
    if not files:
        return [], ""
    try:
        listing = subprocess.run([nvidia_smi, "--query-gpu=index,name,pci.bus_id", "--format=csv,noheader"],
                                 capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stdout", "") or getattr(error, "stderr", "") or str(error)).strip()
        return [], f"{min(files.values())} exists but nvidia-smi does not work ({said.splitlines()[0]}): " \
                   "the GPUs are emulated. Next: mend the driver, then `make up` again."
    return group(listing, files, proc), ""


def group(listing: str, files: dict[int, Path], proc: Path) -> list[Gpus]:
    """Group the lines "index, name, bus id" of nvidia-smi by model. ``files``: device file of each minor number.

    nvidia-smi's index is not always the number of the device file: the driver tells that number by bus id.
    """
    models: dict[str, list[Path]] = {}
    for line in listing.strip().splitlines():
        index, product, *bus = (part.strip() for part in line.split(","))
        path = files.get(_minor(bus[0] if bus else "", int(index), proc))
        if path:
            models.setdefault(model_name(product), []).append(path)
    return [Gpus(model, tuple(paths), emulated=False) for model, paths in models.items()]


def _minor(bus: str, index: int, proc: Path) -> int:
    """Minor number of the GPU at this PCI bus id; its index where the driver does not say."""
    name = re.sub(r"^0000(?=[0-9a-f]{4}:)", "", bus.lower())  # nvidia-smi's domain has 8 digits, the driver's 4
    try:
        text = (proc / name / "information").read_text()
    except OSError:
        return index
    found = re.search(r"^Device Minor:\s*(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else index


def emulated(nodes: Iterable[GpuNode], directory: Path) -> list[Gpus]:
    """Device nodes that stand in for GPUs: a job may open only its own, and then finds no hardware (ENXIO).

    Numbers run on from node to node: the devices cgroup knows a device by its number only.
    Raises Stop where the kernel lets nobody make device nodes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    found, number = [], 0
    for node in nodes:
        files = []
        for _ in range(node.gpus):
            files.append(_device(directory / f"nvidia{number}", number))
            number += 1
        found.append(Gpus(node.model, tuple(files), emulated=True))
    for path in directory.glob("nvidia*"):  # of a workshop.yml that had more: no node would deny it to a job
        if path not in {file for gpus in found for file in gpus.files}:
            path.unlink()
    return found


def _device(path: Path, number: int) -> Path:
    wanted = os.makedev(NVIDIA_MAJOR, number)
    try:
        status = path.stat()
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == wanted and stat.S_IMODE(status.st_mode) == 0o666:
            return path
        path.unlink()
    except FileNotFoundError:
        pass
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, wanted)
    except PermissionError:
        raise Stop(f"Cannot make the device node {path}: the kernel does not allow it here.\n"
                   "Next: in a container, add the capability MKNOD; or set `gpu_nodes: []` under `cluster:` "
                   "in workshop.yml.") from None
    path.chmod(0o666)
    return path
