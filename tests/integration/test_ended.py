"""A server whose job ended by itself: the person is told why, and starts again with one click."""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
import requests

from hub.daemons import Daemons
from tests.integration.test_durable import kill_hub, until

FORM = re.compile(r'<form class="mh-once" method="post" action="([^"]+)">\s*'
                  r'<button type="submit" name="profile" value="(\w+)"')


def words(html: str) -> str:
    """The text of a page as it is read."""
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def start_again(person, html: str):
    """Press the page's one button."""
    action, profile = FORM.search(html).groups()
    return person.http.post(person.address + action.replace("&amp;", "&"), data={"profile": profile}, timeout=60)


def job(platform, login: str) -> tuple[str, str]:
    """Id and node of the person's one running job."""
    job_id, node = platform.slurm("squeue", "-h", f"--user={login}", "--states=R", "--format=%i %N").split()
    return job_id, node


def ended(person, timeout_s: float = 60) -> str:
    """The page in the place of the server, once the hub knows that it ended."""
    until(lambda: person.server() is None, timeout_s)
    answer = person.get(f"/user/{person.login}/lab")
    assert answer.status_code == 424
    return answer.text


def slurmd(node: str) -> int:
    for process in subprocess.run(["pgrep", "-x", "slurmd"], capture_output=True, text=True).stdout.split():
        with open(f"/proc/{process}/cmdline", "rb") as file:
            if node.encode() in file.read().split(b"\0"):
                return int(process)
    raise AssertionError(f"{node} has no slurmd")


@contextmanager
def silenced(platform, node: str):
    """A node that no longer answers, as one that lost its network: what runs there goes on."""
    pid = slurmd(node)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        Daemons(platform.layout, platform.layout.hub_bin).restart(f"slurmd-{node}")  # it registers at once
        until(lambda: platform.slurm("sinfo", "-h", f"--nodes={node}", "--format=%t").split()[0] in ("idle", "mix"), 90)


@pytest.mark.timeout(300)
def test_a_node_fails_and_one_click_starts_elsewhere(platform, ada):
    ada.start("cpu")
    first, node = job(platform, "mh-ada")
    server = int(ada.run("import os; print(os.getppid())"))
    with open(f"/proc/{server}/environ", "rb") as file:
        environment = dict(entry.split("=", 1) for entry in file.read().decode().split("\0") if "=" in entry)
    with silenced(platform, node):
        html = ended(ada, 120)
        told = words(html)
        assert re.search(r"Your machine ended at \d\d:\d\d", told)
        assert f"CPU notebook on {node}: its node failed. Your files are safe." in told
        home = words(ada.get("/hub/home").text)
        assert f"on {node}: its node failed" in home and "Start again" in home
        assert "its node failed" in words(ada.get("/hub/spawn").text)
        kill_hub(platform)
        until(lambda: _answers(ada))
        assert f"on {node}: its node failed" in words(ada.get("/user/mh-ada/lab").text), "kept in the hub's database"

        assert start_again(ada, html).ok
        assert ada.events()[-1].get("ready")
        second, elsewhere = job(platform, "mh-ada")
        assert second != first and elsewhere != node
        # The lost node's processes are still there. Their token opens nothing, and they can't say that they are hers.
        assert os.path.exists(f"/proc/{server}")
        refused = requests.post(f"{environment['JUPYTERHUB_API_URL']}/batchspawner", json={"port": 20000}, timeout=10,
                                headers={"Authorization": f"token {environment['JUPYTERHUB_API_TOKEN']}"})
        assert refused.status_code == 403
        assert ada.lab().ok and int(ada.run("import os; print(os.getppid())")) != server
        assert "its node failed" not in words(ada.get("/hub/home").text)
    until(lambda: not os.path.exists(f"/proc/{server}"), 60)
    assert job(platform, "mh-ada") == (second, elsewhere) and ada.lab().ok


def test_out_of_memory_is_told(platform, ada):
    """Of the server itself: a kernel that takes too much is killed alone."""
    ada.start("small")
    with pytest.raises(Exception):  # noqa: B017 - the connection breaks, in one way or another
        ada.run("import os\nopen(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('1000')\n"
                "x = []\nwhile True: x.append(bytearray(16 << 20))", timeout_s=20)
    assert "it used more memory than its profile gives" in words(ended(ada))


def test_a_cancelled_job_is_told_and_a_stop_is_not(platform, ada):
    ada.start("small")
    began = time.monotonic()
    platform.slurm("scancel", job(platform, "mh-ada")[0])
    html = ended(ada)
    assert time.monotonic() - began < 45
    assert "Small notebook on" in words(html) and "it was cancelled" in words(html)
    assert start_again(ada, html).ok and ada.events()[-1].get("ready")
    ada.stop()
    home = words(ada.get("/hub/home").text)
    assert "You have no machine running" in home and "Start again" not in home


@pytest.mark.timeout(200)
def test_a_walltime_that_is_over_is_told(platform, ada):
    ada.start("small")
    platform.slurm("scontrol", "update", f"JobId={job(platform, 'mh-ada')[0]}", "TimeLimit=1")
    assert "its time was over" in words(ended(ada, 150))


def test_one_that_ended_while_the_hub_was_away_is_told_without_a_time(platform, ada):
    ada.start("small")
    Daemons(platform.layout, platform.layout.hub_bin).stop("hub")
    platform.slurm("scancel", job(platform, "mh-ada")[0])
    platform.make("up")
    until(lambda: _answers(ada))
    told = words(ended(ada))
    assert "Your machine ended by itself" in told and "it was cancelled" in told


def _answers(person) -> bool:
    try:
        return person.api("GET", f"users/{person.login}").status_code == 200
    except OSError:
        return False
