"""The embedded Slurm for real: two people, their jobs, limits, GPUs, restarts and crashes. Needs root and Slurm."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import supervisor

from hub.clusters import EmbeddedCluster, GpuNode
from hub.daemons import ENVIRONMENT, Daemons
from hub.embedded import cgroups
from hub.embedded.slurm import EmbeddedSlurm
from hub.layout import Layout
from hub.ports import check_free, listeners
from hub.problems import Stop

BIN = Path(supervisor.__file__).parents[4] / "bin"
GONE = "the controller lists it no more"


def quiet(_):
    pass


def until(true, seconds=20, what="waited in vain"):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)
    return found


class Instance:
    """An embedded cluster in a directory of its own."""

    def __init__(self, port):
        self.root = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))
        self.root.chmod(0o755)
        self.layout = Layout(self.root)
        self.layout.make()
        while True:
            self.slurm = EmbeddedSlurm(self.layout, EmbeddedCluster(
                cpu_nodes=1, node_cpus=8, node_memory=2048,
                gpu_nodes=(GpuNode(model="t4", gpus=2), GpuNode(model="a100", gpus=1))), port)
            try:
                check_free(self.slurm.needed_ports())
                break
            except Stop:
                port += 50
        self.daemons = Daemons(self.layout, BIN)

    def up(self):
        self.slurm.write()
        return self.daemons.apply(self.slurm.daemons(), quiet)

    def down(self):
        self.slurm.drain(quiet, grace_s=1)
        self.daemons.stop_all()
        self.slurm.remove_cgroups()

    def node(self, name):
        return f"{self.layout.instance}-{name}"

    def run(self, person, *command, check=True):
        """A command of a person (None: root), in their home, with nothing of ours in the environment."""
        home = Path(pwd.getpwnam(person).pw_dir) if person else Path("/")
        entry = {"user": person, "group": pwd.getpwnam(person).pw_gid, "extra_groups": []} if person else {}
        done = subprocess.run(command, cwd=home, text=True, capture_output=True, timeout=60, **entry,
                              env={**ENVIRONMENT, **self.slurm.environment(), "HOME": str(home)})
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def sbatch(self, person, script, *options):
        """Submit; the number of the job."""
        return self.run(person, "sbatch", "--parsable", f"--output={self.layout.instance}-%j.log", "--mem=100",
                        *options, f"--wrap={script}").stdout.strip()

    def state(self, job):
        done = self.run(None, "scontrol", "show", "job", job, check=False)
        return re.search(r"JobState=(\S+)", done.stdout)[1] if done.returncode == 0 else GONE

    def ended(self, job, seconds=30):
        over = ("COMPLETED", "FAILED", "CANCELLED", "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", GONE)
        until(lambda: self.state(job) in over, seconds,
              lambda: self.run(None, "scontrol", "show", "job", job).stdout + str(self.states()))
        return self.state(job)

    def log(self, person, job):
        """The log of a job; '' until it has one."""
        path = self.log_path(person, job)
        return path.read_text() if path.exists() else ""

    def log_path(self, person, job):
        """Two instances number their jobs alike."""
        return Path(pwd.getpwnam(person).pw_dir, f"{self.layout.instance}-{job}.log")

    def states(self):
        return dict(line.split() for line in
                    self.run(None, "sinfo", "-h", "-N", "-o", "%N %T").stdout.splitlines())

    def pids(self):
        return {name: info["pid"] for info in self.daemons._rpc.getAllProcessInfo() for name in [info["name"]]}


@pytest.fixture(scope="module")
def people():
    """Two accounts for the time of the tests; their homes are not in /home."""
    homes = Path(tempfile.mkdtemp(prefix="mh-homes-", dir="/tmp"))
    homes.chmod(0o755)
    names = [f"mht{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            subprocess.run(["useradd", "--create-home", "--base-dir", homes, name], check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["userdel", name], check=True)
        shutil.rmtree(homes)


def instance(port):
    each = Instance(port)
    try:
        each.up()
        yield each
    finally:
        each.down()
        left = cgroups.of_instance(each.layout.instance)
        shutil.rmtree(each.root)
        assert not left, "cgroups are left"


@pytest.fixture(scope="module")
def one(people):
    yield from instance(24000)


@pytest.fixture
def two(people):
    yield from instance(24500)


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
    one.slurm = EmbeddedSlurm(one.layout, cluster.model_copy(update={"cpu_nodes": 2}), one.slurm.ports.public)
    changes = one.up()
    assert f"slurmd-{one.node('cpu2')}" in changes.started and "slurmctld" in changes.restarted
    assert one.pids()["munged"] == before["munged"]
    assert all(map(alive, pids)) and one.state(job) == "RUNNING"
    until(lambda: set(one.states().values()) == {"idle", "mixed"}, what=lambda: str(one.states()))
    go(one, people[0], job)
    assert one.ended(job) == "COMPLETED"
    one.slurm = EmbeddedSlurm(one.layout, cluster, one.slurm.ports.public)
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
