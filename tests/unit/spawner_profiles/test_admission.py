"""A whole class at once, in front of schedulers that are quick, slow, overloaded and silent."""

import asyncio
import time

import pytest

from spawner_profiles import admission as module
from spawner_profiles.admission import FLOOR, INITIAL, Admission


class Cluster:
    """Takes ``seconds`` for a submission, and as many times that as it has submissions beyond ``holds``."""

    def __init__(self, seconds=0.01, holds=1000):
        self.seconds, self.holds, self.now, self.most, self.order = seconds, holds, 0, 0, []

    async def submit(self, who):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds * max(1, self.now / self.holds))
        self.now -= 1
        self.order.append(who)


async def start(admission, cluster, who, silent=False):
    place = admission.enter()
    try:
        await place.admitted
        await cluster.submit(who)
    except asyncio.CancelledError:
        place.leave()
        raise
    place.leave(silent)


def whole_class(cluster, count=100, **options):
    async def run():
        admission = Admission()
        begin = time.monotonic()
        await asyncio.gather(*(start(admission, cluster, who, **options) for who in range(count)))
        assert not admission._line and not admission._under_way
        return time.monotonic() - begin, admission

    return asyncio.run(run())


def test_one_start_does_not_wait():
    async def run():
        admission = Admission()
        place = admission.enter()
        assert place.admitted.done() and place.position is None and place.seconds is None
        place.leave(False)
        assert admission.limit == INITIAL, "a limit that was not reached says nothing"

    asyncio.run(run())


def test_a_class_is_hardly_slower_than_without_a_line():
    took, admission = whole_class(Cluster(seconds=0.05), 200)
    assert took < 0.05 * 8, "10, 20, 40, 80, 50: five rounds instead of one"
    assert admission.limit > 50


def test_all_get_there_first_come_first_served():
    cluster = Cluster(seconds=0.002)
    whole_class(cluster, 100)
    assert sorted(cluster.order) == list(range(100))
    assert all(abs(place - who) < 40 for place, who in enumerate(cluster.order))


def test_a_cluster_that_suffers_is_spared(monkeypatch):
    """It holds 8; at 100 under way a submission would take 12 times as long."""
    monkeypatch.setattr(module, "SLOW_S", 0.05)
    cluster = Cluster(seconds=0.02, holds=8)
    took, admission = whole_class(cluster, 200)
    assert cluster.most < 60 and admission.limit < 60
    assert took < 1.5 * 200 * 0.02 / 8, "and yet it is kept busy: little more than its own pace allows"


def test_a_silent_scheduler_gets_few_at_a_time():
    _, admission = whole_class(Cluster(seconds=0.001), 100, silent=True)
    assert admission.limit == FLOOR


def test_a_late_event_loop_cuts_the_limit(monkeypatch):
    monkeypatch.setattr(module, "LAG_S", 0.02)

    async def run():
        admission = Admission()
        place = admission.enter()
        time.sleep(0.05)  # the hub is busy with something else
        await asyncio.sleep(0)
        assert admission.limit == INITIAL / 2
        place.leave(False)

    asyncio.run(run())


def test_one_slow_round_is_one_cut(monkeypatch):
    monkeypatch.setattr(module, "SLOW_S", 0.01)

    async def run():
        admission = Admission()
        places = [admission.enter() for _ in range(10)]
        admission._quickest = 0.001
        await asyncio.sleep(0.02)
        for place in places:
            place.leave(False)
        assert admission.limit == INITIAL / 2

    asyncio.run(run())


@pytest.mark.parametrize("admitted_meanwhile", [False, True])
def test_who_cancels_gives_the_place_to_the_next(admitted_meanwhile):
    async def run():
        admission, cluster = Admission(), Cluster(seconds=0.05)
        first = [asyncio.ensure_future(start(admission, cluster, who)) for who in range(int(INITIAL))]
        await asyncio.sleep(0)
        leaver = asyncio.ensure_future(start(admission, cluster, "leaver"))
        await asyncio.sleep(0)
        last = admission.enter()
        assert last.position == 2
        if admitted_meanwhile:  # cancelled between its admission and its first step
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        leaver.cancel()
        await asyncio.gather(*first, leaver, return_exceptions=True)
        assert "leaver" not in cluster.order
        assert last.admitted.done() and admission._under_way == {last}
        last.leave()
        assert not admission._under_way

    asyncio.run(run())


def test_the_place_and_the_seconds_are_told():
    async def run():
        admission = Admission()
        under_way = [admission.enter() for _ in range(int(INITIAL))]
        await asyncio.sleep(0.02)
        under_way.pop().leave(False)
        admission.limit = INITIAL
        admission.enter()
        waiting = [admission.enter() for _ in range(5)]
        assert [place.position for place in waiting] == [1, 2, 3, 4, 5]
        assert waiting[4].seconds == pytest.approx(5 * 0.02 / 10, rel=0.5)

    asyncio.run(run())
