"""A kernel in an Apptainer image: built by `make up`, run by an attendee's job, with the job's limits."""

import pwd
import subprocess
import time
from pathlib import Path

import pytest

from tests.live import workshop_in

FUSE = Path("/dev/fuse")


@pytest.fixture(scope="module")
def images(platform, tmp_path_factory):
    """The platform with the kernel `scientific` run from an image; afterwards as it was."""
    own = platform.layout.opt / "apptainer"
    result = subprocess.run(["sh", "kernels/apptainer.sh", own], capture_output=True, text=True)
    if result.returncode == 3:
        pytest.skip(result.stderr)  # Debian's unstable has moved on: nothing that we could mend here
    assert result.returncode == 0, result.stderr
    place = tmp_path_factory.mktemp("images")
    workshop = workshop_in(place)
    with workshop.open("a") as file:
        file.write("kernels: [pytorch, {name: scientific, image: true}]\n")
    mode = FUSE.stat().st_mode & 0o777
    FUSE.chmod(0o666)  # as udev makes it; a machine without udev keeps it for root
    try:
        said = platform.make("up", WORKSHOP=workshop).stdout
        assert "kernel scientific (0.5 GB)" in said
        yield platform
    finally:
        FUSE.chmod(mode)
        platform.make("up")
        assert not (platform.layout.jupyter / "kernels/scientific").exists()


@pytest.mark.timeout(900)  # the first time, Apptainer, the environment and the image are made here
def test_a_kernel_runs_from_its_image_in_a_job_with_the_jobs_limits(images, ada):
    ada.start("small")
    said = ada.run("""
import os, sys, time
from pathlib import Path
import scipy.linalg
print(os.getuid(), sys.prefix, scipy.linalg.det([[2., 0.], [0., 3.]]))
print(os.path.isdir("/.singularity.d"), os.environ["OMP_NUM_THREADS"], len(os.listdir(os.environ["MANDRILL_DATA"])) > 0)
print(Path("/proc/self/cgroup").read_text().count("/job_"))
time.sleep(3)  # a kernel that takes its parent for dead would end here
Path("from-the-image").write_text("mine")
try:
    Path(os.environ["MANDRILL_DATA"], "x").write_text("")
except OSError as error:
    print(error.strerror)
""", kernel="scientific").splitlines()
    assert said[0] == f"{pwd.getpwnam('mh-ada').pw_uid} /opt/kernel 6.0"
    assert said[1] == "True 1 True"
    assert int(said[2]) > 0
    assert said[3] == "Read-only file system"
    written = images.layout.homes / "mh-ada/from-the-image"
    assert written.read_text() == "mine" and written.stat().st_uid == pwd.getpwnam("mh-ada").pw_uid
    written.unlink()
    _wait_until_gone("mh-ada")  # a kernel that is shut down takes its mount away
    with pytest.raises(AssertionError, match="kernel died"):
        ada.run("x = bytearray(1 << 30); print(len(x))", kernel="scientific")
    ada.stop()
    _wait_until_gone("mh-ada")


def test_the_image_is_one_file_that_holds_all_and_is_made_once(images):
    file = images.layout.kernels / "scientific.sif"
    assert 100e6 < file.stat().st_size < 400e6 and file.stat().st_mode & 0o777 == 0o644
    recipe = file.with_suffix(".def").read_text()
    assert "mmdebstrap" in recipe and str(images.layout.kernels / "scientific") in recipe
    # The image alone, in a network of its own that leads nowhere, without this host's files.
    apptainer = images.layout.opt / "apptainer/bin/apptainer"
    result = subprocess.run(
        ["unshare", "--net", "runuser", "-u", "mh-ada", "--", "env", "-i", "PATH=/usr/bin:/bin", apptainer, "--quiet",
         "exec", "--containall", file, "python", "-c", "import ipykernel, pandas, sys; print(sys.executable)"],
        capture_output=True, text=True, cwd="/")
    assert result.stdout.strip() == "/opt/kernel/bin/python", result.stderr


def _wait_until_gone(login: str) -> None:
    """Until no process of an image is left under this account; AssertionError after 20 s."""
    deadline = time.monotonic() + 20
    while True:
        listing = subprocess.run(["ps", "-ww", "-u", login, "-o", "args="], capture_output=True, text=True).stdout
        left = [line for line in listing.splitlines() if "squashfuse" in line or "pptainer" in line]
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
