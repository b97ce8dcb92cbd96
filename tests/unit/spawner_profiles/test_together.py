"""Many starts, few commits."""

import asyncio

import pytest
from jupyterhub import orm
from sqlalchemy import event

from spawner_profiles import together


@pytest.fixture
def session():
    session = orm.new_session_factory(url="sqlite:///:memory:")()
    user = orm.User(name="ada")
    session.add_all([user, *(orm.Spawner(user=user, name=str(number)) for number in range(5))])
    session.commit()
    return session


def test_those_who_write_in_the_same_moment_share_a_commit(session):
    commits = []
    event.listen(session, "after_commit", lambda _: commits.append(1))

    async def everybody():
        await asyncio.gather(*(together.write(spawner, lambda name=spawner.name: {"job_id": name})
                               for spawner in session.query(orm.Spawner)))

    asyncio.run(everybody())
    assert len(commits) == 1
    assert {spawner.state["job_id"] for spawner in session.query(orm.Spawner)} == set("01234")


def test_what_is_written_is_the_state_of_that_moment_and_no_request_can_roll_it_back(session):
    spawner, state = session.query(orm.Spawner).first(), {"job_id": "7"}

    async def one():
        written = together.write(spawner, lambda: dict(state))
        assert not session.dirty, "JupyterHub would roll it back at the end of any request"
        state.clear()  # stopped meanwhile
        await written

    asyncio.run(one())
    assert spawner.state == {}


def test_a_server_that_was_deleted_meanwhile_keeps_nobody_from_writing(session):
    gone, other = session.query(orm.Spawner).limit(2)

    async def both():
        written = together.write(gone, lambda: {"job_id": "1"}), together.write(other, lambda: {"job_id": "2"})
        session.delete(gone)
        session.commit()
        await asyncio.gather(*written)

    asyncio.run(both())
    assert other.state == {"job_id": "2"}


def test_a_commit_that_fails_is_told_to_those_who_wait(session):
    def fail():
        raise ValueError("no state")

    async def one():
        await together.write(session.query(orm.Spawner).first(), fail)

    with pytest.raises(ValueError, match="no state"):
        asyncio.run(one())
