"""A server is a Slurm job under the person's own account, within the limits of its profile."""

import os
import pwd
import subprocess
import time

import pytest

from tests.live import workshop_in


def processes(login: str) -> list[str]:
    """Command lines of everything that runs under this account."""
    listing = subprocess.run(["ps", "-ww", "-u", login, "-o", "pid=,args="], capture_output=True, text=True)
    return listing.stdout.splitlines()


def job(platform, login: str) -> dict[str, str]:
    """The person's one job, as squeue tells it."""
    fields = {"id": "%i", "user": "%u", "name": "%j", "partition": "%P", "state": "%T", "cpus": "%C", "memory": "%m",
              "gres": "%b", "node": "%N"}
    line = platform.slurm("squeue", "--noheader", f"--user={login}", "--states=PD,R",
                          f"--format={'|'.join(fields.values())}").strip()
    assert len(line.splitlines()) == 1, line
    return dict(zip(fields, line.split("|"), strict=True))


def test_two_people_two_jobs_under_their_own_accounts(platform, ada, bela):
    ada.start("cpu")
    bela.start("small")
    first, second = job(platform, "mh-ada"), job(platform, "mh-bela")
    assert (first["user"], first["name"], first["partition"]) == ("mh-ada", "jupyter-cpu", "cpu")
    assert (first["cpus"], first["memory"]) == ("2", "2G")
    assert (second["user"], second["cpus"], second["memory"]) == ("mh-bela", "1", "512M")
    assert first["node"].startswith(platform.layout.instance)
    for login in ("mh-ada", "mh-bela"):
        assert any("spawner_profiles.singleuser" in line for line in processes(login))


def test_the_waiting_page_is_told_each_step_in_order(platform, ada):
    events = ada.start("cpu")
    phases = list(dict.fromkeys(event["phase"] for event in events if "phase" in event))
    order = ["submitted", "queued", "starting", "connecting"]
    # A server that is quick is ready before anybody has asked the scheduler where its job runs.
    assert phases and phases == [phase for phase in order if phase in phases]
    for starting in (event for event in events if event.get("phase") == "starting"):
        assert starting["node"].startswith(platform.layout.instance) and starting["job_id"].isdigit()


def test_the_job_sees_an_allow_list_and_its_own_cpus(platform, ada):
    ada.start("cpu")
    said = ada.run("import os, sys; print(os.getuid(), os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS'])\n"
                   "print(sorted(os.environ))\n"
                   "import torch; print(torch.get_num_threads(), sys.prefix)")
    account, names, torch_line = said.splitlines()
    assert account == f"{pwd.getpwnam('mh-ada').pw_uid} 2 2"
    assert not [name for name in eval(names) if "PROXY" in name or name.startswith("MANDRILLHUB_ROOT")]
    assert torch_line == f"2 {platform.layout.kernels}/pytorch"


def test_the_memory_of_the_profile_is_enforced(ada):
    ada.start("small")
    assert ada.run("x = bytearray(100 << 20); print('fits')") == "fits"
    with pytest.raises(AssertionError, match="kernel died"):
        ada.run("x = bytearray(1 << 30); print(len(x))")


def test_a_gpu_job_can_open_its_own_gpu_alone(platform, ada):
    ada.start("gpu")
    assert job(platform, "mh-ada")["gres"] == "gres:gpu:a100:1"
    devices = sorted(str(path) for path in (platform.layout.slurm / "dev").glob("nvidia*"))
    said = ada.run(
        "import os, errno\n"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['MANDRILLHUB_GPU'], "
        "os.environ['MANDRILLHUB_GPU_EMULATED'])\n"
        f"for path in {devices}:\n"
        "    try:\n        os.open(path, os.O_RDWR)\n"
        "    except OSError as error:\n        print(errno.errorcode[error.errno])").splitlines()
    assert said[0] == "0 a100 1"
    # Allowed, but no hardware behind it: ENXIO. Forbidden by the job's cgroup: EPERM.
    assert sorted(said[1:]) == ["ENXIO", "EPERM", "EPERM"]
    assert "emulated: no GPU on this machine" in (
        platform.layout.homes / "mh-ada/.mandrillhub-server.log").read_text()


