"""A job that ended by itself is remembered for the pages; a start that waits has clocks of its own."""

import asyncio
import re
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from jupyterhub import orm
from slurm_commands import PORT, TOKEN
from sqlalchemy.orm import object_session

from spawner_profiles import together
from spawner_profiles.jobs import Job, Phase
from spawner_profiles.problems import SpawnProblem
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import ProfileSpawner

CATALOG = [Profile(key="cpu", title="CPU", partition="cpu", queue_wait=timedelta(minutes=90))]


@pytest.fixture
def new(new_spawner):
    def make(**options):
        return new_spawner(ProfileSpawner, {"ProfileSpawner": {"catalog": CATALOG}}, **options)

    return make


@pytest.fixture
def running(new, commands):
    """A server that runs, as JupyterHub starts one."""
    spawner = new()
    spawner.clear_state()
    spawner.user_options, spawner.api_token = {"profile": "cpu"}, TOKEN
    commands.squeue("RUNNING")
    commands.before_squeue = lambda answer: spawner.report_port(PORT)

    async def live():
        await asyncio.wait_for(spawner.start(), 5)
        await spawner.poll()
        await asyncio.sleep(5 * together.GATHER_S)  # until the database knows

    asyncio.run(live())
    commands.before_squeue = lambda answer: None
    return spawner


def poll(spawner):
    if spawner.child_spawner:
        spawner.child_spawner.scheduler.jobs.forget()
    return asyncio.run(spawner.poll())


@pytest.mark.parametrize("states", [["NODE_FAIL"], ["COMPLETING", "COMPLETING", "NODE_FAIL"]])
def test_why_when_and_where(running, commands, states):
    commands.squeue(*states)
    running.child_spawner.poll_seconds = 1
    assert poll(running) == 1
    end = running.last_end()
    assert (end["reason"], end["node"], end["profile"]) == ("its node failed", "node7", "cpu")
    assert re.fullmatch(r"\d\d:\d\d", end["when"]) and abs(end["at"] - time.time()) < 10


def test_two_who_ask_at_once_hear_the_same(running, commands):
    commands.squeue("COMPLETING", "COMPLETING", "OUT_OF_MEMORY")

    async def two():
        return await asyncio.gather(running.poll(), running.poll())

    running.child_spawner.scheduler.jobs.forget()
    running.child_spawner.poll_seconds = 1
    assert asyncio.run(two()) == [1, 1]
    assert running.last_end()["reason"] == "it used more memory than its profile gives"


def test_it_outlives_the_hub_and_ends_with_the_next_start(running, commands, new):
    commands.squeue("TIMEOUT")
    poll(running)
    running.clear_state()
    state = running.get_state()
    again = new()
    again.load_state(state)
    assert again.last_end()["reason"] == "its time was over"
    commands.squeue("RUNNING")
    commands.before_squeue = lambda answer: again.report_port(PORT)
    again.clear_state()
    again.user_options, again.api_token = {"profile": "cpu"}, TOKEN
    asyncio.run(asyncio.wait_for(again.start(), 5))
    assert again.last_end() is None and "end" not in again.get_state()


def test_one_that_ended_while_the_hub_was_away_has_no_time(running, commands, new):
    server_token(running)
    again = new(api_token="")
    again.user_options = {"profile": "cpu"}
    commands.squeue("NODE_FAIL")
    poll(again)
    poll(again)  # JupyterHub's own, while it cleans up
    assert again.last_end()["reason"] == "its node failed" and again.last_end()["when"] is None


def test_a_stop_is_no_end_by_itself(running, commands):
    commands.squeue("COMPLETING", "CANCELLED")
    asyncio.run(running.stop())
    assert poll(running) == 1 and running.last_end() is None


def test_a_job_that_ends_before_its_server_runs_fails_the_start_and_no_more(new, commands):
    spawner = new()
    spawner.clear_state()
    spawner.user_options, spawner.api_token = {"profile": "cpu"}, TOKEN
    commands.squeue("RUNNING", "NODE_FAIL")
    with pytest.raises(SpawnProblem, match="ended before the server was ready: its node failed"):
        asyncio.run(spawner.start())
    assert poll(spawner) == 1 and spawner.last_end() is None


def test_whoever_asks_wakes_those_whose_job_has_ended(running):
    heard = []
    running.child_spawner.noticed = lambda: heard.append(True)
    tell = running.child_spawner.scheduler.jobs.heard
    tell({"12345": Job("12345", "ada", Phase.RUNNING), "9": Job("9", "ada", Phase.ENDED)})
    assert not heard
    tell({"12345": Job("12345", "ada", Phase.ENDED)})
    assert heard


def server_token(spawner):
    """What JupyterHub makes at a start, beside another token of the same person."""
    session = object_session(spawner.orm_spawner)
    spawner.orm_spawner.server = orm.Server(base_url="/user/ada/")
    if not session.query(orm.OAuthClient).count():
        session.add(orm.OAuthClient(identifier="hub", redirect_uri="", secret=""))
    for note in ("Server at /user/ada/", "my own"):
        session.add(orm.APIToken(user=spawner.orm_spawner.user, note=note, prefix="0", hashed=uuid4().hex,
                                 client_id="hub"))
    session.commit()


