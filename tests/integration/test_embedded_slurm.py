"""The embedded Slurm for real: two people, their jobs, limits, GPUs, restarts and crashes. Needs root and Slurm."""

import os
import pwd
import re
import signal
import time
from pathlib import Path

import pytest

from hub.embedded import cgroups
from hub.embedded.slurm import EmbeddedSlurm
from hub.ports import check_free, listeners
from hub.problems import Stop
from tests.integration.embedded import accounts, instance, quiet, until


@pytest.fixture(scope="module")
def people():
    with accounts() as names:
        yield names


@pytest.fixture(scope="module")
def one(people):
    with instance(24000, people, most_gpus=2) as each:
        yield each


@pytest.fixture
def two(people):
    with instance(24500, people, most_gpus=2) as each:
        yield each


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def running_job(one, person, script, *options):
    """A job that writes its pids to its log, once it does."""
    job = one.sbatch(person, script, *options)
    until(lambda: one.state(job) == "RUNNING", what=lambda: f"job {job} is {one.state(job)}")
    pids = until(lambda: len(found := re.findall(r"^pid (\d+)$", one.log(person, job), re.MULTILINE))
                 == script.count("echo pid") and found)
    return job, [int(pid) for pid in pids]


def test_second_up_changes_nothing(one):
    before = one.pids()
    begin = time.monotonic()
    assert str(one.up()) == "nothing changed"
    assert time.monotonic() - begin < 3
    assert one.pids() == before
    assert set(one.states().values()) == {"idle"}


def test_files_are_for_their_readers_only(one):
    state = one.layout.slurm
    for name, mode, owner in (("munge/munge.key", 0o400, "munge"), ("munge", 0o711, "munge"),
                              ("ctld", 0o700, "slurm"), ("etc/slurm.conf", 0o644, "root")):
        status = (state / name).stat()
        assert (status.st_mode & 0o777, pwd.getpwuid(status.st_uid).pw_name) == (mode, owner), name


def test_nothing_listens_beyond_this_machine(one):
    """Bound to 127.0.0.1 (0100007F) only, for each of our ports."""
    ports = {port for _, port in one.slurm.needed_ports().values()}
    found = [line.split()[1].split(":") for table in ("tcp", "tcp6")
             for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    bound = {int(port, 16): address for address, port in found if int(port, 16) in ports}
    assert bound == dict.fromkeys(ports, "0100007F")


def test_a_port_in_use_names_who_holds_it(one):
    pid = one.pids()["slurmctld"]
    with pytest.raises(Stop, match=rf"slurmctld needs it, and process {pid} \(slurmctld\) holds it"):
        check_free(one.slurm.needed_ports())
    check_free(one.slurm.needed_ports(), mine=one.daemons.pids())
    assert [holder for holder, _ in listeners(one.slurm.ports.slurmctld)] == [pid]


def test_jobs_run_as_the_person(one, people):
    jobs = {person: one.sbatch(person, "id -un; id -gn; pwd; echo $SLURM_CONF") for person in people}
    for person, job in jobs.items():
        assert one.ended(job) == "COMPLETED"
        home = pwd.getpwnam(person).pw_dir
        assert one.log(person, job).split() == [person, person, home, str(one.layout.slurm_conf)]
        assert one.log_path(person, job).owner() == person


def test_memory_is_enforced(one, people):
    greedy = "head -c 300M /dev/zero | tail -c 300M | wc -c"
    job = one.sbatch(people[0], greedy)
    enough = one.sbatch(people[0], greedy, "--mem=700")
    assert one.ended(job) == "OUT_OF_MEMORY"
    assert one.ended(enough) == "COMPLETED"


OPEN = """for file in {dev}/nvidia*; do echo "$(basename $file): $( (: <$file) 2>&1 | sed 's/.*: //')"; done"""
MINE, DENIED = "No such device or address", "Operation not permitted"  # ENXIO: no hardware behind it; EPERM


def opened(text):
    """What a job found at each device: [(name, error), …] of each round."""
    return re.findall(r"^(nvidia\d): (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize(("options", "given"), [
    (["-p", "gpu", "--gres=gpu:t4:1"], ["nvidia0"]),
    (["-p", "gpu", "--gres=gpu:t4:2"], ["nvidia0", "nvidia1"]),
    (["-p", "gpu", "--gres=gpu:a100:1"], ["nvidia2"]),
    (["-p", "gpu"], []),
    (["-p", "cpu"], []),
], ids=["one of two", "both", "the other node's", "none on a GPU node", "none on a CPU node"])
def test_a_job_opens_only_its_own_gpus(one, people, options, given):
    """GPUs of other nodes too are denied, though they are devices of this same machine."""
    look = OPEN.format(dev=one.layout.slurm / "dev")
    probe = Path(pwd.getpwnam(people[0]).pw_dir) / "look.sh"
    probe.write_text(f"{look}\n")
    job = one.sbatch(people[0], f"""bash {probe}; srun bash {probe}; echo "cuda=$CUDA_VISIBLE_DEVICES"
        : >/dev/null && head -c 1 /dev/urandom >/dev/null && echo other devices work""", *options)
    assert one.ended(job) == "COMPLETED"
    log = one.log(people[0], job)
    wanted = [(f"nvidia{number}", MINE if f"nvidia{number}" in given else DENIED) for number in range(3)]
    assert opened(log) == wanted * 2, log  # in the batch script, and in a step
    assert "other devices work" in log
    assert f"cuda={','.join(map(str, range(len(given))))}\n" in log
    assert log.count("emulated: no GPU on this machine") == (1 if given else 0)


