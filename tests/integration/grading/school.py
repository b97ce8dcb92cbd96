"""Two courses and their people as real Unix accounts, in a directory of their own: no platform need be running."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hub.grading import config, places

SOURCE = Path(__file__).parents[3]
OPT = Path(os.environ.get("MANDRILLHUB_TEST_ROOT", "/var/tmp/mh-test")) / "opt/mandrillhub"
NBGRADER = OPT / "server/bin/nbgrader"
KERNELS = OPT.parents[1] / "srv/mandrillhub/jupyter"
#: Of the course `vision`: ada, bela. Of `audio`: eve.
PEOPLE = {"vision": ["mh-x-ada", "mh-x-bela"], "audio": ["mh-x-eve"]}
ACCOUNTS = {course: f"mh-x-{course}" for course in PEOPLE}
EVERYBODY = [*ACCOUNTS.values(), *(login for people in PEOPLE.values() for login in people)]
ASSIGNMENT = "ps1"


@dataclass
class Ran:
    rc: int
    out: str
    cpu: float = 0


class School:
    def __init__(self, people: dict[str, list[str]] = PEOPLE) -> None:
        self.people = people
        self.accounts = [*ACCOUNTS.values(), *(login for each in people.values() for login in each)]
        self.root = Path(tempfile.mkdtemp(prefix="mh-x-", dir="/var/tmp"))
        self.root.chmod(0o755)
        self.exchange = self.root / "exchange"
        self.remove_accounts()
        for login in self.accounts:
            subprocess.run(["useradd", "--create-home", "--home-dir", self.root / "home" / login, "--user-group",
                            "-K", "HOME_MODE=0700", login], check=True, capture_output=True)
        # A copy that every account can read, wherever the clone lies.
        shutil.copytree(SOURCE / "hub", self.root / "source/hub", ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run([OPT / "server/bin/python", "-m", "compileall", "-q", self.root / "source/hub/grading"],
                       check=True)
        settings = self.root / "config/nbgrader_config.py"
        settings.parent.mkdir()
        settings.write_text(config.NBGRADER_CONFIG.format(course="", exchange=str(self.exchange)))
        for course in people:
            self.make_places(course)
            for step in ("source", "release"):
                self.write(ACCOUNTS[course], f"{step}/{ASSIGNMENT}/p1.ipynb", json.dumps(notebook()))
        self.forks = subprocess.Popen(
            [OPT / "server/bin/python", Path(__file__).with_name("forked.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def make_places(self, course: str) -> bool:
        return places.make(self.exchange, course, ACCOUNTS[course], self.people[course])

    def close(self) -> None:
        self.forks.stdin.close()
        self.forks.wait(30)
        self.remove_accounts()
        shutil.rmtree(self.root)

    def remove_accounts(self) -> None:
        for login in self.accounts:
            subprocess.run(["userdel", "--force", login], capture_output=True)

    def home(self, login: str) -> Path:
        return self.root / "home" / login

    def place(self, login: str, course: str = "vision") -> Path:
        return self.exchange / course / "people" / login

    def write(self, login: str, name: str, text: str) -> Path:
        """A file in somebody's home, theirs."""
        path = self.home(login) / name
        account = pwd.getpwnam(login)
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir()
                os.chown(folder, account.pw_uid, account.pw_gid)
        path.write_text(text)
        os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def command(self, login: str, *argv: str) -> Ran:
        """`nbgrader ...` as that account types it: a process of its own."""
        ran = subprocess.run([NBGRADER, *argv], **self._account(login), env=self._environment(login), umask=0o022,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.home(login))
        return Ran(ran.returncode, ran.stdout)

    def nbgrader(self, login: str, *argv: str) -> Ran:
        """The same without the imports."""
        return self._fork(login, argv=argv)

    def python(self, login: str, code: str) -> Ran:
        return self._fork(login, code=code)

    def shell(self, login: str, command: str, cwd: Path | None = None) -> Ran:
        ran = subprocess.run(["/bin/sh", "-c", command], **self._account(login), cwd=cwd or self.home(login), text=True,
                             env={"HOME": str(self.home(login)), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return Ran(ran.returncode, ran.stdout)

    def answer(self, login: str, text: str, course: str = "vision") -> None:
        """Write an answer into the exercise of somebody's fetched notebook."""
        path = self.home(login) / course / ASSIGNMENT / "p1.ipynb"
        content = json.loads(path.read_text())
        content["cells"][0]["source"] = text
        self.write(login, str(path.relative_to(self.home(login))), json.dumps(content))

    def submissions(self, login: str, course: str = "vision") -> list[Path]:
        return sorted(self.place(login, course).glob("inbound/*"))

    def collected(self, login: str, course: str = "vision") -> Path:
        return self.home(ACCOUNTS[course]) / "submitted" / login / ASSIGNMENT

    def _fork(self, login: str, **task) -> Ran:
        account = pwd.getpwnam(login)
        self.forks.stdin.write(json.dumps({"uid": account.pw_uid, "gid": account.pw_gid, "home": account.pw_dir,
                                           "env": self._environment(login)} | task) + "\n")
        self.forks.stdin.flush()
        return Ran(**json.loads(self.forks.stdout.readline()))

    def _account(self, login: str) -> dict:
        account = pwd.getpwnam(login)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _environment(self, login: str) -> dict[str, str]:
        # nbgrader calls alembic by its bare name.
        return {"HOME": str(self.home(login)), "PATH": f"{NBGRADER.parent}:/usr/bin:/bin", "LANG": "C.UTF-8",
                "JUPYTER_CONFIG_PATH": str(self.root / "config"), "JUPYTER_PATH": str(KERNELS),
                "PYTHONPATH": str(self.root / "source"), "PYTHONDONTWRITEBYTECODE": "1"}


def notebook() -> dict:
    """An exercise and its test, as an instructor writes them."""
    def cell(id: str, source: str, **about) -> dict:
        about = {"grade": False, "solution": False, "locked": False, "schema_version": 3, "grade_id": id,
                 "cell_type": "code", "task": False} | about
        return {"cell_type": "code", "id": id, "metadata": {"nbgrader": about}, "execution_count": None,
                "outputs": [], "source": source}

    return {"nbformat": 4, "nbformat_minor": 5, "cells": [
        cell("twice", "def twice(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n", solution=True),
        cell("test-twice", "assert twice(2) == 4\n", grade=True, locked=True, points=3)],
        "metadata": {"kernelspec": {"name": "pytorch", "display_name": "PyTorch", "language": "python"}}}
