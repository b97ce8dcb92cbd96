"""Where wrapspawner breaks with batchspawner; see the table in spawner_profiles/README.md."""

import asyncio
import gc
import json
import logging
import weakref

import pytest
from jupyterhub.spawner import Spawner
from slurm_commands import PORT, TOKEN
from sqlalchemy.orm import object_session

from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.problems import SpawnProblem
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import ProfileSpawner

CATALOG = [Profile(key="cpu", title="CPU", partition="cpu"), Profile(key="gpu", title="GPU", partition="gpu", gpus=1)]


@pytest.fixture
def new(new_spawner):
    """A person's ProfileSpawner before a start; keywords are sections of the hub's configuration."""

    def make(**config):
        spawner = new_spawner(ProfileSpawner, config={"ProfileSpawner": {"catalog": CATALOG}} | config)
        spawner.clear_state()  # as JupyterHub does before every start
        return spawner

    return make


def start(spawner, commands, profile="gpu"):
    """What JupyterHub does: set the options, start; the job's server reports to the person's spawner."""
    commands.squeue("PENDING", "RUNNING")
    commands.before_squeue = lambda answer: spawner.report_port(PORT) if "RUNNING" in answer[1] else None
    spawner.user_options = {"profile": profile}
    spawner.api_token = TOKEN
    return asyncio.run(asyncio.wait_for(spawner.start(), 5))


def test_the_port_reaches_the_spawner_that_waits_for_it(new, commands):
    spawner = new()
    assert start(spawner, commands) == ("node7", PORT)
    assert spawner.owns(TOKEN) and not spawner.owns("another") and not spawner.owns("")


@pytest.mark.parametrize("options, state", [
    ({"profile": "nope"}, {}), ({}, {"profile": "gone", "child_state": {"job_id": "7"}}), ({}, {}),
    ({"profile": ""}, {})])
def test_an_unknown_profile_never_becomes_a_process_of_the_hub(new, options, state):
    spawner = new()
    spawner.user_options = options
    spawner.load_state(state)
    assert isinstance(spawner.construct_child(), JobSpawner)
    assert spawner.child_spawner.job_id == state.get("child_state", {}).get("job_id", "")


def test_an_unknown_profile_starts_nothing(new, commands):
    with pytest.raises(SpawnProblem, match="there is no profile 'nope'"):
        start(new(), commands, profile="nope")
    assert commands.asked == []


def test_progress_before_there_is_a_job(new, commands):
    async def first_event(spawner):
        spawner._spawn_pending = True
        async for event in spawner._generate_progress():
            if event["progress"]:  # JupyterHub's own first one has 0
                return event

    spawner = new()
    assert spawner.child_spawner is None
    assert asyncio.run(asyncio.wait_for(first_event(spawner), 5))["phase"] == "submitted"


def test_what_is_configured_for_the_jobs_class_stays(new, commands):
    spawner = new(SlurmJobSpawner={"env_keep": ["LANG"], "environment": {"PATH": "/opt/bin", "OWN": "1"}},
                  BatchSpawnerBase={"start_timeout": 900}, Spawner={"http_timeout": 77, "environment": {"ALL": "1"}})
    start(spawner, commands)
    child = spawner.child_spawner
    assert child.env_keep == ["LANG"]
    assert commands.environment()["PATH"] == "/opt/bin" and commands.environment()["OWN"] == "1"
    assert spawner.start_timeout == child.start_timeout == 900, "JupyterHub asks the wrapper"
    assert spawner.http_timeout == child.http_timeout == 77, "what is for all spawners is for both"


def test_batchspawners_own_defaults_stay(new):
    spawner = new()
    child = spawner.construct_child()
    assert child.ip == "0.0.0.0", "the hub is on another machine"
    assert spawner.start_timeout == child.start_timeout > 86400, "a start that waits has not failed"
    assert new(Spawner={"start_timeout": 7}).start_timeout == 7
    assert new(ProfileSpawner={"catalog": CATALOG, "start_timeout": 8}).start_timeout == 8


