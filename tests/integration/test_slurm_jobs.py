"""slurm.py and slurm_job.py on a real Slurm: what a job may know stays the person's, and what a profile names arrives.

The jobs are those of the spawner's own batch script, without a hub.
"""

import asyncio
import contextlib
import os
import pwd
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest
from batchspawner.batchspawner import format_template

from hub.daemons import ENVIRONMENT
from spawner_profiles import modules
from spawner_profiles.jobs import Phase, SubmitRefused
from spawner_profiles.private_file import FOLDER
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import job_options
from spawner_profiles.slurm import Slurm
from spawner_profiles.slurm_job import BATCH_SCRIPT
from tests.integration.embedded import accounts, instance, until


@pytest.fixture(scope="module")
def people():
    with accounts() as names:
        yield names


@pytest.fixture(scope="module")
def one(people):
    with instance(24000, people) as each, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(each.layout.slurm_conf))
        patch.setenv("PATH", ENVIRONMENT["PATH"])
        yield each


@pytest.fixture
def ada(one, people):
    yield people[0]
    one.run(None, "scancel", f"--user={people[0]}")
    until(lambda: not one.run(None, "squeue", "-h", f"--user={people[0]}").stdout)


def home(person):
    return Path(pwd.getpwnam(person).pw_dir)


def script(person, command, **options):
    profile = Profile(**{"key": "p", "title": "P", "partition": "cpu", "memory": 100, "walltime": "1h"} | options)
    subvars = {name.removeprefix("req_"): value for name, value in job_options(profile).items()}
    return format_template(BATCH_SCRIPT, **subvars, mark=f"hub/{uuid.uuid4().hex}", homedir=home(person),
                           logfile="job.log", headline="P", prologue="", cmd=command,
                           load_modules=modules.loading(subvars["modules"]))


def submit(scheduler, person, command="sleep 600", environment=None, **options):
    return asyncio.run(scheduler.submit(script(person, command, **options), person, environment or {}))


def log(person):
    path = home(person) / "job.log"
    return path.read_text() if path.exists() else ""


def files(person):
    return list((home(person) / FOLDER).glob("*"))


def cancel(one, scheduler, job_id):
    asyncio.run(scheduler.cancel(job_id))
    one.ended(job_id)


def grep(secret, *places, user=None):
    """Which files below ``places`` hold ``secret``, as far as ``user`` can read them."""
    entry = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    return subprocess.run(["grep", "-rsla", "--", secret, *places], capture_output=True, text=True, cwd="/",
                          **entry).stdout.splitlines()


def holders(secret):
    """Processes whose command line, and whose environment, holds ``secret``."""
    lines, environments = [], []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if secret in (process / "cmdline").read_text(errors="replace"):
                lines.append(process.name)
            if secret in (process / "environ").read_text(errors="replace"):
                environments.append(process.name)
    return lines, environments


def told(one, job, person):
    """All that Slurm's commands tell a person of a job."""
    text = ""
    for command in (["scontrol", "show", "job", "-dd", job], ["scontrol", "write", "batch_script", job, "-"],
                    ["squeue", "-j", job, "-o", "%all"], ["squeue", "-j", job, "-O", "Comment:200,Command:500"]):
        done = one.run(person, *command, check=False)
        text += done.stdout + done.stderr
    return text


