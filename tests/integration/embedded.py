"""An embedded Slurm of its own for a test file, and accounts to use it. Needs root and Slurm."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import supervisor

from hub.clusters import EmbeddedCluster, GpuNode
from hub.daemons import ENVIRONMENT, Daemons
from hub.embedded import cgroups
from hub.embedded.slurm import EmbeddedSlurm
from hub.layout import Layout
from hub.ports import check_free
from hub.problems import Stop

BIN = Path(supervisor.__file__).parents[4] / "bin"
GONE = "the controller lists it no more"


def quiet(_):
    pass


def until(true, seconds=20, what="waited in vain"):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)
    return found


class Instance:
    """An embedded cluster in a directory of its own."""

    def __init__(self, port, people, **options):
        self.root = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))
        self.root.chmod(0o755)
        self.layout = Layout(self.root)
        self.layout.make()
        while True:
            self.slurm = EmbeddedSlurm(self.layout, EmbeddedCluster(
                cpu_nodes=1, node_cpus=8, node_memory=2048,
                gpu_nodes=(GpuNode(model="t4", gpus=2), GpuNode(model="a100", gpus=1))), port, people, **options)
            try:
                check_free(self.slurm.needed_ports())
                break
            except Stop:
                port += 50
        self.daemons = Daemons(self.layout, BIN)

    def up(self):
        self.slurm.write()
        return self.daemons.apply(self.slurm.daemons(), quiet)

    def down(self):
        self.slurm.drain(quiet, grace_s=1)
        self.daemons.stop_all()
        self.slurm.remove_cgroups()

    def node(self, name):
        return f"{self.layout.instance}-{name}"

    def run(self, person, *command, check=True):
        """A command of a person (None: root), in their home, with nothing of ours in the environment."""
        home = Path(pwd.getpwnam(person).pw_dir) if person else Path("/")
        entry = {"user": person, "group": pwd.getpwnam(person).pw_gid, "extra_groups": []} if person else {}
        done = subprocess.run(command, cwd=home, text=True, capture_output=True, timeout=60, **entry,
                              env={**ENVIRONMENT, **self.slurm.environment(), "HOME": str(home)})
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def sbatch(self, person, script, *options):
        """Submit; the number of the job."""
        return self.run(person, "sbatch", "--parsable", f"--output={self.layout.instance}-%j.log", "--mem=100",
                        *options, f"--wrap={script}").stdout.strip()

    def state(self, job):
        done = self.run(None, "scontrol", "show", "job", job, check=False)
        return re.search(r"JobState=(\S+)", done.stdout)[1] if done.returncode == 0 else GONE

    def ended(self, job, seconds=30):
        over = ("COMPLETED", "FAILED", "CANCELLED", "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", GONE)
        until(lambda: self.state(job) in over, seconds,
              lambda: self.run(None, "scontrol", "show", "job", job).stdout + str(self.states()))
        return self.state(job)

    def log(self, person, job):
        """The log of a job; '' until it has one."""
        path = self.log_path(person, job)
        return path.read_text() if path.exists() else ""

    def log_path(self, person, job):
        """Two instances number their jobs alike."""
        return Path(pwd.getpwnam(person).pw_dir, f"{self.layout.instance}-{job}.log")

    def states(self):
        return dict(line.split() for line in
                    self.run(None, "sinfo", "-h", "-N", "-o", "%N %T").stdout.splitlines())

    def pids(self):
        return {name: info["pid"] for info in self.daemons._rpc.getAllProcessInfo() for name in [info["name"]]}


@contextmanager
def accounts():
    """Two accounts for the time of the tests; their homes are not in /home."""
    homes = Path(tempfile.mkdtemp(prefix="mh-homes-", dir="/tmp"))
    homes.chmod(0o755)
    names = [f"mht{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            subprocess.run(["useradd", "--create-home", "--base-dir", homes, name], check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["userdel", name], check=True)
        shutil.rmtree(homes)


@contextmanager
def instance(port, people, **options):
    """An instance that runs, with options of EmbeddedSlurm."""
    each = Instance(port, people, **options)
    try:
        each.up()
        yield each
    finally:
        each.down()
        left = cgroups.of_instance(each.layout.instance)
        shutil.rmtree(each.root)
        assert not left, "cgroups are left"
