"""What a recipe and a kernelspec say; tests/integration/test_images.py builds an image and runs it in a job."""

import os
import subprocess
from pathlib import Path

import pytest

from kernels import build, image


@pytest.fixture
def environment(tmp_path):
    """A built environment, as far as a recipe looks at it."""
    place = tmp_path / "scientific"
    place.mkdir()
    (place / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.2\n")
    (place / ".complete").write_text("abc123")
    return place


def test_the_recipe_of_any_kernel_names_its_environment_python_and_lock(environment):
    recipe = image.definition("scientific", environment, "bookworm")
    assert f"cp -a '{environment}' \"$APPTAINER_ROOTFS/opt/kernel\"" in recipe
    assert "kernel scientific" in recipe and "lock abc123" in recipe and "' 3.11.'" in recipe
    assert "{}" in recipe and "{name}" not in recipe and "{{" not in recipe
    (environment / ".complete").write_text("other")
    assert image.definition("scientific", environment, "bookworm") != recipe


def test_the_image_is_made_again_only_when_the_recipe_changed(environment, monkeypatch):
    file = environment.with_suffix(".sif")
    file.write_bytes(b"image")
    file.with_suffix(".def").write_text(image.definition("scientific", environment, image._suite()))
    assert image.build("scientific", environment, file, Path("/bin/false")) is False
    (environment / ".complete").write_text("other")
    monkeypatch.setattr(image.shutil, "which", lambda tool: None)
    with pytest.raises(image.NoImage, match=r"mmdebstrap and mksquashfs not found; apt-get install|needs root"):
        image.build("scientific", environment, file, Path("/bin/false"))
    assert file.read_bytes() == b"image"


@pytest.mark.skipif(os.geteuid() != 0, reason="images are built by root")
def test_a_build_that_fails_says_why_and_leaves_the_old_image(environment, tmp_path, monkeypatch):
    file = environment.with_suffix(".sif")
    file.write_bytes(b"image")
    program = tmp_path / "apptainer"
    program.write_text("#!/bin/sh\necho 'FATAL: no space left' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setattr(image.shutil, "which", lambda tool: f"/usr/bin/{tool}")
    with pytest.raises(image.NoImage, match=r"exit status 255.*\n.*no space left"):
        image.build("scientific", environment, file, program)
    assert file.read_bytes() == b"image" and not list(tmp_path.glob(".*.work"))


def test_an_unfinished_environment_gives_no_image(environment):
    (environment / ".complete").unlink()
    with pytest.raises(image.NoImage, match="no finished environment"):
        image.build("scientific", environment, environment.with_suffix(".sif"), Path("/bin/false"))


def test_the_kernelspec_runs_the_kernel_in_the_image(tmp_path):
    program = tmp_path / "apptainer"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    words = image.command(build.command("pytorch"), Path("/srv/k/pytorch.sif"), program, [Path("/srv/my data")])
    said = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    gpu = ["--nv"] if Path("/dev/nvidiactl").exists() else []
    assert said == ["--quiet", "exec", *gpu, "--bind", "/srv/my data:/srv/my data:ro", "/srv/k/pytorch.sif",
                    "/opt/kernel/bin/python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f",
                    "{connection_file}"]


def test_apptainer_is_found_under_either_name_or_how_to_get_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(image.NoImage, match=r"not installed.*module load apptainer.*apptainer\.sh"):
        image.find(tmp_path / "own/apptainer")
    for program in (tmp_path / "own/apptainer", tmp_path / "singularity"):
        program.parent.mkdir(exist_ok=True)
        program.touch(0o755)
        assert image.find(tmp_path / "own/apptainer") == program
