"""Kernels: build one, check that it works, put it into an image, list them.

Run by path (``python kernels/build.py --help``) or used by `mandrillhub up`. A kernel is a folder beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from kernels import image
from kernels.check import Broken, check

HERE = Path(__file__).parent


def fingerprint(*paths: Path) -> str:
    """Hash of files and directory trees, by their content and names; caches and builds do not count."""
    digest = hashlib.sha256()
    for path in paths:
        files = [path] if path.is_file() else sorted(
            file for file in path.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file)
            and file.relative_to(path).parts[0] != "build")  # setuptools leaves it in a package's folder
        for file in files:
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def sync(environment: Path, lock: Path, uv: Path, packages: Sequence[Path] = ()) -> bool:
    """Make ``environment`` hold exactly what ``lock`` says, and ``packages``; False if it already did.

    Raises ``subprocess.CalledProcessError`` when uv fails; the next call then starts over. The byte code is
    compiled here: without it, every first import of every person would be slower, and none could write it.
    """
    stamp = environment / ".complete"
    want = fingerprint(lock, *packages)
    if stamp.exists() and stamp.read_text() == want:
        return False
    stamp.unlink(missing_ok=True)
    python = environment / "bin/python"
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", "/usr/bin/python3", environment], check=True)
    subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "--compile-bytecode",
                    lock], check=True)
    for package in packages:
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation",
                        "--compile-bytecode", "--reinstall", package], check=True)
    stamp.write_text(want)
    return True


def write_kernelspec(source: Path, jupyter: Path, argv: Sequence[str]) -> None:
    """Put ``source``'s kernelspec and logos where every server looks, with ``argv`` as its command."""
    spec = json.loads((source / "kernel.json").read_text()) | {"argv": list(argv)}
    folder = jupyter / "kernels" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    for logo in source.glob("logo-*"):
        shutil.copyfile(logo, folder / logo.name)
    (folder / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n")


def command(name: str) -> list[str]:
    """What starts the kernel ``name``, with ``{python}`` for its Python."""
    return json.loads((HERE / name / "kernel.json").read_text())["argv"]


def build(name: str, environments: Path, jupyter: Path, uv: Path, packages: Sequence[Path] = ()) -> bool:
    """Build the kernel ``name`` into ``environments``/name; False if it was up to date."""
    source, python = HERE / name, environments / name / "bin/python"
    changed = sync(environments / name, source / "requirements.lock", uv, packages)
    write_kernelspec(source, jupyter, [word.replace("{python}", str(python)) for word in command(name)])
    return changed


def build_image(name: str, environments: Path, jupyter: Path | None, apptainer: Path,
                visible: Sequence[Path] = ()) -> bool:
    """Build ``environments``/name.sif of the environment beside it; False if it was up to date.

    The kernelspec, if ``jupyter`` is given, then runs the kernel from it. Raises :class:`image.NoImage`.
    """
    file = environments / f"{name}.sif"
    changed = image.build(name, environments / name, file, apptainer)
    if jupyter:
        write_kernelspec(HERE / name, jupyter, image.command(command(name), file, apptainer, visible))
    return changed


def check_once(name: str, environments: Path, jupyter: Path) -> str | None:
    """Check the kernel ``name`` unless it has passed just so; what its check said. Raises :class:`Broken`."""
    stamp = environments / f".{name}.checked"
    file = environments / f"{name}.sif"
    parts = [(environments / name / ".complete").read_text(), fingerprint(HERE / name / "check.py"),
             (jupyter / "kernels" / name / "kernel.json").read_text(), str(file.exists() and file.stat().st_mtime_ns)]
    want = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == want:
        return None
    said = check(name, environments, jupyter)
    stamp.write_text(want)
    return said


def remove_others(keep: Sequence[str], jupyter: Path) -> list[str]:
    """Take the kernelspecs of our kernels that are not in ``keep`` away; what an admin added stays."""
    gone = [name for name in names() if name not in keep and (jupyter / "kernels" / name).exists()]
    for name in gone:
        shutil.rmtree(jupyter / "kernels" / name)
    return gone


def names() -> list[str]:
    """All kernels that can be built."""
    return sorted(path.parent.name for path in HERE.glob("*/kernel.json"))


def describe(name: str) -> tuple[str, str]:
    """The name that people see, and the disk that it takes."""
    spec = json.loads((HERE / name / "kernel.json").read_text())
    return spec["display_name"], spec.get("metadata", {}).get("disk", "")


def main(words: Sequence[str] | None = None) -> int:
    """The command line. Exit status 1, with a message, when a kernel can't be built or does not work."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the kernels that can be built")
    texts = {"build": "make its environment and kernelspec, and check it", "check": "start it and run its check.py",
             "image": "put its built environment into DIR/NAME.sif, and check it if --jupyter is given"}
    for command_name, text in texts.items():
        sub = commands.add_parser(command_name, help=text, description=text)
        sub.add_argument("name", choices=names())
        sub.add_argument("--into", type=Path, required=True, metavar="DIR", help="where the environments are")
        sub.add_argument("--jupyter", type=Path, required=command_name != "image", help="a directory of JUPYTER_PATH")
        if command_name == "build":
            sub.add_argument("--uv", type=Path, default=Path("uv"))
            sub.add_argument("--package", type=Path, action="append", default=[], help="a course package to add")
        if command_name == "image":
            sub.add_argument("--visible", type=Path, action="append", default=[],
                             help="a directory that the kernel may read, beside home and /tmp")
    asked = parser.parse_args(words)
    if asked.command == "list":
        for name in names():
            print(f"{name:16}{describe(name)[0]:24}{describe(name)[1]}")
        return 0
    into, jupyter = asked.into.absolute(), asked.jupyter and asked.jupyter.absolute()
    try:
        if asked.command == "build":
            build(asked.name, into, jupyter, asked.uv, [package.absolute() for package in asked.package])
        elif asked.command == "image":
            build_image(asked.name, into, jupyter, image.find(), asked.visible)
            print(into / f"{asked.name}.sif")
        if jupyter:
            print(f"{asked.name} works: {check(asked.name, into, jupyter)}")
    except (Broken, image.NoImage) as error:
        print(error, file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f"{error.filename}: not found; uv is needed to build: pip install uv, or --uv PATH", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{asked.name}: not built ({error}); the lines above say why", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
