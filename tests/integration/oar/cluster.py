"""A real OAR 2.5 on one host, for the tests: PostgreSQL, the server, and one sshd a node, all on ports of their own."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: libjson-perl: oarstat and oarnodes need it for -J, and no OAR package asks for it.
PACKAGES = ("oar-server", "oar-server-pgsql", "oar-user", "oar-user-pgsql", "oar-node", "libjson-perl", "postgresql",
            "openssh-server")
#: The server's, PostgreSQL's, and that of all nodes, each on an address of its own.
SERVER, DATABASE, NODE = 19501, 19502, 19510
ETC = Path("/etc/oar")
SETTINGS = {
    "DB_PORT": DATABASE, "DB_BASE_PASSWD": "oar", "DB_BASE_PASSWD_RO": "oar_ro",
    "SERVER_HOSTNAME": "127.0.0.1", "SERVER_PORT": SERVER, "OPENSSH_CMD": f"/usr/bin/ssh -p {NODE} -e none",
    # Stock is made for a cluster of thousands: every step waits.
    "SCHEDULER_MIN_TIME_BETWEEN_2_CALLS": 0, "SCHEDULER_JOB_SECURITY_TIME": 1, "FINAUD_FREQUENCY": 0,
}
#: host: address, cores, GPU model or none. A node with a GPU has it on all of its cores.
NODES = {
    "oart-cpu1": ("127.0.19.1", 2, None), "oart-cpu2": ("127.0.19.2", 2, None),
    "oart-gpu1": ("127.0.19.3", 1, "A100"), "oart-gpu2": ("127.0.19.4", 1, "RTX 2080 Ti"),
}


def run(*command, check=True, timeout=60, **options) -> str:
    done = subprocess.run(command, text=True, capture_output=True, timeout=timeout, **options)
    if check:
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def until(true, seconds=20, what="waited in vain"):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.1)
    return found


def install() -> None:
    """Debian's packages, where they are missing, without starting their services."""
    missing = [name for name in PACKAGES if "ok installed" not in run(
        "dpkg-query", "-W", "-f=${Status}", name, check=False)]
    if not missing:
        return
    # OAR's install and PostgreSQL's would start daemons on the stock ports.
    policy = Path("/usr/sbin/policy-rc.d")
    before = policy.read_bytes() if policy.exists() else None
    try:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", env=environment, timeout=300)
        run("apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing, env=environment, timeout=600)
    finally:
        if before is None:
            policy.unlink()
        else:
            policy.write_bytes(before)


class Cluster:
    """Two CPU nodes and two GPU nodes (the GPUs are resource properties), and two accounts.

    OAR's job manager with its cgroups runs as on any cluster (cgroup v1, as on a hybrid host).

    OAR reads its configuration from /etc/oar alone, so the files there, and /etc/hosts, are kept and restored.
    What stays is what OAR leaves on any node: its log, /var/lib/oar, empty cgroups. Two changes to the job manager
    are needed on any test host: it must not empty /tmp of the user's files (stock does, as root), and all nodes are
    one kernel.
    """

    def __init__(self) -> None:
        # down() ends all that runs as oar: OAR's processes of jobs outlive the sshd that started them.
        assert not processes_of("oar"), "an OAR runs on this host: these tests would take its configuration away"
        self.root = Path(tempfile.mkdtemp(prefix="mh-oar-", dir="/tmp"))
        self.root.chmod(0o755)
        self.users = [f"oart{os.getpid()}{letter}" for letter in "ab"]
        self._kept = {path: path.read_bytes() for path in (
            ETC / "oar.conf", ETC / "job_resource_manager_cgroups.pl", ETC / "scheduler_quotas.conf")}
        self._running: dict[str, subprocess.Popen] = {}
        found = run("sh", "-c", "ls -d /usr/lib/postgresql/*/bin").split()
        self._postgresql = Path(found[-1])

    # -- up and down ------------------------------------------------------------------------------------

    def up(self) -> None:
        for user in self.users:
            home = self.root / user
            run("useradd", "--create-home", "--home-dir", str(home), "--shell", "/bin/bash", user)
            home.chmod(0o755)  # so that what is not readable is so by our doing
        self._configure()
        data = self.root / "database"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        (self.root / "password").write_text("x\n")
        run(str(self._postgresql / "initdb"), "-D", str(data), "-U", "postgres", "--auth=md5", "--no-sync",
            f"--pwfile={self.root / 'password'}", user="postgres", group="postgres", extra_groups=[], cwd="/")
        self.start_database()
        run("oar-database", "--create", "--db-admin-user", "postgres", "--db-admin-pass", "x", "-y", timeout=120)
        self.start_server()
        self._make_nodes()
        for name in NODES:
            self.start_node(name)
        for name in NODES:
            until(lambda name=name: _answers(NODES[name][0], NODE))
        until(lambda: _answers("127.0.0.1", SERVER))

    def down(self) -> None:
        """Take all of it away again; also after half an up."""
        for name in ("server", "database", *NODES):
            if name in self._running:
                self._stop(name)
        for user in self.users:
            for pid in processes_of(user):
                os.kill(pid, signal.SIGKILL)
            until(lambda user=user: subprocess.run(["userdel", user], capture_output=True).returncode in (0, 6))
        for pid in processes_of("oar"):
            os.kill(pid, signal.SIGKILL)
        for user in self.users:
            for group in Path("/sys/fs/cgroup").glob(f"*/oar/{user}_*"):
                until(lambda group=group: _remove(group))
        for path, content in self._kept.items():
            path.write_bytes(content)
        hosts = Path("/etc/hosts")  # not as it was: others may have written to it meanwhile
        hosts.write_text("".join(line for line in hosts.read_text().splitlines(keepends=True)
                                 if not line.endswith(tuple(f" {name}\n" for name in NODES))))
        shutil.rmtree(self.root, ignore_errors=True)

    def _configure(self) -> None:
        conf = self._kept[ETC / "oar.conf"].decode()
        for key, value in SETTINGS.items():
            line = f'{key}="{value}"'
            conf, changed = re.subn(rf"^#?{key}=.*$", lambda _, line=line: line, conf, count=1, flags=re.M)
            conf += "" if changed else f"\n{line}\n"
        (ETC / "oar.conf").write_text(conf)
        manager = self._kept[ETC / "job_resource_manager_cgroups.pl"].decode()
        manager = re.sub(r"^my @Tmp_dir_to_clear = .*$", "my @Tmp_dir_to_clear = ();", manager, flags=re.M)
        manager = manager.replace("# and exit(0)", "and exit(0)")
        (ETC / "job_resource_manager_cgroups.pl").write_text(manager)
        with Path("/etc/hosts").open("a") as hosts:
            hosts.writelines(f"{address} {name}\n" for name, (address, _, _) in NODES.items())

    def _make_nodes(self) -> None:
        for name in ("cpu", "core", "gpu", "gpudevice", "gpu_count", "mem"):
            run("oarproperty", "-a", name)
        for name in ("host", "gpu_model"):
            run("oarproperty", "-c", "-a", name)
        core = gpu = 0
        for cpu, (name, (_, cores, model)) in enumerate(NODES.items(), 1):
            gpu += bool(model)
            for cpuset in range(cores):
                core += 1
                about = {"host": name, "cpu": cpu, "core": core, "cpuset": cpuset, "mem": 4096}
                if model:
                    about |= {"gpu": gpu, "gpudevice": 0, "gpu_count": 1, "gpu_model": model}
                run("oarnodesetting", "-a", "-h", name, *(word for item in about.items()
                                                          for word in ("-p", "{}={}".format(*item))))

    # -- parts ------------------------------------------------------------------------------------------

    def start_server(self) -> None:
        # What oar-server starts, but as our child: oar-server leaves it to itself.
        self._start("server", "/usr/sbin/Almighty")

    def stop_server(self) -> None:
        self._stop("server")

    def start_database(self) -> None:
        data = self.root / "database"
        self._start("database", str(self._postgresql / "postgres"), "-D", str(data), "-p", str(DATABASE),
                    "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}", "-c", "fsync=off",
                    user="postgres", group="postgres", extra_groups=[])
        until(lambda: run(str(self._postgresql / "pg_isready"), "-h", "127.0.0.1", "-p", str(DATABASE),
                          check=False).count("accepting"))

    def stop_database(self) -> None:
        self._stop("database", signal.SIGINT)  # PostgreSQL's "fast": does not wait for those connected

    def start_node(self, name: str) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)
        self._start(name, "/usr/sbin/sshd", "-D", "-e", "-f", "/etc/oar/sshd_config", "-o", f"Port={NODE}",
                    "-o", f"ListenAddress={NODES[name][0]}", "-o", "PidFile=none")

    def stop_node(self, name: str) -> None:
        """No new connection; what runs goes on, as on a node that the network lost."""
        self._stop(name)

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text()

    def home(self, user: str) -> Path:
        return Path(pwd.getpwnam(user).pw_dir)

    def _start(self, name: str, *command: str, **options) -> None:
        with (self.root / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", **options)

    def _stop(self, name: str, how: int = signal.SIGTERM) -> None:
        process = self._running.pop(name)
        if name == "server":
            os.killpg(process.pid, signal.SIGKILL)  # with its helpers; all that it knows is in the database
        else:
            process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def started() -> Iterator[Cluster]:
    """Installed where it is missing, up, and in the end all of it taken away."""
    assert not os.geteuid(), "needs root: it starts sshd and makes accounts"
    with open("/run/lock/mandrillhub-oar-tests", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # /etc/oar is one: another run of these tests is waited for
        install()
        cluster = Cluster()
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


def processes_of(user: str) -> list[int]:
    """The ids of its processes, but for those that only wait to be reaped."""
    return [int(pid) for pid in run("pgrep", "-r", "DRSTI", "-u", user, check=False).split()]


def _remove(group: Path) -> bool:
    """Remove a job's cgroup; False while a killed process is still in it."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0