@pytest.mark.parametrize("options", [["--gres=nic:1"], ["--gres=gpu:1,nic:1"], ["--exclusive"], ["--exclusive=user"]])
def test_no_way_round_to_the_gpus_of_others(one, people, options):
    done = one.run(people[0], "sbatch", "-p", "gpu", *options, "--wrap=true", check=False)
    assert done.returncode != 0 and "MandrillHub: " in done.stderr
    job = one.sbatch(people[0], "true", "--hold")
    changed = one.run(people[0], "scontrol", "update", f"job={job}", "gres=nic:1", check=False)
    assert changed.returncode != 0
    one.run(people[0], "scancel", job)


def test_what_fits_nowhere_is_refused_at_once(one, people):
    done = one.run(people[0], "sbatch", "-p", "gpu", "--gres=gpu:a100:2", "--wrap=true", check=False)
    assert done.returncode != 0 and "not available" in done.stderr


STUBBORN = "trap '' TERM; setsid sleep 1000 & echo pid $!; echo pid $$; sleep 1000"


def test_a_cancelled_job_leaves_no_process(one, people):
    """Not even one that called setsid and left the job's session."""
    job, pids = running_job(one, people[0], "setsid sleep 1000 & echo pid $!; echo pid $$; exec sleep 1000")
    assert len(pids) == 2 and all(map(alive, pids))
    one.run(people[0], "scancel", job)
    until(lambda: not any(map(alive, pids)))
    assert one.ended(job) == "CANCELLED"


def test_drain_ends_every_job_of_everyone(one, people):
    pids = [pid for person, partition in zip(people, ("cpu", "gpu"), strict=True)
            for pid in running_job(one, person, STUBBORN, "-p", partition)[1]]
    waiting = one.sbatch(people[0], "sleep 1000", "--dependency=singleton", "--hold")
    said = []
    one.slurm.drain(said.append, grace_s=1)
    assert said[0] == "cancelling 3 jobs"
    assert len(pids) == 4 and not any(map(alive, pids))
    assert one.state(waiting) == "CANCELLED"
    assert one.run(None, "squeue", "-h").stdout == ""


UNTIL_GO = "echo pid $$; until [ -e go$SLURM_JOB_ID ]; do sleep 0.1; done; echo all is well"


def go(one, person, job):
    one.run(person, "touch", f"go{job}")


