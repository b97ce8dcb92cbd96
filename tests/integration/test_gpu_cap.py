"""One person holds one GPU at a time (limits.gpus), whatever they type. A real Slurm without accounting."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.daemons import ENVIRONMENT
from tests.integration.embedded import accounts, instance, until


@pytest.fixture(scope="module")
def people():
    with accounts() as names:
        yield names


@pytest.fixture(scope="module")
def one(people):
    with instance(24000, people, most_gpus=1) as each:
        yield each


@pytest.fixture
def ada(one, people):
    yield people[0]
    one.run(None, "scancel", f"--user={people[0]}")
    until(lambda: not one.run(None, "squeue", "-h", f"--user={people[0]}").stdout)


GPU = ("-p", "gpu", "--gres=gpu:1")


def states(one, person):
    """[(state, reason)] of a person's jobs, the oldest first."""
    text = one.run(None, "squeue", "-h", "-r", f"--user={person}", "--sort=i", "-o", "%T %r").stdout
    return [tuple(line.split(" ", 1)) for line in text.splitlines()]


def held(one, person):
    """GPUs that a person's running jobs have."""
    return len(one.run(None, "squeue", "-h", f"--user={person}", "--states=R", "-o", "%i").stdout.split())


def test_a_second_job_waits_until_the_first_has_ended(one, ada, people):
    first, second = (one.sbatch(ada, "sleep 600", *GPU) for _ in range(2))
    until(lambda: states(one, ada) == [("RUNNING", "None"), ("PENDING", "Licenses")])
    # and it keeps nobody else from the GPUs that are free
    other = one.sbatch(people[1], "true", *GPU)
    assert one.ended(other) == "COMPLETED" and one.state(second) == "PENDING"
    one.run(ada, "scancel", first)
    until(lambda: one.state(second) == "RUNNING")


@pytest.mark.parametrize("options", [
    ["--gres=gpu:t4:1"], ["--gres=gpu"], ["--gres=gres:gpu:1"], ["--gpus=1"], ["--gpus=a100:1"], ["--gpus-per-node=1"],
    ["--gres=gpu:1", "--array=1-3"], ["--gres=gpu:1", "--requeue"]], ids=" ".join)
def test_in_every_spelling(one, ada, options):
    one.sbatch(ada, "sleep 600", "-p", "gpu", "--gres=gpu:a100:1")
    until(lambda: held(one, ada) == 1)
    one.sbatch(ada, "sleep 600", "-p", "gpu", *options)
    until(lambda: {*states(one, ada)[1:]} == {("PENDING", "Licenses")}, what=lambda: str(states(one, ada)))
    assert held(one, ada) == 1


@pytest.mark.parametrize("options, said", [
    (["--gres=gpu:2"], "2 GPUs asked for, and one person may hold 1"),
    (["--gres=gpu:t4:1,gpu:a100:1"], "2 GPUs asked for"),
    (["--gpus=2"], "2 GPUs asked for"),
    (["--gpus-per-node=2"], "2 GPUs asked for"),
    (["--gpus-per-task=1", "-n1"], "ask for GPUs with --gres=gpu:N"),
    (["--gpus-per-socket=1", "--sockets-per-node=1"], "ask for GPUs with --gres=gpu:N"),
    (["--ntasks-per-gpu=1", "-n2"], "--ntasks-per-gpu is not offered"),
    (["--gpus=1", "--gres=gpu:1"], "in one way only"),
    (["--gres=gpu:1", "-N2"], "has one node"),
    (["--gres=gpu:1", "-n12"], "node configuration is not available"),  # two nodes would have it, with a GPU each
    (["--gres=gpu:1", "-N1-2"], ""),
    (["--gres=gpu:1", ":", "-p", "gpu", "--gres=gpu:1"], "heterogeneous"),
    (["-L", "gpus_of_0:1"], "no licences"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_no_way_round(one, ada, options, said):
    done = one.run(ada, "sbatch", "-p", "gpu", "--mem=100", *options, "--wrap=sleep 600", check=False)
    if said:
        assert done.returncode and said in done.stderr, done.stderr
    else:
        until(lambda: states(one, ada) == [("RUNNING", "None")])
        assert "NumNodes=1 " in one.run(None, "scontrol", "show", "job", done.stdout.split()[-1]).stdout


def test_from_a_terminal_too(one, ada):
    one.sbatch(ada, "sleep 600", *GPU)
    until(lambda: held(one, ada) == 1)
    for command in ("srun", "salloc"):
        done = one.run(ada, "timeout", "3", command, *GPU, "--mem=100", "hostname", check=False)
        assert done.returncode == 124 and "queued and waiting" in done.stderr, done.stderr


def test_what_waits_cannot_be_changed_into_more(one, ada):
    first, second = (one.sbatch(ada, "sleep 600", *GPU) for _ in range(2))
    plain = one.sbatch(ada, "sleep 600", "-p", "gpu", "--hold")
    for job, change in ((second, "Licenses="), (second, "Licenses=gpus_of_0:1"), (second, "gres=gpu:2"),
                        (second, "NumNodes=2"), (plain, "gres=gpu:1"), (plain, "TresPerNode=gpu:1")):
        done = one.run(ada, "scontrol", "update", f"job={job}", change, check=False)
        assert done.returncode, change
    one.run(ada, "scontrol", "requeue", first, check=False)
    until(lambda: held(one, ada) == 1)
    assert one.state(plain) == "PENDING"


def test_many_at_the_same_moment(one, ada):
    def submit(_):
        return subprocess.run(["sbatch", "--mem=100", *GPU, "--wrap=sleep 600"], cwd="/tmp", user=ada, extra_groups=[],
                              env={**ENVIRONMENT, **one.slurm.environment()}, capture_output=True).returncode

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(submit, range(20))) == {0}
    until(lambda: sorted({*states(one, ada)}) == [("PENDING", "Licenses"), ("RUNNING", "None")])
    assert held(one, ada) == 1


def test_after_a_restart_of_slurm_too(one, ada):
    one.sbatch(ada, "sleep 600", *GPU)
    until(lambda: held(one, ada) == 1)
    one.daemons.restart("slurmctld")
    one.up()
    one.sbatch(ada, "sleep 600", *GPU)
    until(lambda: states(one, ada) == [("RUNNING", "None"), ("PENDING", "Licenses")])


def test_gpus_are_for_the_people_of_the_workshop(one):
    done = subprocess.run(["sbatch", *GPU, "--wrap=true"], cwd="/tmp", user="nobody", extra_groups=[], text=True,
                          env={**ENVIRONMENT, **one.slurm.environment()}, capture_output=True)
    assert done.returncode and "MandrillHub: GPUs are for the people of the workshop" in done.stderr