def test_a_token_is_nowhere_but_in_the_file_and_then_in_the_job(one, ada, people):
    secret = f"tok{uuid.uuid4().hex}"
    odd = "a 'b' \"c\" $(id) `id` \\ \n, é"
    slurm = Slurm()
    places = [one.layout.slurm, one.layout.logs, "/var/log", "/var/spool", "/tmp"]
    blocker = one.sbatch(people[1], "sleep 600", "--mem=2000")  # all memory of the one CPU node
    until(lambda: one.state(blocker) == "RUNNING")
    job = submit(slurm, ada, "bash -c 'printf %s \"$ODD\" >odd; exec sleep 600'",
                 {"JUPYTERHUB_API_TOKEN": secret, "ODD": odd, "PATH": "/usr/bin:/bin"})
    # It waits: the file, and nothing else that anybody or anything can read or has kept.
    assert one.state(job) == "PENDING"
    [file] = files(ada)
    assert (file.stat().st_mode & 0o777, file.owner()) == (0o600, ada)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert set(grep(secret, *places)) == {str(file)}
    assert grep(secret, *places, home(ada), user=people[1]) == []
    assert holders(secret) == ([], [])
    for person in (ada, people[1], None):
        assert secret not in told(one, job, person)
    # It runs: the file is gone, and the token is in the environment of the job's processes alone.
    one.run(people[1], "scancel", blocker)
    until(lambda: one.state(job) == "RUNNING" and (home(ada) / "odd").exists())
    until(lambda: not files(ada))
    assert grep(secret, *places) == []
    lines, environments = holders(secret)
    assert lines == [] and environments
    for pid in environments:
        assert Path(f"/proc/{pid}").owner() == ada
        assert grep(secret, f"/proc/{pid}/environ", user=people[1]) == []
    assert (home(ada) / "odd").read_text() == odd
    for person in (ada, people[1], None):
        assert secret not in told(one, job, person)
    assert secret not in log(ada)


def test_a_start_is_one_process(one, ada, monkeypatch):
    """The shell that writes the file becomes sbatch: a command in sbatch's place is our own child."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        fake = Path(folder, "sbatch")
        fake.write_text("#!/bin/sh\necho child of $PPID >&2; exit 1\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        with pytest.raises(SubmitRefused, match=f"child of {os.getpid()}$"):
            submit(Slurm(), ada)


def test_a_job_cancelled_before_it_started_leaves_no_file(one, ada, people):
    blocker = one.sbatch(people[1], "sleep 600", "--mem=2000")
    until(lambda: one.state(blocker) == "RUNNING")
    first, second = Slurm(), Slurm()
    jobs = [submit(first, ada) for _ in range(2)]
    assert len(files(ada)) == 2
    cancel(one, first, jobs[0])
    assert len(files(ada)) == 1
    cancel(one, second, jobs[1])  # a hub that was restarted: it finds the file by the job's mark
    assert files(ada) == []
    one.run(people[1], "scancel", blocker)
    one.ended(blocker)


def test_what_sbatch_refuses_leaves_no_file(one, ada):
    with pytest.raises(SubmitRefused, match=r"MandrillHub: 2 GPUs asked for, and one person may hold 1 at a time$"):
        submit(Slurm(), ada, partition="gpu", gpus=2)
    with pytest.raises(SubmitRefused, match=r"(?i)invalid partition"):
        submit(Slurm(), ada, partition="nope")
    assert files(ada) == []


@pytest.mark.parametrize("spoil", ["chmod 777", "a link to a folder of theirs", "a default ACL"])
def test_a_folder_that_was_opened_is_no_way_in(one, ada, people, spoil):
    folder = home(ada) / FOLDER
    subprocess.run(["rm", "-rf", folder], check=True)
    commands = {"chmod 777": f"mkdir {folder}; chmod 777 {folder}; chmod 755 ~",
                "a link to a folder of theirs": f"mkdir ~/open; chmod 777 ~/open; ln -s open {folder}",
                "a default ACL": f"chmod 755 ~; setfacl -d -m u:{people[1]}:rwx ~"}
    one.run(ada, "sh", "-ec", commands[spoil])
    secret = f"tok{uuid.uuid4().hex}"
    try:
        blocker = one.sbatch(people[1], "sleep 600", "--mem=2000")
        until(lambda: one.state(blocker) == "RUNNING")
        job = submit(Slurm(), ada, environment={"JUPYTERHUB_API_TOKEN": secret})
        [file] = files(ada)
        assert grep(secret, home(ada), user=people[1]) == []
        assert subprocess.run(["cat", file], user=people[1], extra_groups=[], capture_output=True).returncode
        one.run(people[1], "scancel", blocker)
        until(lambda: one.state(job) == "RUNNING" and not files(ada))
        until(lambda: folder.stat().st_mode & 0o777 == 0o700)  # and closed again
    finally:
        one.run(ada, "sh", "-c", f"rm -rf {folder} ~/open; if command -v setfacl; then setfacl -b ~; fi")


def test_another_persons_file_is_not_read_in_its_place(one, ada, people):
    folder = home(ada) / FOLDER
    one.run(ada, "sh", "-ec", f"mkdir -p {folder}; chmod 777 {folder}; chmod 755 ~")
    blocker = one.sbatch(people[1], "sleep 600", "--mem=2000")
    until(lambda: one.state(blocker) == "RUNNING")
    job = submit(Slurm(), ada)
    [file] = files(ada)
    one.run(people[1], "sh", "-ec", f"rm -f {file}; echo 'touch owned' >{file}; chmod 644 {file}")
    one.run(people[1], "scancel", blocker)
    assert one.ended(job) == "FAILED"
    assert "is not in ~/.mandrillhub" in log(ada) and not (home(ada) / "owned").exists()
    file.unlink()


def test_a_folder_of_somebody_else_is_refused_in_words(one, ada, people):
    folder = home(ada) / FOLDER
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    try:
        os.chown(folder, pwd.getpwnam(people[1]).pw_uid, -1)
        with pytest.raises(SubmitRefused, match="belongs to somebody else; remove it"):
            submit(Slurm(), ada)
    finally:
        folder.rmdir()


def test_homes_that_root_cannot_enter(one, ada):
    """As on NFS with root_squash: without these capabilities root is to a home of 0700 like anybody else."""
    home(ada).chmod(0o700)
    code = ("import asyncio, sys; from spawner_profiles.slurm import Slurm\n"
            "print(asyncio.run(Slurm().submit(sys.stdin.read(), sys.argv[1], {'A': 'b'})))")
    done = subprocess.run(
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search",
         sys.executable, "-c", code, ada], input=script(ada, "bash -c 'echo A=$A; exec sleep 600'"), text=True,
        capture_output=True, env=os.environ | {"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0, done.stderr
    until(lambda: "A=b" in log(ada))


MODULEFILE = """#%Module
setenv MANDRILL_MODULE "from the module"
prepend-path PATH /opt/of-the-module/bin
"""


@pytest.fixture
def modulefiles(ada):
    """Debian's environment-modules looks here, too."""
    place = Path("/usr/share/modules/modulefiles/mhtest")
    place.mkdir()
    (place / "1.2").write_text(MODULEFILE)
    yield
    (place / "1.2").unlink()
    place.rmdir()


