"""Where things live on a machine. One root moves everything, so that two instances never meet."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Directories and names of one instance.

    With the root ``/`` they are the usual places (``/opt``, ``/etc``, ``/var/lib``, ``/srv``, ``/home``);
    with any other root the same tree lies below it.
    """

    root: Path = Path("/")

    @property
    def instance(self) -> str:
        """Prefix of node names, which become cgroup names: unique for each root on one kernel."""
        if self.root == Path("/"):
            return "mandrill"
        return "mh" + hashlib.sha256(str(self.root).encode()).hexdigest()[:5]

    @property
    def opt(self) -> Path:
        """Environments of the hub and of the notebook server, and the proxy."""
        return self.root / "opt/mandrillhub"

    @property
    def etc(self) -> Path:
        """workshop.yml, attendees.csv and, in 0600 files, passwords."""
        return self.root / "etc/mandrillhub"

    @property
    def var(self) -> Path:
        """State: the hub's database, the embedded cluster, logs."""
        return self.root / "var/lib/mandrillhub"

    @property
    def srv(self) -> Path:
        """What the nodes share: course, data, kernels."""
        return self.root / "srv/mandrillhub"

    @property
    def homes(self) -> Path:
        return self.root / "home"

    @property
    def workshop(self) -> Path:
        """The workshop.yml that an admin edits."""
        return self.etc / "workshop.yml"

    @property
    def running(self) -> Path:
        """The checked description that the running hub was started with (JSON)."""
        return self.var / "running.json"

    @property
    def passwords(self) -> Path:
        """First passwords of the accounts that we made: CSV, mode 0600."""
        return self.etc / "passwords.csv"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def hub_state(self) -> Path:
        """The hub's database and secrets, mode 0700."""
        return self.var / "hub"

    @property
    def slurm(self) -> Path:
        """Everything of the embedded Slurm."""
        return self.var / "slurm"

    @property
    def slurm_conf(self) -> Path:
        return self.slurm / "etc/slurm.conf"

    @property
    def hub_bin(self) -> Path:
        return self.opt / "hub/bin"

    @property
    def server_bin(self) -> Path:
        return self.opt / "server/bin"

    @property
    def proxy(self) -> Path:
        return self.opt / "proxy"

    @property
    def kernels(self) -> Path:
        """One environment a kernel."""
        return self.srv / "kernels"

    @property
    def jupyter(self) -> Path:
        """On every server's JUPYTER_PATH: the kernelspecs."""
        return self.srv / "jupyter"

    @property
    def course(self) -> Path:
        """What all people of a course get as it is, beside the assignments that it released."""
        return self.srv / "course"

    @property
    def courses(self) -> Path:
        """One directory a course, nbgrader's: its account's home, closed to all others."""
        return self.srv / "courses"

    @property
    def config(self) -> Path:
        """On servers' JUPYTER_CONFIG_PATH: one directory for everyone, one more for instructors,
        one for the desk of each course."""
        return self.srv / "config"

    @property
    def exchange(self) -> Path:
        """nbgrader's: what is handed out and in."""
        return self.srv / "exchange"

    @property
    def sandbox(self) -> Path:
        """Where jobs that execute submitted notebooks find them; each directory is for one job."""
        return self.srv / "sandbox"

    @property
    def data(self) -> Path:
        return self.srv / "data"

    def make(self) -> None:
        """Create the tree. Nothing secret lies directly in a directory that everyone may enter."""
        for path in (self.opt, self.etc, self.var, self.srv, self.homes, self.logs,
                     self.kernels, self.jupyter, self.course, self.courses, self.data):
            path.mkdir(parents=True, exist_ok=True)
        self.hub_state.mkdir(mode=0o700, exist_ok=True)
        self.sandbox.mkdir(mode=0o711, exist_ok=True)

    def write_defaults(self) -> None:
        """A workshop.yml and an attendees.csv to start from, where there is none. Never overwrites."""
        if not self.workshop.exists():
            for name in ("attendees.csv", "workshop.yml"):
                if not (self.etc / name).exists():
                    shutil.copy(Path(__file__).parent / "defaults" / name, self.etc / name)