def notes_of_tokens(spawner):
    return {token.note for token in spawner.orm_spawner.user.api_tokens}


def test_a_restarted_hub_revokes_the_token_of_a_job_that_was_lost(running, commands, new):
    server_token(running)
    state = running.get_state()
    again = new(api_token="")
    again.load_state(state)
    commands.squeue("NODE_FAIL")
    poll(again)
    assert notes_of_tokens(again) == {"my own"}


def test_a_start_that_was_in_line_when_the_hub_died_is_told(new, commands):
    spawner = new()
    server_token(spawner)
    spawner.user_options = {"profile": "cpu"}
    assert asyncio.run(spawner.poll()) == 1
    assert spawner.last_end()["reason"] == "in_line" and not commands.asked


def test_a_refused_start_is_not_taken_for_one(new):
    spawner = new()
    spawner.clear_state()
    server_token(spawner)
    assert asyncio.run(spawner.poll()) == 1 and spawner.last_end() is None


# ---- clocks


def test_a_queue_wait_that_is_over_is_told_and_survives_the_hub(new, commands):
    spawner = new()
    spawner.clear_state()
    spawner.user_options, spawner.api_token = {"profile": "cpu"}, TOKEN
    commands.squeue("PENDING")

    async def cancelled_hub():
        start = asyncio.ensure_future(spawner.start())
        while not spawner.child_spawner or not spawner.child_spawner.job:
            await asyncio.sleep(0.01)
        assert not start.done(), "it may wait"
        start.cancel()

    asyncio.run(cancelled_hub())
    again = new()
    again.load_state(spawner.get_state())
    child = again.child_spawner
    assert child.req_queue_wait_s == "5400" and abs(child.submitted_at - time.time()) < 10
    child.submitted_at -= 5401
    with pytest.raises(SpawnProblem, match=r"waited for 1 h 30 min.*CPU.*cancelled.*Choose a machine that is free"):
        asyncio.run(asyncio.wait_for(child.until_ready(), 5))


def test_a_server_that_does_not_come_up_is_given_up(new, commands):
    spawner = new()
    spawner.clear_state()
    spawner.user_options, spawner.api_token = {"profile": "cpu"}, TOKEN
    spawner.construct_child()
    spawner.child_spawner.boot_seconds = 0
    commands.squeue("RUNNING")
    with pytest.raises(SpawnProblem, match=r"runs on node7, but its server did not start in 0 s.*Its log is"):
        asyncio.run(asyncio.wait_for(spawner.start(), 5))


def test_who_cancels_in_line_was_never_submitted(new, commands):
    spawner = new()
    spawner.clear_state()
    spawner.user_options, spawner.api_token = {"profile": "cpu"}, TOKEN
    admission = spawner.construct_child().scheduler.admission
    admission.limit = 0

    async def cancel():
        start = asyncio.ensure_future(spawner.start())
        await asyncio.sleep(0.05)
        async for event in spawner.progress():
            assert (event["phase"], event["position"]) == ("in_line", 1)
            break
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)

    asyncio.run(cancel())
    assert not commands.asked and not admission._line


def test_a_class_at_once_on_a_slow_scheduler_all_get_there(new_spawner, commands):
    """Sixty people, a scheduler that takes 50 ms and more the more are at it; nobody sees an error."""
    spawners = [new_spawner() for _ in range(60)]
    numbers, now, most = iter(range(1, 61)), 0, 0
    everybody = "".join(commands.line("RUNNING", number)[1] for number in range(1, 61))
    commands.answers["squeue"] = [(0, everybody, "")]
    commands.before_squeue = lambda answer: [spawner.report_port(PORT) for spawner in spawners if spawner.job_id]
    fast = commands.run

    async def slow(*command, **options):
        nonlocal now, most
        if "sbatch" not in " ".join(command):
            return await fast(*command, **options)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005 * now)
        now -= 1
        return 0, str(next(numbers)), ""

    async def start(spawner):
        spawner.poll_seconds = 0
        positions = []

        async def follow():
            async for event in spawner.progress():
                if event["phase"] == "in_line":
                    positions.append(event["position"])

        following = asyncio.ensure_future(follow())
        await spawner.start()
        following.cancel()
        return positions

    async def press():
        return await asyncio.gather(*map(start, spawners))

    from spawner_profiles import slurm
    slurm.run_command = slow  # the fixture puts it back
    places = asyncio.run(asyncio.wait_for(press(), 20))
    assert len({spawner.job_id for spawner in spawners}) == 60 and most < 60
    assert max(max(seen, default=0) for seen in places) > 30, "the last were told how far back they stood"
    assert all(seen == sorted(seen, reverse=True) for seen in places), "and only ever moved forward"
