import asyncio

import pytest

from spawner_profiles.jobs import Shared


def test_one_query_serves_all_who_ask_at_once():
    asked = 0

    async def ask():
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return asked

    async def twenty():
        shared = Shared(ask, max_age=60)
        answers = await asyncio.gather(*(shared() for _ in range(20)))
        assert answers == [1] * 20
        shared.forget()
        assert await shared() == 2

    asyncio.run(twenty())


def test_an_answer_from_before_a_change_is_not_given_to_who_asks_after_it():
    """A job submitted while a query ran is not in that query's answer, and has not ended."""
    submitted, seen = set(), []

    async def ask():
        known = set(submitted)
        await asyncio.sleep(0.01)
        return known

    async def submit_meanwhile():
        shared = Shared(ask, max_age=60)
        early = asyncio.ensure_future(shared())
        await asyncio.sleep(0.005)
        submitted.add("7")
        shared.forget()
        seen.append(await shared())
        assert await early == set()

    asyncio.run(submit_meanwhile())
    assert seen == [{"7"}]


def test_a_failed_query_is_not_remembered():
    answers = iter([RuntimeError("silent"), "fine"])

    async def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def twice():
        shared = Shared(ask, max_age=60)
        with pytest.raises(RuntimeError):
            await shared()
        assert await shared() == "fine"

    asyncio.run(twice())
