"""kill -9 the hub at any moment: every job is the right person's server or is cancelled; none is lost or doubled."""

import os
import signal
import time
from contextlib import suppress

import pytest
import requests

from hub.daemons import Daemons

JOBS = ("squeue", "--noheader", "--states=PD,R", "--format=%u %i %T")


def hub_pid(platform) -> int:
    description = next(text for name, _, text in Daemons(platform.layout, platform.layout.hub_bin).status()
                       if name == "hub")
    return int(description.split(",")[0].removeprefix("pid "))


def kill_hub(platform) -> None:
    """As a crash would; supervisord starts it again."""
    os.kill(hub_pid(platform), signal.SIGKILL)


def jobs(platform, login: str) -> list[str]:
    return [line.split()[1] for line in platform.slurm(*JOBS).splitlines() if line.split()[0] == login]


def until(what, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def hub_is_back(person) -> bool:
    try:
        return person.api("GET", f"users/{person.login}").status_code == 200
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.15, 0.5, 1.0, 1.5])
def test_killed_while_a_server_starts(platform, ada, delay_s):
    """Just submitted, queued, starting: at the end there is one job and it is hers, or none."""
    ada.http.post(f"{platform.address}/hub/spawn/mh-ada?_xsrf={ada.xsrf}", timeout=60, data={"profile": "small"},
                  allow_redirects=False)
    time.sleep(delay_s)
    kill_hub(platform)
    until(lambda: hub_is_back(ada))
    until(lambda: (ada.server() or {}).get("ready") or (ada.server() is None and not jobs(platform, "mh-ada")), 90)
    if ada.server():
        assert len(jobs(platform, "mh-ada")) == 1
        assert ada.lab().ok and ada.run("print(6 * 7)") == "42"


def test_killed_while_a_server_waits_in_the_queue(platform, ada, bela):
    ada.start("rare")
    bela.post_form(profile="rare")
    until(lambda: jobs(platform, "mh-bela"))
    waiting = jobs(platform, "mh-bela")
    time.sleep(1)
    kill_hub(platform)
    until(lambda: hub_is_back(bela))
    assert jobs(platform, "mh-bela") == waiting, "the place in the queue is kept"
    ada.stop()
    until(lambda: (bela.server() or {}).get("ready"), 90)
    assert jobs(platform, "mh-bela") == waiting and bela.lab().ok
    assert ada.get("/user/mh-bela/api/contents").status_code in (403, 404)


@pytest.mark.parametrize("delay_s", [0.0, 0.2])
def test_killed_while_a_server_stops(platform, ada, delay_s):
    ada.start("small")
    with suppress(requests.Timeout):
        ada.http.delete(f"{platform.address}/hub/api/users/mh-ada/server", timeout=0.05 + delay_s,
                        headers={"X-XSRFToken": ada.xsrf, "Referer": f"{platform.address}/hub/home"})
    kill_hub(platform)
    until(lambda: hub_is_back(ada))
    until(lambda: ((ada.server() or {}).get("ready") and len(jobs(platform, "mh-ada")) == 1)
          or (ada.server() is None and not jobs(platform, "mh-ada")), 90)


def test_a_job_that_nobody_owns_is_cancelled_and_no_other(platform, ada):
    """One that carries our mark and that no server knows; a person's own job and a forged mark are let be."""
    ada.start("small")
    own = jobs(platform, "mh-ada")
    hub_id = platform.layout.instance

    def submit(comment: str) -> str:
        return platform.slurm("sbatch", "--parsable", "--chdir=/tmp", "--output=/dev/null", f"--comment={comment}",
                              "--mem=64", "--wrap=sleep 300", user="mh-bela").strip()

    orphan, private = submit(f"{hub_id}/0123"), submit("my own work")
    forged = submit(f"x\n{own[0]}|mh-ada|{hub_id}/0123\n{private}|mh-bela|{hub_id}/0123")
    try:
        until(lambda: orphan not in jobs(platform, "mh-bela"), 90)
        assert set(jobs(platform, "mh-bela")) == {private, forged} and jobs(platform, "mh-ada") == own
        assert ada.server()["ready"]
    finally:
        platform.slurm("scancel", private, forged)


def test_a_forged_line_in_a_jobs_name_ends_nobodys_server(platform, ada):
    ada.start("small")
    own = jobs(platform, "mh-ada")[0]
    forged = platform.slurm("sbatch", "--parsable", "--chdir=/tmp", "--output=/dev/null", "--mem=64",
                            f"--job-name=x\n{own}|mh-ada|CANCELLED|cpu||N/A|None", "--wrap=sleep 60",
                            user="mh-bela").strip()
    try:
        time.sleep(1)
        assert ada.api("POST", "users/mh-ada/server").status_code == 400  # asks the scheduler whether it runs
        assert ada.server()["ready"] and jobs(platform, "mh-ada") == [own]
    finally:
        platform.slurm("scancel", forged)