def test_jobs_outlive_a_restart_of_slurm(one, people):
    job, pids = running_job(one, people[0], UNTIL_GO, "-p", "cpu")
    for name in ("slurmctld", f"slurmd-{one.node('cpu1')}"):
        one.daemons.restart(name)
    assert not one.up() and all(map(alive, pids))
    assert one.state(job) == "RUNNING"
    go(one, people[0], job)
    assert one.ended(job) == "COMPLETED"
    assert "all is well" in one.log(people[0], job)


def test_jobs_outlive_a_killed_supervisord(one, people):
    job, pids = running_job(one, people[0], UNTIL_GO)
    os.kill(int(one.daemons.pidfile.read_text()), signal.SIGKILL)
    assert len(one.up().started) == 5
    assert one.slurm.tidy(quiet) == []
    assert all(map(alive, pids))
    go(one, people[0], job)
    assert one.ended(job) == "COMPLETED"
    assert "all is well" in one.log(people[0], job)


def test_jobs_outlive_a_change_of_the_cluster(one, people):
    """A node more: the running job is not disturbed."""
    job, pids = running_job(one, people[0], UNTIL_GO)
    before, cluster = one.pids(), one.slurm.cluster
    one.slurm = EmbeddedSlurm(one.layout, cluster.model_copy(update={"cpu_nodes": 2}), one.slurm.ports.public,
                              people, most_gpus=2)
    changes = one.up()
    assert f"slurmd-{one.node('cpu2')}" in changes.started and "slurmctld" in changes.restarted
    assert one.pids()["munged"] == before["munged"]
    assert all(map(alive, pids)) and one.state(job) == "RUNNING"
    until(lambda: set(one.states().values()) == {"idle", "mixed"}, what=lambda: str(one.states()))
    go(one, people[0], job)
    assert one.ended(job) == "COMPLETED"
    one.slurm = EmbeddedSlurm(one.layout, cluster, one.slurm.ports.public, people, most_gpus=2)
    assert one.up().removed == [f"slurmd-{one.node('cpu2')}"]
    assert set(one.states()) == {one.node(name) for name in ("cpu1", "gpu1", "gpu2")}


def test_after_everything_was_killed_up_works_again(one, people):
    """slurmstepd too, as when memory runs out: its job would run on unseen, and its GPU be given to another."""
    job, pids = running_job(one, people[0], STUBBORN, "-p", "gpu", "--gres=gpu:a100:1")
    steps = [pid for pid in cgroups.processes(cgroups.of_node(one.node("gpu2"))) - set(pids)
             if Path(f"/proc/{pid}/comm").read_text().startswith("slurmstepd")]
    assert steps
    # slurmctld writes its state some seconds behind: it would start a job that it remembers as waiting.
    started = time.time()
    until(lambda: (one.layout.slurm / "ctld/job_state").stat().st_mtime > started)
    everything = [int(one.daemons.pidfile.read_text()), *one.pids().values(), *steps]
    for pid in everything:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(alive, everything)))
    assert any(map(alive, pids)), "nothing was left to tidy up"
    one.up()
    assert not any(map(alive, pids))
    assert one.slurm.tidy(quiet) == [job]
    assert one.ended(job) == "CANCELLED"
    until(lambda: set(one.states().values()) == {"idle"}, 40, lambda: str(one.states()))
    again = one.sbatch(people[0], "true", "-p", "gpu", "--gres=gpu:a100:1")
    assert one.ended(again) == "COMPLETED"


def test_two_instances_do_not_meet(one, two, people):
    jobs = {each: running_job(each, people[0], "echo pid $$; exec sleep 1000", "-p", "gpu", "--gres=gpu:1")
            for each in (one, two)}
    assert not set(one.states()) & set(two.states())
    assert one.run(None, "squeue", "-h", "-o", "%A %T").stdout.split() == [jobs[one][0], "RUNNING"]
    two.down()
    assert not any(map(alive, jobs[two][1]))
    assert all(map(alive, jobs[one][1])) and one.state(jobs[one][0]) == "RUNNING"
    assert not cgroups.of_instance(two.layout.instance) and cgroups.of_instance(one.layout.instance)
    one.run(people[0], "scancel", jobs[one][0])
    assert len(two.up().started) == 5 and set(two.states().values()) == {"idle"}  # and up after down
