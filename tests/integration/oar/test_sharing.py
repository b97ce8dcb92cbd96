"""Who may have what, on a real OAR: besteffort jobs, a reservation for the day, GPUs per person."""

import asyncio
import re
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest

import spawner_profiles
from spawner_profiles.jobs import Phase, SubmitRefused
from tests.integration.oar.cluster import ETC, run, until
from tests.integration.oar.test_oar import A100, CPU, GPU, RTX, hub, spawner_script  # noqa: F401 - a fixture

RULE = Path(spawner_profiles.__file__).parent / "oar_rules/gpus_per_person.pl"


def start(hub, user, profile):  # noqa: F811
    """A server's own script, as a job that sleeps."""
    script = spawner_script(user, profile, "sleep 600")
    job_id = hub.run(hub.scheduler.submit(script, user, {"PATH": "/usr/bin:/bin"}))
    hub.submitted.append(job_id)
    return job_id


def oarsub(user, *words):
    """As the person types it; returns the number of the job."""
    said = run("runuser", "-u", user, "--", "sh", "-c", 'cd && exec oarsub "$@"', "sh", *words)
    return re.search(r"^OAR_JOB_ID=(\d+)$", said, re.MULTILINE)[1]


def test_a_besteffort_job_gives_its_gpu_to_whoever_needs_it_and_says_so(oar, hub):  # noqa: F811
    idle = A100.model_copy(update={"key": "idle", "besteffort": True})
    lent = start(hub, oar.users[0], idle)
    assert hub.wait(lent, Phase.RUNNING).partition == "besteffort"
    assert hub.capacity(A100, idle) == [(1, 1), (0, 1)], "in nobody's way but its like's"
    job_id = start(hub, oar.users[1], A100)
    assert hub.wait(lent, Phase.ENDED, 30).reason == "a job of higher priority took its place"
    assert hub.wait(job_id, Phase.RUNNING, 30).node == "oart-gpu1"
    assert hub.capacity(A100, idle) == [(0, 1), (0, 1)]


def test_nodes_reserved_for_a_class_are_for_its_profiles_alone(oar, hub):  # noqa: F811
    """An organiser's container job has the CPU nodes; another person's server starts inside it, and only there."""
    organiser, attendee = oar.users
    container = oarsub(organiser, "-t", "container", "-l", "/nodes=2,walltime=0:10:00", "-p", "gpu_model IS NULL",
                       "sleep 600")
    try:
        until(lambda: "Running" in run("oarstat", "-s", "-j", container))
        inside = CPU.model_copy(update={"key": "class", "reservation": container,
                                           "walltime": timedelta(minutes=5)})
        assert hub.capacity(CPU, inside) == [(0, 2), (2, 2)]
        outside = start(hub, attendee, CPU)
        job_id = start(hub, attendee, inside)
        assert hub.wait(job_id, Phase.RUNNING).node.startswith("oart-cpu")
        assert hub.capacity(CPU, inside) == [(0, 2), (1, 2)]
        assert hub.job(outside).phase is Phase.PENDING
        long = start(hub, attendee, inside.model_copy(update={"walltime": timedelta(hours=4)}))
        until(lambda: hub.job(long).reason == "its reservation does not last as long, or has no such node")
    finally:
        run("oardel", container)
    hub.wait(outside, Phase.RUNNING, 30)
    with pytest.raises(SubmitRefused, match=r"^inner job is requesting an invalid container"):
        start(hub, attendee, inside)


@pytest.fixture
def one_gpu(oar):
    """The rule as spawner_profiles/oar_rules says to install it."""
    def numbers():
        return set(re.findall(r"RULE #(\d+)", run("oaradmissionrules", "--show-all")))

    before, quotas = numbers(), ETC / "scheduler_quotas.conf"
    text = quotas.read_text()
    command = next(line for line in RULE.read_text().splitlines() if "Gantt_quotas" in line).lstrip("# ")
    run("oaradmissionrules", "--new", "--from-file", str(RULE), "--priority", "20", "--enabled")
    subprocess.run(["sh", "-c", command], check=True)
    try:
        yield
    finally:
        quotas.write_text(text)
        run("oaradmissionrules", "--delete", *(numbers() - before))


def test_one_person_has_one_gpu_at_a_time(oar, hub, one_gpu):  # noqa: F811
    ada, bela = oar.users
    first = start(hub, ada, A100)
    with pytest.raises(SubmitRefused, match=rf"^you have a job with a GPU already \({first}\); one person may"):
        start(hub, ada, RTX)
    hub.wait(first, Phase.RUNNING)
    cpu = start(hub, ada, CPU)
    assert hub.wait(cpu, Phase.RUNNING).node.startswith("oart-cpu"), "a job without a GPU is another matter"
    theirs = start(hub, bela, RTX)
    hub.wait(theirs, Phase.RUNNING)
    for job_id in (theirs, first):
        hub.cancel(job_id)
        hub.wait(job_id, Phase.ENDED)
    hub.wait(start(hub, ada, RTX), Phase.RUNNING)
    with pytest.raises(SubmitRefused, match=r"^2 GPUs asked for, and one person may have 1$"):
        start(hub, bela, GPU.model_copy(update={"gpus": 2}))
    unnamed = subprocess.run(["runuser", "-u", bela, "--", "sh", "-c", "cd && oarsub -l core=1 -p \"gpu_model='A100'\" "
                              "'sleep 600'"], capture_output=True, text=True)
    assert unnamed.returncode and "not enough resources" in unnamed.stdout + unnamed.stderr


def test_two_jobs_with_a_gpu_in_the_same_moment_do_not_both_run(oar, hub, one_gpu):  # noqa: F811
    script = spawner_script(oar.users[0], GPU, "sleep 600")

    async def twice():
        return await asyncio.gather(*(hub.scheduler.submit(script, oar.users[0], {}) for _ in range(2)),
                                    return_exceptions=True)
    ids = [each for each in hub.run(twice()) if isinstance(each, str)]
    hub.submitted += ids
    until(lambda: [hub.job(each).phase for each in ids].count(Phase.RUNNING) == 1)
    time.sleep(3)
    waits = [job for each in ids if (job := hub.job(each)).phase is not Phase.RUNNING]
    assert len(waits) == len(ids) - 1
    assert all(job.reason == "you already hold as much as one person may" for job in waits)
