"""The platform under test: one root, one port, real accounts that are removed afterwards."""

from __future__ import annotations

import os
import shutil
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


#: The courses of workshop.yml, for other ones.
COURSES = "courses:\n" + (HERE / "workshop.yml").read_text().partition("courses:\n")[2]


def workshop_in(folder: Path, text: str | None = None) -> Path:
    """A workshop.yml of this text, by default that of the platform, its people and courses beside it."""
    file = folder / "workshop.yml"
    file.write_text((HERE / "workshop.yml").read_text() if text is None else text)
    shutil.copy(HERE / "attendees.csv", folder)
    for course in ("vision", "box"):
        shutil.copytree(HERE / course, folder / course)
    return file


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

    def solve(self, login: str, assignment: str) -> None:
        """Put the model answers of an assignment of the course into a person's home; attendees have none."""
        place = self.layout.homes / login / "mandrill" / assignment
        subprocess.run(["install", "-d", "-o", login, "-g", login, place.parent, place], check=True)
        for notebook in (REPOSITORY / "course_notebooks/source" / assignment).glob("*.ipynb"):
            subprocess.run(["install", "-o", login, "-g", login, notebook, place], check=True)

    def slurm(self, *command: str, user: str | None = None, check: bool = True) -> str:
        """Run a Slurm command on this platform's cluster."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "SLURM_CONF": str(self.layout.slurm_conf)}
        prefix = ["runuser", "-u", user, "--"] if user else []
        return subprocess.run([*prefix, *command], env=environment, capture_output=True, text=True,
                              check=check, cwd="/").stdout
