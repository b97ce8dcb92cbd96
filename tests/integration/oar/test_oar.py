"""Oar and its spawner's script on a real OAR 2.5: two people, refusals, ends of all kinds, a dead node, silence."""

import asyncio
import pwd
import re
import shlex
import stat
import subprocess
import time
from types import SimpleNamespace

import pytest

from spawner_profiles.jobs import Phase, SchedulerSilent, SubmitRefused
from spawner_profiles.oar import Oar
from spawner_profiles.oar_job import OarJobSpawner
from spawner_profiles.oar_resources import wanted
from spawner_profiles.private_file import FOLDER
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import job_options
from tests.integration.oar.cluster import run, until

TOKEN = "secret-5b1f0c"
CPU = Profile(key="cpu", title="CPU", partition="default", cpus=2)
A100 = Profile(key="a100", title="A100", partition="default", gpus=1, gpu_model="a100")
RTX = Profile(key="rtx", title="RTX", partition="default", gpus=1, gpu_model="rtx_2080_ti")
GPU = Profile(key="gpu", title="GPU", partition="default", gpus=1)


def script(profile, body="sleep 600", walltime="0:10:00", name="mandrillhub/x1"):
    resources, properties = wanted(profile.cpus, profile.memory, profile.gpus, profile.gpu_model or "")
    return (f"#!/bin/bash\n#OAR -n {name}\n#OAR -q {profile.partition}\n#OAR -l {resources},walltime={walltime}\n"
            f"#OAR -p {properties}\n#OAR -O job.log\n#OAR -E job.log\nset -eu\n{body}\n")


class Hub:
    """What a hub does with a scheduler, without the hub."""

    def __init__(self):
        self.scheduler = Oar()
        self.submitted = []
        self.loop = asyncio.Runner()  # one loop, as in a hub: the locks of Shared belong to it

    def run(self, operation):
        return self.loop.run(operation)

    def submit(self, user, profile, *rest, environment=None, **options):
        job_id = self.run(
            self.scheduler.submit(script(profile, *rest, **options), user, environment or {}))
        self.submitted.append(job_id)
        return job_id

    def job(self, job_id):
        return self.run(self.scheduler.list_jobs()).get(job_id)

    def cancel(self, job_id):
        self.run(self.scheduler.cancel(job_id))

    def wait(self, job_id, phase, seconds=20):
        return until(lambda: (job := self.job(job_id)) and job.phase is phase and job, seconds,
                     lambda: f"{self.job(job_id)} is not {phase}")

    def capacity(self, *profiles):
        self.scheduler._nodes.forget()
        found = self.run(self.scheduler.capacity(profiles))
        return [(found[profile.key].free, found[profile.key].total) for profile in profiles]


@pytest.fixture
def hub(oar):
    """A hub whose jobs are gone afterwards."""
    hub = Hub()
    yield hub
    for job_id in hub.submitted:
        hub.cancel(job_id)
    for job_id in hub.submitted:
        hub.wait(job_id, Phase.ENDED)
    until(lambda: hub.capacity(CPU, GPU) == [(2, 2), (2, 2)], 20, lambda: str(hub.capacity(CPU, GPU)))
    hub.loop.close()


def log(oar, user):
    path = oar.home(user) / "job.log"
    return path.read_text() if path.exists() else ""


def test_two_people_each_under_their_own_account_and_capacity_follows(oar, hub):
    assert hub.capacity(CPU, A100, RTX, GPU) == [(2, 2), (1, 1), (1, 1), (2, 2)]
    jobs = {user: hub.submit(user, profile, "id -un; exec sleep 600")
            for user, profile in zip(oar.users, (CPU, RTX), strict=True)}
    nodes = []
    for user, job_id in jobs.items():
        job = hub.wait(job_id, Phase.RUNNING)
        nodes.append(job.node)
        assert job.user == user and job.partition == "default" and job.reason == "" and job.position is None
        until(lambda user=user: log(oar, user).startswith(f"{user}\n"))
    assert nodes[0].startswith("oart-cpu") and nodes[1] == "oart-gpu2"
    assert hub.capacity(CPU, A100, RTX, GPU) == [(1, 2), (1, 1), (0, 1), (1, 2)]
    marked = hub.run(hub.scheduler.marked())
    assert [marked[job_id] for job_id in jobs.values()] == [(user, "mandrillhub/x1") for user in jobs]


