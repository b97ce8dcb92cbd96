import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kernels import build


def test_a_kernelspec_points_at_its_own_python_and_brings_its_logos(tmp_path):
    build.write_kernelspec(build.HERE / "pytorch", tmp_path / "jupyter", ["/env/bin/python", "-f", "{connection_file}"])
    folder = tmp_path / "jupyter/kernels/pytorch"
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["argv"] == ["/env/bin/python", "-f", "{connection_file}"] and spec["display_name"] == "PyTorch"
    assert (folder / "logo-64x64.png").read_bytes().startswith(b"\x89PNG") and (folder / "logo-svg.svg").exists()


def test_the_fingerprint_follows_content_and_names_and_not_caches(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("1")
    before = build.fingerprint(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__/a.pyc").write_text("x")
    assert build.fingerprint(package) == before
    (package / "a.py").write_text("2")
    changed = build.fingerprint(package)
    (package / "a.py").rename(package / "b.py")
    assert len({before, changed, build.fingerprint(package)}) == 3


def test_every_kernel_is_locked_with_hashes_and_complete():
    assert build.names() == ["pytorch", "scientific"]
    for name in build.names():
        folder = build.HERE / name
        lock = (folder / "requirements.lock").read_text()
        assert "--hash=sha256:" in lock and "ipykernel==" in lock and "setuptools==" in lock
        assert {"check.py", "logo-64x64.png", "logo-svg.svg"} <= {path.name for path in folder.iterdir()}
        assert "{python}" in build.command(name) and all(build.describe(name))


def test_kernels_that_are_no_longer_wanted_leave_the_launcher_and_an_admins_own_stay(tmp_path):
    for name in ("pytorch", "scientific", "theirs"):
        (tmp_path / "kernels" / name).mkdir(parents=True)
    assert build.remove_others(["pytorch"], tmp_path) == ["scientific"]
    assert sorted(path.name for path in (tmp_path / "kernels").iterdir()) == ["pytorch", "theirs"]


@pytest.fixture(scope="module")
def copied():
    """kernels/ with one folder more: `scientific` copied as `tiny`, with a short lock."""
    # Not pytest's own place, which is closed to others: root's check runs as nobody.
    place = Path(tempfile.mkdtemp(prefix="mandrillhub-kernels-", dir="/var/tmp"))
    place.chmod(0o755)
    source = place / "kernels"
    shutil.copytree(build.HERE, source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(source / "scientific", source / "tiny")
    lock = source / "tiny/requirements.lock"
    lock.write_text(_without(lock.read_text(), "numpy", "scipy", "pandas", "matplotlib", "pillow", "fonttools"))
    (source / "tiny/check.py").write_text("import sys\nprint('tiny:', sys.prefix)\n")
    yield place
    shutil.rmtree(place)


def _without(lock: str, *names: str) -> str:
    """A lock file less these packages."""
    kept, keep = [], True
    for line in lock.splitlines():
        if not line.startswith(" "):
            keep = line.split("==")[0] not in names
        if keep:
            kept.append(line)
    return "\n".join(kept) + "\n"


def run(place, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, place / "kernels/build.py", *words], capture_output=True, text=True)


def test_adding_a_kernel_is_copying_a_folder(copied):
    places = ["--into", copied / "environments", "--jupyter", copied / "jupyter"]
    assert "tiny " in run(copied, "list").stdout
    result = run(copied, "build", "tiny", *places, "--uv", _uv())
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"tiny works: tiny: {copied}/environments/tiny"

    check = copied / "kernels/tiny/check.py"
    check.write_text("print('so far')\nimport numpy\n")
    result = run(copied, "check", "tiny", *places)
    assert result.returncode == 1
    assert "kernel tiny: its check.py fails" in result.stderr and "ModuleNotFoundError" in result.stderr
    assert "so far" in result.stderr and str(check) in result.stderr

    spec = copied / "jupyter/kernels/tiny/kernel.json"
    spec.write_text(spec.read_text().replace("ipykernel_launcher", "ipykernel_lancher"))
    result = run(copied, "check", "tiny", *places)
    assert result.returncode == 1 and "kernel tiny: it does not start" in result.stderr
    assert "No module named ipykernel_lancher" in result.stderr and str(spec) in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="another account is needed to check as")
def test_a_kernel_that_others_cannot_run_is_broken_and_the_closed_directory_named(copied):
    places = ["--into", copied / "environments", "--jupyter", copied / "jupyter"]
    (copied / "environments").chmod(0o700)
    result = run(copied, "check", "tiny", *places)
    (copied / "environments").chmod(0o755)
    assert result.returncode == 1 and f"nobody can't run {copied}/environments/tiny/bin/python" in result.stderr
    assert f"{copied}/environments is closed to other accounts" in result.stderr


def test_what_is_not_built_is_said(copied, tmp_path):
    result = run(copied, "check", "pytorch", "--into", tmp_path, "--jupyter", tmp_path)
    assert result.returncode == 1 and f"no environment at {tmp_path}/pytorch" in result.stderr
    result = run(copied, "build", "pytorch", "--into", tmp_path, "--jupyter", tmp_path, "--uv", tmp_path / "uv")
    assert result.returncode == 1 and "uv is needed" in result.stderr
    result = run(copied, "build", "pytorhc", "--into", tmp_path, "--jupyter", tmp_path)
    assert result.returncode == 2 and "pytorhc" in result.stderr and "scientific" in result.stderr


def _uv() -> str:
    """The platform's uv, as `make up` installs it, or one on PATH."""
    from tests.live import ROOT

    own = ROOT / "opt/mandrillhub/uv/bin/uv"
    return str(own) if own.exists() else "uv"