def test_what_the_hub_sets_on_the_wrapper_reaches_the_job(new):
    """Before the child exists and after: JupyterHub's own settings, group overrides, a pre_spawn_hook."""
    spawner = new(ProfileSpawner={"catalog": CATALOG, "environment": {"HERE": "1"}})
    spawner.api_token = TOKEN
    child = spawner.construct_child()
    assert child.api_token == TOKEN and child.environment["HERE"] == "1"
    spawner.environment["HOOK"] = "1"
    spawner.cert_paths = {"keyfile": "k", "certfile": "c", "cafile": "a"}
    spawner.default_url = "/lab/tree/there"
    environment = child.get_env()
    assert environment["HOOK"] == "1" and environment["JUPYTERHUB_SSL_KEYFILE"] == "k"
    assert environment["JUPYTERHUB_DEFAULT_URL"] == "/lab/tree/there"


def test_a_childs_life_ends_with_its_server(new, commands):
    """wrapspawner's links would keep each child of each start in memory."""
    spawner = new()
    for _ in range(3):
        start(spawner, commands)
        child = weakref.ref(spawner.child_spawner)
        spawner.clear_state()
        commands.before_squeue = None
        gc.collect()
        assert child() is None


def test_nothing_deprecated_and_nothing_dirty(new, commands, caplog):
    """Else the hub logs "Rolling back dirty objects" at the next request, and what was written is lost."""
    spawner = new()
    spawner.log = logging.getLogger("test")
    with caplog.at_level(logging.DEBUG):
        start(spawner, commands)
        asyncio.run(spawner.poll())
    session = object_session(spawner.orm_spawner)
    assert not session.dirty and not session.new and not session.deleted
    assert spawner.orm_spawner.state["child_state"]["job_id"] == "12345", "written without the hub's help"
    assert "deprecated" not in caplog.text and "no underlying orm_spawner" not in caplog.text
    assert "db" not in spawner._trait_values and "db" not in spawner.child_spawner._trait_values


def test_the_debug_log_has_no_token(new, commands, caplog):
    spawner = new()
    with caplog.at_level(logging.DEBUG):
        for logger in (spawner.log, spawner.construct_child().log):
            logger.addHandler(caplog.handler)
            logger.setLevel(logging.DEBUG)
        try:
            start(spawner, commands)
            asyncio.run(spawner.poll())
            commands.squeue("CANCELLED")
            asyncio.run(spawner.stop())
        finally:
            for logger in (spawner.log, spawner.child_spawner.log):
                logger.removeHandler(caplog.handler)
    assert "Submitted job 12345" in caplog.text and "Cancelling job 12345" in caplog.text
    assert TOKEN not in caplog.text


def test_a_restarted_hub_finds_job_and_profile(new, commands):
    before = new()
    start(before, commands)
    state = json.loads(json.dumps(before.get_state()))
    after = new()
    after.user_options = {"profile": "gpu"}
    after.load_state(state)
    assert (after.child_profile, after.child_spawner.job_id) == ("gpu", "12345")
    assert after.child_spawner.req_partition == "gpu" and asyncio.run(after.poll()) is None


def test_one_persons_job_does_not_change_anothers_profile(new, commands):
    """wrapspawner updates the catalog's own dictionary with what one server remembers."""
    one = new()
    one.user_options = {"profile": "gpu"}
    one.load_state({"profile": "gpu", "child_conf": {"req_memory": "99"}, "child_state": {}})
    other = new()
    other.user_options = {"profile": "gpu"}
    other.profiles = one.profiles
    assert other.construct_child().req_memory == "2048"


def test_it_overrides_no_more_of_jupyterhub_than_it_says():
    assert issubclass(ProfileSpawner, Spawner) and ProfileSpawner.create_certs is Spawner.create_certs