def test_the_environment_arrives_and_nobody_else_sees_it(oar, hub):
    """Values that a shell would act on arrive as they are, and are on no command line, also while the job waits."""
    user, other = oar.users
    odd = "$(touch pwned) `touch pwned` ' \" \\ \n#OAR -l /nodes=99\n; touch pwned"
    hub.submit(other, A100)
    job_id = hub.submit(user, A100, "printf '%s|' \"$ODD\" \"$JUPYTERHUB_API_TOKEN\" >got; exec sleep 600",
                        environment={"ODD": odd, "JUPYTERHUB_API_TOKEN": TOKEN, "BAD NAME; touch pwned": "x"})
    hub.wait(job_id, Phase.PENDING)
    folder = oar.home(user) / FOLDER
    [file] = folder.iterdir()
    for path, mode in ((folder, 0o700), (file, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode and path.stat().st_uid == pwd.getpwnam(user).pw_uid
    assert TOKEN in file.read_text()

    def seen():
        return run("ps", "-eww", "-o", "args") + run("oarstat", "-f", "-J") + run("oarstat", "-f")
    assert file.name in seen() and TOKEN not in seen()
    hub.cancel(hub.submitted[0])
    hub.wait(job_id, Phase.RUNNING)
    assert TOKEN not in seen()
    until(lambda: (oar.home(user) / "got").exists())
    assert (oar.home(user) / "got").read_text() == f"{odd}|{TOKEN}|"
    assert not list(folder.iterdir()), "the file with the token outlived the start of its job"
    assert not (oar.home(user) / "pwned").exists()
    entry = pwd.getpwnam(other)
    grep = subprocess.run(["grep", "-rlsF", TOKEN, str(oar.home(user)), "/var/lib/oar", "/var/log/oar.log", "/tmp/oar"],
                          user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], capture_output=True, text=True)
    assert set(grep.stdout.split()) <= {str(oar.home(user) / "got")}


def test_a_waiting_job_tells_why_its_place_and_when_it_starts(oar, hub):
    user, other = oar.users
    # One person's, since OAR's fair sharing may let another overtake.
    runs = hub.submit(other, A100)
    hub.wait(runs, Phase.RUNNING)
    ids = [hub.submit(user, A100) for _ in range(2)]
    first, second = (until(lambda i=i: (job := hub.job(i)).expected_start and job) for i in ids)
    assert (first.position, second.position) == (1, 2)
    assert first.reason == "all nodes that fit are busy" and second.reason == "others are before you"
    assert 0 < first.expected_start - time.time() < 660
    assert second.expected_start > first.expected_start
    assert first.node == ""


def test_cancel(oar, hub):
    """One that runs, one that waits (its file goes too), one that has ended, and one that OAR does not know."""
    user = oar.users[0]
    runs, waits = hub.submit(user, A100), hub.submit(user, A100)
    hub.wait(runs, Phase.RUNNING)
    hub.wait(waits, Phase.PENDING)
    for job_id in (waits, runs):
        hub.cancel(job_id)
        assert hub.wait(job_id, Phase.ENDED).reason == "it was cancelled"
        hub.cancel(job_id)
    hub.cancel("987654")
    assert hub.job("987654") is None
    assert not list((oar.home(user) / FOLDER).iterdir())


def test_how_a_job_ended_is_told(oar, hub):
    """By itself, with a failure, and because its time was over, which OAR checks about every ten seconds."""
    late = hub.submit(oar.users[0], A100, walltime="0:00:02")
    for body, reason in (("exit 0", "it ended by itself"), ("exit 3", "its script failed")):
        job_id = hub.submit(oar.users[1], RTX, body)
        assert hub.wait(job_id, Phase.ENDED).reason == reason
    assert hub.wait(late, Phase.ENDED, 40).reason == "its time was over"


@pytest.mark.parametrize("change, words", [
    ({"gpu_model": "h100"}, "There are not enough resources"),
    ({"cpus": 64}, "There are not enough resources"),
    ({"partition": "nope"}, "queue nope does not exist"),
])
def test_a_refusal_is_told_in_oars_words(oar, hub, change, words):
    asked = (A100 if "gpu_model" in change else CPU).model_copy(update=change)
    with pytest.raises(SubmitRefused, match=words) as refused:
        hub.submit(oar.users[0], asked)
    assert "ADMISSION" not in str(refused.value)
    assert not list((oar.home(oar.users[0]) / FOLDER).iterdir())


def test_an_unknown_user_has_no_account(hub):
    with pytest.raises(KeyError):
        hub.submit("nobody-like-this", CPU)


def test_a_job_that_oar_submits_again_keeps_its_id(oar, hub):
    """Its node fails as the job starts there: OAR gives it a new id, and a new node once there is one."""
    user = oar.users[0]
    oar.stop_node("oart-gpu1")
    try:
        job_id = hub.submit(user, A100, "echo $OAR_JOB_ID >current; printf %s $T >token; exec sleep 600",
                            environment={"T": TOKEN})
        phases = set()

        def again():
            job = hub.job(job_id)
            phases.add(job.phase)
            return hub.scheduler._current[job_id] != job_id
        until(again, 40, lambda: run("oarstat", "-f", "-J"))
        assert Phase.ENDED not in phases
        assert hub.wait(job_id, Phase.PENDING).reason
        assert hub.capacity(A100) == [(0, 0)]
    finally:
        oar.start_node("oart-gpu1")
        run("oarnodesetting", "-h", "oart-gpu1", "-s", "Alive")
    assert hub.wait(job_id, Phase.RUNNING, 30).node == "oart-gpu1"
    until(lambda: (oar.home(user) / "token").exists())
    assert (oar.home(user) / "token").read_text() == TOKEN
    assert (oar.home(user) / "current").read_text().strip() == hub.scheduler._current[job_id] != job_id
    # A hub that was restarted knows nothing but the first id.
    restarted = Hub()
    restarted.cancel(job_id)
    assert hub.wait(job_id, Phase.ENDED).reason == "it was cancelled"
    assert hub.job(hub.scheduler._current[job_id]) is None


def test_a_job_cancelled_while_oar_submits_it_again_does_not_come_back(oar, hub):
    oar.stop_node("oart-gpu1")
    try:
        job_id = hub.submit(oar.users[0], A100)
        until(lambda: "CPUSET_ERROR" in (said := run("oarstat", "-f", "-J", "-j", job_id)) or "SUSPECTED" in said, 40)
        hub.run(hub.scheduler._delete(job_id))  # too late, or too early: the next one is on its way
        hub.scheduler._cancelled.add(job_id)
        assert hub.wait(job_id, Phase.ENDED, 30).reason == "it was cancelled"
        assert hub.scheduler._current[job_id] != job_id
    finally:
        oar.start_node("oart-gpu1")
        run("oarnodesetting", "-h", "oart-gpu1", "-s", "Alive")


def test_a_silent_oar_is_not_a_gone_job(oar, hub, monkeypatch):
    """Nor is a job submitted when OAR is back that we have told was not."""
    monkeypatch.setattr(Oar, "patience", 2)
    job_id = hub.submit(oar.users[0], CPU, "echo alive >>job.log; exec sleep 600")
    hub.wait(job_id, Phase.RUNNING)
    oar.stop_database()
    try:
        for ask in (lambda: hub.job(job_id), lambda: hub.cancel(job_id), lambda: hub.capacity(CPU),
                    lambda: hub.submit(oar.users[0], CPU)):
            begin = time.monotonic()
            with pytest.raises(SchedulerSilent) as silence:
                ask()
            assert re.search(r"\w", str(silence.value)) and time.monotonic() - begin < 5
    finally:
        oar.start_database()
    hub.scheduler._cancelled.clear()
    assert hub.wait(job_id, Phase.RUNNING).user == oar.users[0]
    assert "alive" in log(oar, oar.users[0])
    time.sleep(2)
    assert list(hub.run(hub.scheduler.marked())) == [job_id]


def test_a_job_submitted_while_oars_server_is_away_waits_for_it(oar, hub):
    """oarsub says that it killed the job, which it did not."""
    oar.stop_server()
    try:
        job_id = hub.submit(oar.users[0], CPU)
        job = hub.job(job_id)
        assert job.phase is Phase.PENDING and job.reason == "the scheduler has not looked at it yet"
    finally:
        oar.start_server()
    hub.wait(job_id, Phase.RUNNING)


def spawner_script(user, profile, command):
    """What a hub's spawner would submit for ``profile``."""
    spawner = OarJobSpawner(user=SimpleNamespace(name=user), req_mark="mandrillhub/s1", req_keepvars="",
                            **job_options(profile))
    return asyncio.run(spawner._get_batch_script(
        **spawner.get_req_subvars(), headline=shlex.quote(profile.title), cmd=command, logfile=spawner.req_logfile))


@pytest.mark.parametrize("profile, cores", [(CPU, 2), (RTX, 1), (GPU, 1)], ids=["cpu", "gpu of a model", "any gpu"])
def test_the_spawners_script_runs_with_what_its_profile_has(oar, hub, profile, cores):
    user = oar.users[0]
    odd = profile.model_copy(update={"title": "An 'odd' $(touch pwned) title\n#OAR -l /nodes=9"})
    text = spawner_script(user, odd, "echo $OMP_NUM_THREADS $(wc -l <$OAR_NODE_FILE) $(sort -u $OAR_NODE_FILE)")
    job_id = hub.run(hub.scheduler.submit(text, user, {"PATH": "/usr/bin:/bin"}))
    hub.submitted.append(job_id)
    job = hub.wait(job_id, Phase.ENDED)
    said = (oar.home(user) / ".mandrillhub-server.log").read_text().splitlines()
    assert job.reason == "it ended by itself", said
    assert said[0] == "An 'odd' $(touch pwned) title"
    assert said[-1].startswith(f"{profile.cpus} {cores} oart-{'gpu' if profile.gpus else 'cpu'}")
    assert not (oar.home(user) / "pwned").exists()


def test_one_query_tells_of_all_jobs(oar, hub, monkeypatch):
    from spawner_profiles import oar as module

    commands = []
    real = module.run_command

    async def counted(*command, **options):
        commands.append(command[0])
        return await real(*command, **options)
    ids = [hub.submit(oar.users[at % 2], A100) for at in range(4)]
    monkeypatch.setattr(module, "run_command", counted)
    begin = time.monotonic()
    assert set(ids) <= hub.run(hub.scheduler.list_jobs()).keys()
    assert commands == ["oarstat"] and time.monotonic() - begin < 2
