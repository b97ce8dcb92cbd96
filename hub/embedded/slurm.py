"""The embedded cluster: a private Slurm in one directory, its nodes emulated on this machine.

Everything goes through ``SLURM_CONF``; nothing lies in /etc, and the services of the Slurm and munge
packages are neither used nor touched.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.clusters import EmbeddedCluster
from hub.embedded import cgroups, gpus
from hub.files import write_file
from hub.layout import Layout
from hub.ports import Ports, listening
from hub.problems import Stop
from hub.supervisor_config import ENVIRONMENT, PATH, Daemon

PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "scontrol", "sinfo", "squeue", "scancel")
# States of a node whose slurmd answers (sinfo -o %T). A drained node is an admin's decision, not a failure.
UP = ("idle", "mixed", "allocated", "completing", "planned", "reserved", "draining", "drained")
MOST_SOCKET = 107  # characters of a socket's path: unix(7)


@dataclass(frozen=True)
class Node:
    """One emulated node: a slurmd of its own. ``elsewhere``: device files of the other nodes' GPUs."""

    name: str
    port: int
    gpus: gpus.Gpus | None = None
    elsewhere: tuple[Path, ...] = ()

    @property
    def gres(self) -> str:
        """What slurm.conf says that the node has; job_submit.lua keeps jobs from asking for ``nic``."""
        parts = [f"gpu:{self.gpus.model}:{len(self.gpus.files)}"] if self.gpus else []
        return ",".join(parts + [f"nic:of_other_nodes:{len(self.elsewhere)}"] * bool(self.elsewhere))

    @property
    def features(self) -> str:
        """What ``sinfo`` and ``sbatch --constraint`` know of the node."""
        if not self.gpus:
            return "cpu"
        return f"gpu,{self.gpus.model}" + (",emulated" if self.gpus.emulated else "")


