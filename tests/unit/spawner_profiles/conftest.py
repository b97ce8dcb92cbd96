"""JupyterHub's own spawners of a user in a database, and Slurm's commands with answers that the test writes."""

import getpass
import re

import pytest
from jupyterhub import orm
from jupyterhub.objects import Hub
from jupyterhub.user import User
from sqlalchemy.orm import object_session
from traitlets.config import Config

from spawner_profiles import slurm
from spawner_profiles.slurm_job import SlurmJobSpawner

PORT = 54321
TOKEN = "0123456789abcdef-a-token"


class Commands:
    """What Slurm's commands answer: per command a list of ``(exit status, output, errors)``, the last one for ever."""

    def __init__(self):
        self.answers = {"sbatch": [(0, "12345", "")], "scancel": [(0, "", "")], "squeue": [(0, "", "")]}
        self.asked = []
        self.options = []
        self.scripts = []
        #: Called before each squeue is answered, with its answer: the place to let a server report its port.
        self.before_squeue = lambda answer: None

    async def run(self, *command, stdin="", timeout=30, **process):
        name = next(word for word in ("sbatch", "squeue", "scancel") if re.search(rf"\b{word}\b", " ".join(command)))
        self.asked.append(command)
        if name == "sbatch":
            self.scripts.append(stdin)
            self.options.append(process)
        waiting = self.answers[name]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if name == "squeue":
            self.before_squeue(answer)
        return answer

    def squeue(self, *states, job_id="12345"):
        """Queue these states of the job, e.g. PENDING, RUNNING; None: an empty list, SILENT: no answer."""
        self.answers["squeue"] = [self.line(state, job_id) for state in states]

    def line(self, state, job_id):
        if state == "SILENT":
            return 1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
        node = "node7" if state == "RUNNING" else ""
        line = f"{job_id}|{getpass.getuser()}|{state}|cpu|{node}|N/A|None\n"
        return 0, line if state else "", ""

    def names(self):
        """The commands that ran, without repeats that follow each other."""
        names = [re.search(r"sbatch|squeue|scancel", " ".join(command))[0] for command in self.asked]
        return [name for before, name in zip([None, *names], names) if name != before]


@pytest.fixture
def commands(monkeypatch):
    commands = Commands()
    monkeypatch.setattr(slurm, "run_command", commands.run)
    monkeypatch.setattr(SlurmJobSpawner, "scheduler", slurm.Slurm())  # with an empty memory
    return commands


@pytest.fixture(scope="session")
def orm_user():
    db = orm.new_session_factory("sqlite:///:memory:")()
    user = orm.User(name=getpass.getuser())
    db.add(user)
    db.commit()
    yield user
    db.close()


@pytest.fixture
def new_spawner(orm_user):
    """Call it with a class, a configuration and traits: a new spawner of this account, as the hub makes it."""

    for remembered in orm_user.orm_spawners.values():
        remembered.state = remembered.user_options = None
    object_session(orm_user).commit()

    def make(spawner_class=SlurmJobSpawner, config=None, server_name="", **traits):
        config = Config({"JobSpawner": {"poll_seconds": 0}, **(config or {})})
        user = User(orm_user, {"hub": Hub(), "config": config, "spawner_class": spawner_class})
        traits = {"cmd": ["singleuser_command"], "api_token": TOKEN} | traits
        return user._new_spawner(server_name, spawner_class=spawner_class, **traits)

    return make
