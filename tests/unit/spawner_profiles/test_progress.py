from spawner_profiles.jobs import Job, Phase
from spawner_profiles.progress import describe


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
