"""Build one kernel: its locked environment, the course packages it carries, and its kernelspec.

``python kernels/build.py pytorch --into DIR --jupyter DIR --uv PATH [--package DIR]`` builds by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def fingerprint(*paths: Path) -> str:
    """Hash of files and directory trees, by their content and names; caches do not count."""
    digest = hashlib.sha256()
    for path in paths:
        files = [path] if path.is_file() else sorted(
            file for file in path.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file))
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


def write_kernelspec(source: Path, environment: Path, jupyter: Path) -> None:
    """Put ``source``/kernel.json where every server looks, pointing at ``environment``'s Python."""
    spec = json.loads((source / "kernel.json").read_text())
    spec["argv"] = [word.replace("{python}", str(environment / "bin/python")) for word in spec["argv"]]
    folder = jupyter / "kernels" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n")


def build(name: str, environments: Path, jupyter: Path, uv: Path, packages: Sequence[Path] = ()) -> bool:
    """Build the kernel ``name`` into ``environments``/name; False if it was up to date."""
    source = HERE / name
    changed = sync(environments / name, source / "requirements.lock", uv, packages)
    write_kernelspec(source, environments / name, jupyter)
    return changed


def names() -> list[str]:
    """All kernels that can be built."""
    return sorted(path.parent.name for path in HERE.glob("*/kernel.json"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--into", type=Path, required=True, help="directory of the kernels' environments")
    parser.add_argument("--jupyter", type=Path, required=True, help="a directory of JUPYTER_PATH")
    parser.add_argument("--uv", type=Path, default=Path("uv"))
    parser.add_argument("--package", type=Path, action="append", default=[], help="a course package to add")
    asked = parser.parse_args()
    build(asked.name, asked.into, asked.jupyter, asked.uv, asked.package)
