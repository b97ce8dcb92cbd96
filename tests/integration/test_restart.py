"""The hub survives its restart: running servers stay up and are still the person's."""

import time

from hub.daemons import Daemons


def test_a_running_server_outlives_the_hub(platform, ada, bela):
    ada.start("cpu")
    before = ada.server()["started"], ada.run("import os; print(os.getppid())")
    daemons = Daemons(platform.layout, platform.layout.hub_bin)
    daemons.restart("hub")
    deadline = time.monotonic() + 60
    while not _answers(ada):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    # Logged in still, the same server, the same process; and nobody else's.
    assert ada.server()["ready"] and ada.server()["started"] == before[0]
    assert ada.run("import os; print(os.getppid())") == before[1]
    assert bela.get("/user/mh-ada/api/contents").status_code in (403, 404)
    ada.stop()
    assert "mh-ada" not in platform.slurm("squeue", "--noheader", "--states=PD,R", "--format=%u")


def test_a_job_that_ended_while_the_hub_was_away_is_noticed(platform, ada):
    ada.start("cpu")
    daemons = Daemons(platform.layout, platform.layout.hub_bin)
    daemons.stop("hub")
    platform.slurm("scancel", "--user=mh-ada")
    platform.make("up")
    deadline = time.monotonic() + 60
    while not _answers(ada) or ada.server() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    ada.start("cpu")


def test_a_silent_scheduler_is_waited_for(platform, ada):
    ada.start("cpu")
    Daemons(platform.layout, platform.layout.hub_bin).stop("slurmctld")
    try:
        deadline = time.monotonic() + 30
        while ada.get("/hub/mandrillhub/capacity").json()["cpu"]["free"] is not None:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        # Unknown is not gone: the server works on, and a stop waits for the scheduler.
        assert ada.lab().ok and ada.server()["ready"]
        assert ada.api("DELETE", "users/mh-ada/server").status_code == 202
        assert ada.server()["pending"] == "stop"
    finally:
        platform.make("up")
    deadline = time.monotonic() + 60
    while ada.server() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "mh-ada" not in platform.slurm("squeue", "--noheader", "--states=PD,R", "--format=%u")


def _answers(person) -> bool:
    return person.api("GET", f"users/{person.login}").status_code == 200
