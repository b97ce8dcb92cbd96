"""JupyterHub's own spawners of a user in a database, and Slurm's commands with answers that the test writes."""

import getpass

import pytest
from jupyterhub import orm
from jupyterhub.objects import Hub
from jupyterhub.user import User
from slurm_commands import TOKEN, Commands
from sqlalchemy.orm import object_session
from traitlets.config import Config

from spawner_profiles import slurm
from spawner_profiles.slurm_job import SlurmJobSpawner


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
        if server_name and server_name not in orm_user.orm_spawners:
            user.db.add(orm.Spawner(user=orm_user, name=server_name))
            user.db.commit()
        traits = {"cmd": ["singleuser_command"], "api_token": TOKEN} | traits
        return user._new_spawner(server_name, spawner_class=spawner_class, **traits)

    return make
