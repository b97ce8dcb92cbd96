"""The platform under test: one root, one port, real accounts that are removed afterwards."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hub.accounts import read_passwords
from hub.layout import Layout
from tests.person import Person

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ROOT = Path(os.environ.get("MANDRILLHUB_TEST_ROOT", "/var/tmp/mh-test"))
PORT = int(os.environ.get("MANDRILLHUB_TEST_PORT", "18000"))


@dataclass(frozen=True)
class Platform:
    """What ``make up`` started."""

    layout: Layout = Layout(ROOT)
    port: int = PORT
    workshop: Path = HERE / "workshop.yml"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def make(self, target: str, check: bool = True, **variables: str | Path) -> subprocess.CompletedProcess:
        """Run a target of the Makefile as an admin types it."""
        settings = {"ROOT": self.layout.root} | variables
        if target == "up":
            settings = {"PORT": self.port, "WORKSHOP": self.workshop} | settings
        result = subprocess.run(["make", target, *(f"{name}={value}" for name, value in settings.items())],
                                cwd=REPOSITORY, capture_output=True, text=True)
        if check and result.returncode:
            raise AssertionError(f"make {target} failed:\n{result.stdout}\n{result.stderr}")
        return result

    @cached_property
    def passwords(self) -> dict[str, str]:
        return read_passwords(self.layout.passwords)

    def person(self, login: str) -> Person:
        """This person, logged in."""
        person = Person(self.address, login, self.passwords[login])
        answer = person.log_in()
        assert answer.ok and "/hub/login" not in answer.url, f"{login} could not log in"
        return person

    def slurm(self, *command: str, user: str | None = None, check: bool = True) -> str:
        """Run a Slurm command on this platform's cluster."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "SLURM_CONF": str(self.layout.slurm_conf)}
        prefix = ["runuser", "-u", user, "--"] if user else []
        return subprocess.run([*prefix, *command], env=environment, capture_output=True, text=True,
                              check=check, cwd="/").stdout
