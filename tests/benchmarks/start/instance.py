"""The benchmark's own instance: its root, accounts and embedded Slurm, made for it and taken away again."""

from __future__ import annotations

import fcntl
import json
import pwd
import secrets
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from hub import accounts, install, services
from hub.daemons import Daemons
from hub.embedded.slurm import EmbeddedSlurm
from hub.grading import config
from hub.layout import Layout
from hub.ports import check_free
from hub.problems import Stop
from hub.running import Running
from hub.supervisor_config import Daemon
from hub.workshop import load

HERE = Path(__file__).parent
WORKSHOP = """
cluster: {node_cpus: 128, node_memory: 64G, gpu_nodes: []}
profiles:
  - {key: small, title: Small notebook, partition: cpu, cpus: 1, memory: 512M, walltime: 30m}
"""


def logins(count: int) -> list[str]:
    return [f"mh-b{number:03}" for number in range(count)]


class Bench:
    """``people``: accounts to make. Everything lies below ``root``; ``close`` leaves the environments there."""

    def __init__(self, root: Path, port: int, people: int) -> None:
        self.layout, self.port = Layout(root), port
        self.people = logins(people)
        self.password = secrets.token_hex(16)
        self.supervisor = Daemons(self.layout, self.layout.hub_bin)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stub(self) -> Path:
        """Where everyone may read it; the clone may lie in somebody's home."""
        return self.layout.srv / "stub.py"

    @property
    def stub_command(self) -> list[str]:
        return ["/usr/bin/python3", "-I", "-S", str(self.stub)]

    @cached_property
    def running(self) -> Running:
        workshop, people = load(self.layout.workshop, port=self.port)
        return Running(workshop=workshop, people=people, emulated=False, data=self.layout.data)

    @cached_property
    def cluster(self) -> EmbeddedSlurm:
        return EmbeddedSlurm(self.layout, self.running.workshop.cluster, self.port)

    def alone(self) -> None:
        """One benchmark at a time. Raises Stop while there is another."""
        self.layout.opt.mkdir(parents=True, exist_ok=True)
        self.lock = (self.layout.opt / "bench.lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(f"another benchmark runs below {self.layout.root}; wait until it has ended") from None

    def open(self) -> None:
        """What all measurements share: environments, accounts, the stub."""
        self.close()  # what a run that was killed has left
        self.layout.make()
        self.layout.workshop.write_text(WORKSHOP)
        (self.layout.etc / "attendees.csv").write_text(
            "login,name\n" + "".join(f"{login},Student {login[-3:]}\n" for login in self.people))
        uv = self.layout.opt / "uv/bin/uv"
        install.debian_packages(embedded=True)
        install.server(self.layout, uv)
        install.proxy(self.layout)
        install.course(self.layout, self.running.workshop)
        config.write(self.layout, self.running.workshop)
        check_free(self.cluster.needed_ports() | services.needed_ports(self.layout, self.running))
        accounts.apply(self.running.people, self.layout.homes, self.layout.passwords)
        shutil.copy(HERE / "stub.py", self.stub)
        self.stub.chmod(0o644)

    def up(self, hub: Daemon | None) -> None:
        """A fresh cluster and, with ``hub``, a fresh proxy, database and hub."""
        shutil.rmtree(self.layout.slurm / "ctld", ignore_errors=True)
        for file in self.layout.hub_state.glob("jupyterhub.sqlite*"):
            file.unlink()
        self.running.write(self.layout)
        self.cluster.write()
        daemons = self.cluster.daemons()
        if hub:
            daemons += [services.daemons(self.layout, self.running)[0], hub]
        self.supervisor.apply(daemons, lambda text: None)

    def hub(self, config: str, command: list[str], path: str = "") -> Daemon:
        """A hub in a PID namespace of its own, where its forks are counted. ``command``: the notebook server's."""
        return Daemon(
            name="hub", stop_signal="KILL",  # a namespace's first process takes no other without a handler
            command=["unshare", "--pid", "--fork", "--kill-child", str(self.layout.hub_bin / "jupyterhub"),
                     "--config", str(HERE / config)],
            environment={"MANDRILLHUB_ROOT": str(self.layout.root), "SLURM_CONF": str(self.layout.slurm_conf),
                         "BENCH_PORT": str(self.port), "BENCH_PASSWORD": self.password,
                         "BENCH_COMMAND": json.dumps(command), **({"PATH": path} if path else {})},
            directory=self.layout.hub_state, ready_text="it does not answer through its proxy", ready_timeout_s=60,
            ready=lambda: services.answers(f"{self.address}/hub/login"))

    def down(self) -> None:
        if self.supervisor.running():
            if any(name == "hub" for name, _, _ in self.supervisor.status()):
                self.supervisor.stop("hub")
            self.cluster.drain(lambda text: None, grace_s=1)
            self.supervisor.stop_all()
            self.cluster.remove_cgroups()

    def close(self) -> None:
        """Remove all but the environments."""
        if self.layout.workshop.exists():
            self.down()
        for account in [entry.pw_name for entry in pwd.getpwall() if entry.pw_dir.startswith(f"{self.layout.homes}/")]:
            subprocess.run(["userdel", "--force", account], capture_output=True)
        for place in (self.layout.homes, self.layout.etc, self.layout.var, self.layout.srv):
            shutil.rmtree(place, ignore_errors=True)

