import asyncio
import time

import pytest

from spawner_profiles.jobs import SchedulerSilent, Shared


class Scheduler:
    """Counts how often it is asked."""

    def __init__(self, takes_s: float = 0.005, silent: bool = False) -> None:
        self.asked, self.takes_s, self.silent = 0, takes_s, silent
        self.submitted: set[str] = set()

    async def __call__(self) -> tuple[int, set[str]]:
        self.asked += 1
        known = set(self.submitted)
        await asyncio.sleep(self.takes_s)
        if self.silent:
            raise SchedulerSilent("no answer")
        return self.asked, known


def test_one_query_serves_all_who_ask_at_once():
    scheduler = Scheduler()

    async def twenty():
        shared = Shared(scheduler)
        answers = await asyncio.gather(*(shared(max_age=60) for _ in range(20)))
        assert [number for number, _ in answers] == [1] * 20
        shared.forget()
        assert (await shared(max_age=60))[0] == 2

    asyncio.run(twenty())


def test_who_waits_for_a_start_gets_a_fresher_answer_than_who_only_checks():
    scheduler = Scheduler(takes_s=0)

    async def two():
        shared = Shared(scheduler)
        await shared(max_age=20)
        await asyncio.sleep(0.05)
        await shared(max_age=20)
        assert scheduler.asked == 1
        await shared(max_age=0.01)
        assert scheduler.asked == 2

    asyncio.run(two())


def test_an_answer_from_before_a_change_is_not_given_to_who_asks_after_it():
    """A job submitted while a query ran is not in that query's answer, and has not ended."""
    scheduler = Scheduler(takes_s=0.02)

    async def submit_meanwhile():
        shared = Shared(scheduler)
        early = asyncio.ensure_future(shared(max_age=60))
        await asyncio.sleep(0.005)
        scheduler.submitted.add("7")
        shared.forget()
        assert (await shared(max_age=60))[1] == {"7"}
        assert (await early)[1] == set()

    asyncio.run(submit_meanwhile())


def test_a_slow_scheduler_is_asked_less_often():
    scheduler = Scheduler(takes_s=0.05)

    async def ask():
        shared = Shared(scheduler)
        await shared(max_age=0)
        await asyncio.sleep(0.1)
        await shared(max_age=0)
        assert scheduler.asked == 1
        await asyncio.sleep(0.15)
        await shared(max_age=0)
        assert scheduler.asked == 2

    asyncio.run(ask())


def test_those_who_wait_while_the_scheduler_is_silent_share_the_silence_and_it_ends():
    scheduler = Scheduler(takes_s=0.02, silent=True)

    async def twenty():
        shared = Shared(scheduler)
        answers = await asyncio.gather(*(shared(max_age=0.01) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(answer, SchedulerSilent) for answer in answers) and scheduler.asked == 1
        scheduler.silent = False
        await asyncio.sleep(0.1)
        assert (await shared(max_age=0.01))[0] == 2

    asyncio.run(twenty())


def test_other_errors_are_not_hidden():
    async def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Shared(broken)(max_age=1))


def test_a_busy_hub_is_no_slow_scheduler():
    """The event loop is held up for half a second while the scheduler is asked: its answer is not kept for longer."""
    scheduler = Scheduler(takes_s=0.03)

    async def held_up():
        shared = Shared(scheduler)
        asking = asyncio.ensure_future(shared(max_age=0.05))
        await asyncio.sleep(0.005)
        time.sleep(0.5)
        await asking
        await shared(max_age=0.05)
        assert scheduler.asked == 2

    asyncio.run(held_up())