def test_a_stop_leaves_no_process_behind(platform, ada):
    ada.start("cpu")
    ada.run("import subprocess; subprocess.Popen(['setsid', 'sleep', '4321'], start_new_session=True)")
    assert any("sleep 4321" in line for line in processes("mh-ada"))
    started = time.monotonic()
    ada.stop()
    assert time.monotonic() - started < 30
    deadline = time.monotonic() + 20
    while processes("mh-ada") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes("mh-ada") == []
    assert "mh-ada" not in platform.slurm("squeue", "--noheader", "--format=%u")


def test_a_queued_job_says_why_and_can_be_cancelled(platform, ada, bela):
    ada.start("rare")
    answer = bela.post_form(profile="rare")
    assert answer.ok and "/spawn-pending/" in answer.url
    path = "/hub/api/users/mh-bela/server/progress"
    with bela.get(path, params={"_xsrf": bela.xsrf}, stream=True) as stream:
        for line in stream.iter_lines():
            if b'"queued"' in line and b"not looked" not in line:
                break
    assert b"all nodes that fit are busy" in line and b'"position": 1' in line
    assert job(platform, "mh-bela")["state"] == "PENDING"
    bela.stop()
    assert "mh-bela" not in platform.slurm("squeue", "--noheader", "--states=PD,R", "--format=%u")


def test_a_job_that_dies_while_starting_is_told_with_its_log(platform, ada):
    ada.post_form(profile="cpu")
    deadline = time.monotonic() + 30
    while not (running := platform.slurm("squeue", "-h", "-u", "mh-ada", "-t", "R", "-o", "%i").strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    platform.slurm("scancel", running)
    last = ada.events()[-1]
    assert last.get("failed") and "it was cancelled" in last["message"] and ".mandrillhub-server.log" in last["message"]


def test_a_module_that_does_not_exist_is_named_on_the_waiting_page(platform, ada, tmp_path):
    workshop = workshop_in(tmp_path, platform.workshop.read_text().replace(
        "profiles:\n", "profiles:\n  - {key: modules, title: M, partition: cpu, modules: [nope/9]}\n"))
    platform.make("up", WORKSHOP=workshop)
    try:
        ada.post_form(profile="modules")
        last = ada.events()[-1]
    finally:
        platform.make("up")
    assert last.get("failed") and "The module nope/9 of this profile cannot be loaded on " in last["message"], last


def test_a_second_gpu_job_waits_and_says_why(platform, ada):
    """One that the person submitted in a terminal counts like any other."""
    batch = platform.slurm("sbatch", "--parsable", "-p", "gpu", "--gres=gpu:a100:1", "--mem=100", "-D/tmp",
                           "--output=/dev/null", "--wrap=sleep 600", user="mh-ada").strip()
    try:
        assert ada.post_form(profile="gpu").ok
        with ada.get("/hub/api/users/mh-ada/server/progress", params={"_xsrf": ada.xsrf}, stream=True) as stream:
            told = next((line for line in stream.iter_lines() if b"as many GPUs as one person may" in line), None)
        assert told and b'"queued"' in told
    finally:
        platform.slurm("scancel", batch)
    assert ada.events()[-1].get("ready")


def test_the_server_starts_with_a_broken_kernel(platform, ada):
    python = platform.layout.kernels / "pytorch/bin/python"
    hidden = python.with_name("python.hidden")
    python.rename(hidden)
    try:
        ada.start("cpu")
        assert ada.lab().ok
        with pytest.raises(KeyError):  # the server answers with an error instead of a kernel
            ada.run("print(1)", timeout_s=20)
    finally:
        hidden.rename(python)
    assert ada.run("print(1 + 1)") == "2"


def test_homes_are_closed_to_others(platform):
    for login in ("mh-ada", "mh-bela"):
        assert os.stat(platform.layout.homes / login).st_mode & 0o077 == 0