class EmbeddedSlurm:
    """The Slurm of one instance. ``public_port``: the port that people open; Slurm's are derived from it.

    ``people``: who may have GPUs; accounts that do not exist yet are left out. ``most_gpus``: how many at a time.
    """

    def __init__(self, layout: Layout, cluster: EmbeddedCluster, public_port: int, people: Iterable[str] = (),
                 most_gpus: int = 1):
        self.layout, self.cluster, self.ports = layout, cluster, Ports(public_port)
        self.people, self.most_gpus = tuple(people), most_gpus
        self.state = layout.slurm
        self.munge_socket = self.state / "munge/munge.sock"
        # Nodes whose slurmd was down at `write`: when that was, and the jobs that lived on.
        self._was_down: dict[str, tuple[float, set[int]]] = {}
        self.remark = ""  # about the GPUs, for the person at the terminal; known after `nodes`

    @cached_property
    def nodes(self) -> list[Node]:
        """CPU nodes, then GPU nodes: this machine's NVIDIA GPUs, or the emulated ones of workshop.yml."""
        found: list[gpus.Gpus] = []
        if self.cluster.gpu_nodes:
            found, self.remark = gpus.real()
            found = found or gpus.emulated(self.cluster.gpu_nodes, self.state / "dev")
        files = [file for each in found for file in each.files]
        named = [(f"cpu{index + 1}", self.ports.slurmd_cpu(index), None) for index in range(self.cluster.cpu_nodes)]
        named += [(f"gpu{index + 1}", self.ports.slurmd_gpu(index), each) for index, each in enumerate(found)]
        return [Node(f"{self.layout.instance}-{name}", port, each,
                     tuple(file for file in files if not each or file not in each.files))
                for name, port, each in named]

    @property
    def emulated_gpus(self) -> bool:
        return any(node.gpus and node.gpus.emulated for node in self.nodes)

    def needed_ports(self) -> dict[str, tuple[str, int]]:
        """For :func:`hub.ports.check_free`."""
        return {"slurmctld": ("127.0.0.1", self.ports.slurmctld),
                **{f"slurmd of {node.name}": ("127.0.0.1", node.port) for node in self.nodes}}

    def environment(self) -> dict[str, str]:
        """What Slurm's commands need to find this cluster and no other."""
        return {"SLURM_CONF": str(self.layout.slurm_conf)}

    def write(self) -> str:
        """Write the configuration and its directories; nothing that is right already is touched.

        Also ends what jobs left behind when slurmd and slurmstepd were killed: a job would run twice.
        Returns a hash of the configuration: the restart key of the daemons. Raises Stop where root or a
        package is missing, or the root's path is of no use.
        """
        self._check()
        for name, mode, owner in (("", 0o755, "root"), ("etc", 0o755, "root"), ("dev", 0o755, "root"),
                                  ("d", 0o755, "root"), ("munge", 0o711, "munge"), ("ctld", 0o700, "slurm"),
                                  ("run", 0o755, "slurm")):
            _directory(self.state / name, mode, owner)
        _munge_key(self.state / "munge/munge.key")
        texts = self.render()
        for name, text in texts.items():
            write_file(self.state / "etc" / name, text, mode=0o755 if name.endswith(".sh") else 0o644)
        up = {node.name for node in self.nodes if listening(node.port)}
        for node in {*cgroups.of_instance(self.layout.instance), *(node.name for node in self.nodes)} - up:
            jobs = cgroups.jobs(node)
            self._was_down[node] = time.time(), {job for job, pids in jobs.items() if cgroups.kept(pids)}
            for pids in jobs.values():
                if not cgroups.kept(pids):
                    cgroups.kill(pids)
        return _hash("\0".join(texts.values()).encode())

    def render(self) -> dict[str, str]:
        """Each configuration file's name and text."""
        templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), trim_blocks=True,
                                lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
        names = ["slurm.conf", "gres.conf", "cgroup.conf", "job_submit.lua"] + ["task_prolog.sh"] * self.emulated_gpus
        return {name: templates.get_template(f"{name}.j2").render(
            instance=self.layout.instance, host=socket.gethostname().split(".")[0], state=self.state,
            ctld_port=self.ports.slurmctld, nodes=self.nodes, emulated=self.emulated_gpus, swap=_swap(),
            most_gpus=self.most_gpus, uids=_uids(self.people),
            cpus=self.cluster.node_cpus, memory=self.cluster.node_memory) for name in names}

    def _check(self) -> None:
        if os.geteuid() != 0:
            raise Stop("The embedded cluster runs jobs as other people, so it needs root.\nNext: `sudo make up`.")
        missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
        for user in ("slurm", "munge"):
            try:
                pwd.getpwnam(user)
            except KeyError:
                missing.append(f"the user {user}")
        if missing:
            raise Stop(f"The embedded cluster needs Slurm; missing: {', '.join(missing)}.\n"
                       "Next: apt-get install slurmctld slurmd slurm-client munge")
        self.check_place()

    def check_place(self) -> None:
        """Raises Stop for a root that Slurm could not live under; nothing needs to be installed to know."""
        if not re.fullmatch(r"[\w/.+-]+", str(self.state)):
            raise Stop(f"Slurm's configuration cannot name {self.state}.\n"
                       "Next: choose a --root of letters, digits and . _ + - only.")
        longest = max(len(node.name) for node in self.nodes)
        too_long = len(f"{self.state}/d/") + 2 * longest + len("/_999999.4294967291") - MOST_SOCKET
        if too_long > 0:
            raise Stop(f"The path {self.state} is too long for the sockets of jobs, by {too_long} characters.\n"
                       "Next: choose a shorter --root.")

    def daemons(self) -> list[Daemon]:
        """munged, slurmctld and a slurmd for each node, after :meth:`write`."""
        key = _hash("\0".join(self.render().values()).encode())
        munge = self.state / "munge"
        yet = [Daemon(
            "munged", [_program("munged"), "--foreground", f"--key-file={munge}/munge.key",
                       f"--socket={self.munge_socket}", f"--pid-file={munge}/munged.pid",
                       f"--seed-file={munge}/munged.seed"],
            user="munge", restart_key=_hash((munge / "munge.key").read_bytes()),
            ready=lambda: _works("munge", "-n", "-S", str(self.munge_socket)),
            ready_text="munge cannot encode a credential"), Daemon(
            "slurmctld", [_program("slurmctld"), "-D"], user="slurm", environment=self.environment(),
            restart_key=key, ready=self.controller_up, ready_text="`scontrol ping` does not say UP")]
        return yet + [Daemon(
            f"slurmd-{node.name}", [_program("slurmd"), "-D", "-N", node.name], environment=self.environment(),
            restart_key=key, together="slurmd", ready=lambda node=node: self.node_up(node),
            ready_text=f"`sinfo` does not show {node.name} as idle, mixed or allocated",
            next_step=f"see why with `SLURM_CONF={self.layout.slurm_conf} scontrol show node {node.name}`, "
                      "then `make up` again") for node in self.nodes]

    def controller_up(self) -> bool:
        return " is UP" in self._slurm("scontrol", "ping")

    def node_up(self, node: Node) -> bool:
        """Has the node's slurmd registered, with the GPUs that it should have?"""
        if not listening(node.port):  # the controller notices only after SlurmdTimeout
            return False
        return self._slurm("sinfo", "-h", "-N", "-n", node.name, "-o", "%T").split()[:1] in [[state] for state in UP]

    def tidy(self, progress: Callable[[str], None]) -> list[str]:
        """After `apply`: cancel the jobs that a crash ended and slurmctld still takes for running.

        It would find out by itself, minutes later; until then they would hold their GPUs. Returns their numbers.
        """
        lost = []
        for line in self._slurm("squeue", "-h", "-t", "RUNNING", "-o", "%A %S %N").splitlines():
            job, start, node = line.split()
            when, lived_on = self._was_down.get(node, (0, set()))
            if float(start) < when and int(job) not in lived_on:
                lost.append(job)
        if lost:
            progress(f"cancelling jobs that a crash ended: {' '.join(lost)}")
            self._slurm("scancel", *lost)
        return lost

    def drain(self, progress: Callable[[str], None], grace_s: float = 5, limit_s: float = 60) -> None:
        """Cancel every job and wait until no process of one is left; after ``grace_s`` they are killed.

        For `make down`, before the daemons stop. Raises Stop if jobs are left after ``limit_s``.
        """
        begin, last = time.monotonic(), None
        while self.controller_up():
            jobs = self._slurm("squeue", "-h", "-o", "%A").split()
            waited = time.monotonic() - begin
            if not jobs:
                break
            if len(jobs) != last:
                progress(f"cancelling {len(jobs)} job{'s' * (len(jobs) > 1)}")
                last = len(jobs)
            if waited > limit_s:
                raise Stop(f"Jobs do not end: {' '.join(jobs)}.\nNext: see {self.layout.logs}/slurmctld.log.")
            # Those that wait first, or they would start on what the others free.
            self._slurm("scancel", "--state=PENDING")
            for partition in self.cluster.partitions:
                self._slurm("scancel", f"--partition={partition}")
            if waited > grace_s:  # by cgroup: a job that is being cancelled takes no second signal from scancel
                cgroups.kill(cgroups.of_people(cgroups.processes(self._jobs())))
            time.sleep(0.2)
        if not cgroups.empty(self._jobs(), seconds=10, patience_s=1):
            raise Stop(f"Processes of jobs do not end: {sorted(cgroups.processes(self._jobs()))}.\n"
                       "Next: if they wait for a file system, mend that; else restart the machine.")

    def remove_cgroups(self) -> None:
        """Remove what is left of the nodes' cgroups, after the daemons have stopped."""
        for node in cgroups.of_instance(self.layout.instance):
            tops = cgroups.of_node(node)
            cgroups.empty(tops, seconds=5)
            cgroups.remove(tops)

    def _jobs(self) -> list[Path]:
        """The cgroups of users' jobs (not slurmd's own)."""
        return [path for node in cgroups.of_instance(self.layout.instance) for top in cgroups.of_node(node)
                for path in [*top.glob("uid_*"), *top.glob("job_*")]]

    def command(self, *command: str) -> subprocess.CompletedProcess:
        """One of Slurm's commands on this cluster, with times in seconds since 1970."""
        return subprocess.run(command, cwd="/", text=True,
                              env={**ENVIRONMENT, **self.environment(), "SLURM_TIME_FORMAT": "%s"},
                              stdin=subprocess.DEVNULL, capture_output=True)

    def _slurm(self, *command: str) -> str:
        """Output of one of Slurm's commands on this cluster; '' if it fails."""
        done = self.command(*command)
        return done.stdout if done.returncode == 0 else ""


def _program(name: str) -> str:
    return shutil.which(name, path=PATH) or name


def _works(*command: str) -> bool:
    return subprocess.run(command, env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL,
                          capture_output=True).returncode == 0


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _uids(people: Iterable[str]) -> list[int]:
    """Numbers of the accounts that exist."""
    found = {account.pw_name: account.pw_uid for account in pwd.getpwall()}
    return sorted(found[name] for name in people if name in found)


def _swap() -> bool:
    """Has this machine swap, and can the kernel count it (version 1: only with memory.memsw)?"""
    counted = any(map(Path.exists, (cgroups.MOUNT / "cgroup.controllers",
                                    cgroups.MOUNT / "memory/memory.memsw.limit_in_bytes")))
    return counted and len(Path("/proc/swaps").read_text().splitlines()) > 1


def _directory(path: Path, mode: int, owner: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)
    path.chmod(mode)


def _munge_key(path: Path) -> None:
    """The cluster's secret, made once: 1024 random bytes that only munge reads."""
    if not path.exists():
        new = path.with_name(".munge.key.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as stream:
            stream.write(secrets.token_bytes(1024))
        new.rename(path)
    shutil.chown(path, "munge", "munge")
    path.chmod(0o400)