def test_a_profiles_modules_are_loaded(one, ada, modulefiles):
    submit(Slurm(), ada, "bash -c 'echo got=$MANDRILL_MODULE path=$PATH; exec sleep 600'",
           {"PATH": "/usr/bin:/bin"}, modules=["mhtest/1.2"])
    until(lambda: "got=" in log(ada), what=lambda: log(ada))
    assert "got=from the module path=/opt/of-the-module/bin:" in log(ada)


def test_a_module_that_does_not_exist_is_named(one, ada, modulefiles):
    job = submit(Slurm(), ada, modules=["mhtest", "nope/9"])
    assert one.ended(job) == "FAILED"
    last = log(ada).splitlines()[-1]
    assert last.startswith("The module nope/9 of this profile cannot be loaded on "), log(ada)


def test_jobs_land_on_the_model_that_their_profile_names(one, ada):
    slurm = Slurm()
    profiles = [Profile(key=model, title="P", partition="gpu", gpus=1, gpu_model=model, memory=100)
                for model in ("t4", "a100")] + [Profile(key="any", title="P", partition="gpu", gpus=1, memory=100)]

    def free():
        found = asyncio.run(Slurm().capacity(profiles))
        return [(found[profile.key].free, found[profile.key].total) for profile in profiles]

    assert free() == [(2, 2), (1, 1), (3, 3)]
    for model, node, left in (("a100", "gpu2", [(2, 2), (0, 1), (2, 3)]), ("t4", "gpu1", [(1, 2), (1, 1), (2, 3)])):
        job = submit(slurm, ada, partition="gpu", gpus=1, gpu_model=model)
        until(lambda job=job: one.state(job) == "RUNNING")
        assert asyncio.run(slurm.list_jobs())[job].node == one.node(node)
        until(lambda left=left: free() == left)
        second = submit(slurm, ada, partition="gpu", gpus=1, gpu_model=model)
        until(lambda second=second: "as many GPUs as one person may" in asyncio.run(slurm.list_jobs())[second].reason)
        assert asyncio.run(slurm.list_jobs())[second].phase is Phase.PENDING
        for each in (second, job):
            cancel(one, slurm, each)
