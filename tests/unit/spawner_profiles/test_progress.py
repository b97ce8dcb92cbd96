from types import SimpleNamespace

from spawner_profiles.jobs import Job, Phase
from spawner_profiles.progress import describe, duration


def job(phase: Phase, **facts) -> Job:
    return Job("7", "ada", phase, **facts)


def test_each_step_of_a_start():
    assert describe("", None, False, False)["phase"] == "submitted"
    pending = job(Phase.PENDING, reason="others are before you", position=2, expected_start=1e9)
    queued = describe("7", pending, False, False)
    assert (queued["phase"], queued["reason"], queued["position"]) == ("queued", "others are before you", 2)
    assert queued["expected_start"] == 1e9
    assert "expected_start" not in describe("7", job(Phase.PENDING, position=1), False, False)
    starting = describe("7", job(Phase.RUNNING, node="gpu1"), False, False)
    assert (starting["phase"], starting["node"]) == ("starting", "gpu1")
    assert describe("7", job(Phase.RUNNING, node="gpu1"), False, True)["phase"] == "connecting"


def test_a_silent_scheduler_is_no_end():
    for known in (None, job(Phase.RUNNING, node="gpu1")):
        event = describe("7", known, True, False)
        assert event["phase"] == "queued" and "nothing is lost" in event["message"]


def test_in_line_the_place_is_told_and_the_time_once_it_is_known():
    place = SimpleNamespace(position=7, seconds=None)
    assert describe("", None, False, False, place)["message"] == "Your start is number 7 in line"
    place.seconds = 3.2
    event = describe("", None, False, False, place)
    assert event["message"] == "Your start is number 7 in line; about 4 s"
    assert (event["phase"], event["position"], event["seconds"]) == ("in_line", 7, 4)
    assert describe("", None, False, False, SimpleNamespace(position=None))["phase"] == "submitted"


def test_durations_are_for_people():
    assert [duration(seconds) for seconds in (0, 45, 60, 600, 7200, 5400)] == [
        "0 s", "45 s", "1 min", "10 min", "2 h", "1 h 30 min"]


def test_a_server_that_listens_is_told_though_the_scheduler_was_not_asked_or_is_silent():
    for silent in (False, True):
        event = describe("12", None, silent=silent, listening=True)
        assert event["phase"] == "connecting" and event["progress"] == 90 and "node" not in event
