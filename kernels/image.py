"""A kernel's locked environment as an Apptainer image (SIF), and the kernelspec that runs the kernel from it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
#: Where the environment lies in an image: nowhere that a host binds over.
PLACE = "/opt/kernel"
#: The kernelspec's command: GPU nodes lend the image their NVIDIA driver. Words after it go to the image.
LAUNCH = 'if [ -e /dev/nvidiactl ]; then nv=--nv; fi; exec "$0" --quiet exec ${nv:-} "$@"'


class NoImage(Exception):
    """An image can't be built or run here; the message says why and what to do."""


def find(*also: Path) -> Path:
    """Apptainer's program, or SingularityCE's, which takes the same words: on PATH, or one of ``also``.

    Raises :class:`NoImage`.
    """
    found = [Path(program) for name in ("apptainer", "singularity") if (program := shutil.which(name))]
    for program in [*found, *also]:
        if os.access(program, os.X_OK):
            return program
    raise NoImage("Apptainer is not installed. On a cluster: ask for it, or `module load apptainer`. On Debian 12: "
                  f"sh {HERE}/apptainer.sh DIR, then add DIR/bin to PATH. Others: https://apptainer.org/docs/admin/")


def definition(name: str, environment: Path, suite: str) -> str:
    """The definition file (Apptainer's build recipe) of kernel ``name`` on Debian ``suite``."""
    python = next(line.split("=")[1].strip() for line in (environment / "pyvenv.cfg").read_text().splitlines()
                  if line.startswith("version_info") or line.startswith("version "))
    return (HERE / "image.def").read_text().format(
        name=name, environment=environment, place=PLACE, suite=suite, python=".".join(python.split(".")[:2]),
        lock=(environment / ".complete").read_text().strip())


def build(name: str, environment: Path, image: Path, apptainer: Path) -> bool:
    """Make ``image`` hold what the built ``environment`` holds; False if it does already. Needs root and Debian.

    Raises :class:`NoImage` with the reason. The recipe stays beside the image.
    """
    if not (environment / ".complete").exists():
        raise NoImage(f"no finished environment at {environment}; build it first: "
                      f"python kernels/build.py build {name} …")
    recipe = definition(name, environment, _suite())
    kept = image.with_suffix(".def")
    if image.exists() and kept.exists() and kept.read_text() == recipe:
        return False
    if os.geteuid() != 0:
        raise NoImage("building an image needs root; running one does not. Build it on a machine of your own "
                      "and copy the .sif over.")
    missing = [tool for tool in ("mmdebstrap", "mksquashfs") if not shutil.which(tool)]
    if missing:
        raise NoImage(f"{' and '.join(missing)} not found; apt-get install mmdebstrap squashfs-tools")
    image.parent.mkdir(parents=True, exist_ok=True)
    work = image.with_name(f".{image.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        (work / "recipe.def").write_text(recipe)
        # zstd: four times as fast to make as gzip, and smaller.
        result = subprocess.run(
            [apptainer, "--quiet", "build", "--mksquashfs-args", "-comp zstd -Xcompression-level 3",
             work / image.name, work / "recipe.def"], env=os.environ | {"APPTAINER_TMPDIR": str(work)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode:
            raise NoImage(f"building {image.name} failed (exit status {result.returncode}):\n"
                          + "\n".join(result.stdout.splitlines()[-15:]))
        (work / image.name).chmod(0o644)
        kept.unlink(missing_ok=True)
        (work / image.name).rename(image)  # a kernel that runs keeps the old file
        (work / "recipe.def").rename(kept)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


def command(words: Sequence[str], image: Path, apptainer: Path, visible: Sequence[Path] = ()) -> list[str]:
    """A kernelspec's ``argv`` that runs ``words`` (with ``{python}``) in ``image``.

    Home, working directory and /tmp are there as outside; so are, read-only, the directories ``visible``.
    """
    binds = [word for path in visible for word in ("--bind", f"{path}:{path}:ro")]
    inside = [word.replace("{python}", f"{PLACE}/bin/python") for word in words]
    return ["/bin/sh", "-c", LAUNCH, str(apptainer), *binds, str(image), *inside]


def _suite() -> str:
    """This machine's Debian by name: the image gets the same Python, which the environment was made with."""
    fields = platform.freedesktop_os_release()
    if fields["ID"] != "debian" or "VERSION_CODENAME" not in fields:
        raise NoImage(f"images are built on Debian, and this is {fields['PRETTY_NAME']}; "
                      "build there and copy the .sif over")
    return fields["VERSION_CODENAME"]
