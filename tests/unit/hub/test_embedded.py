"""The embedded cluster's ports, GPUs, configuration and messages, without starting it."""

import os
import socket
from pathlib import Path

import pytest

from hub.clusters import EmbeddedCluster, GpuNode
from hub.embedded import cgroups, gpus, reservation
from hub.embedded.slurm import EmbeddedSlurm
from hub.layout import Layout
from hub.ports import Ports, check_free, listeners, listening
from hub.problems import Stop


@pytest.mark.parametrize(("product", "model"), [
    ("NVIDIA GeForce RTX 2080 Ti", "rtx2080ti"),
    ("GeForce GTX 1080 Ti", "gtx1080ti"),
    ("NVIDIA GeForce RTX 3080 Laptop GPU", "rtx3080laptop"),
    ("NVIDIA A100-SXM4-40GB", "a100"),
    ("NVIDIA A100 80GB PCIe", "a100"),
    ("NVIDIA H100 80GB HBM3", "h100"),
    ("NVIDIA H100 NVL", "h100"),
    ("NVIDIA H200", "h200"),
    ("NVIDIA GH200 480GB", "gh200"),
    ("Tesla V100-SXM2-16GB", "v100"),
    ("Tesla T4", "t4"),
    ("NVIDIA L40S", "l40s"),
    ("NVIDIA RTX A6000", "rtxa6000"),
    ("NVIDIA RTX 6000 Ada Generation", "rtx6000ada"),
    ("Quadro RTX 8000", "rtx8000"),
    ("NVIDIA TITAN X (Pascal)", "titanx"),
    ("NVIDIA Graphics Device", "gpu"),
])
def test_model_names(product, model):
    assert gpus.model_name(product) == model
    GpuNode(model=model)  # what workshop.yml accepts as a model


def test_gpus_are_grouped_by_model_and_found_by_bus_id(tmp_path):
    """The driver numbers device files otherwise than nvidia-smi numbers GPUs."""
    for bus, minor in (("0000:3b:00.0", 1), ("0000:86:00.0", 0)):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t\t NVIDIA A100\nDevice Minor: \t {minor}\n")
    files = {number: Path(f"/dev/nvidia{number}") for number in range(3)}
    found = gpus.group("0, NVIDIA A100-SXM4-40GB, 00000000:3B:00.0\n"
                       "1, NVIDIA A100-SXM4-40GB, 00000000:86:00.0\n"
                       "2, Tesla T4, 00000000:AF:00.0\n", files, tmp_path)
    assert found == [gpus.Gpus("a100", (files[1], files[0]), emulated=False),
                     gpus.Gpus("t4", (files[2],), emulated=False)]


def test_a_gpu_without_a_device_file_does_not_count(tmp_path):
    assert gpus.group("0, Tesla T4, 00000000:AF:00.0\n", {}, tmp_path) == []


def test_no_device_files_no_gpus(tmp_path):
    (tmp_path / "nvidiactl").touch()
    assert gpus.real(tmp_path, tmp_path, "nvidia-smi that is never asked") == ([], "")


def test_a_driver_that_does_not_work_is_said(tmp_path):
    (tmp_path / "nvidia0").touch()
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho Failed to initialize NVML: Driver/library version mismatch\nexit 18\n")
    program.chmod(0o755)
    found, remark = gpus.real(tmp_path, tmp_path, str(program))
    assert found == []
    assert "Driver/library version mismatch" in remark and "emulated" in remark and "Next: mend the driver" in remark
    assert "nvidia0 exists" in gpus.real(tmp_path, tmp_path, str(tmp_path / "none"))[1]


def test_emulated_device_nodes(tmp_path):
    nodes = [GpuNode(model="t4", gpus=2), GpuNode(model="a100", gpus=1)]
    found = gpus.emulated(nodes, tmp_path / "dev")
    assert [(each.model, [path.name for path in each.files]) for each in found] == [
        ("t4", ["nvidia0", "nvidia1"]), ("a100", ["nvidia2"])]
    status = found[1].files[0].stat()
    assert (os.major(status.st_rdev), os.minor(status.st_rdev), status.st_mode & 0o777) == (195, 2, 0o666)
    (tmp_path / "dev/nvidia0").unlink()
    (tmp_path / "dev/nvidia0").touch()  # something else is in the way
    gpus.emulated(nodes, tmp_path / "dev")
    assert os.major((tmp_path / "dev/nvidia0").stat().st_rdev) == 195
    gpus.emulated(nodes[:1], tmp_path / "dev")
    assert sorted(path.name for path in (tmp_path / "dev").iterdir()) == ["nvidia0", "nvidia1"]


def test_ports_derive_from_the_public_one():
    ports = Ports(8000)
    assert (ports.public, ports.proxy_api, ports.hub_api, ports.slurmctld) == (8000, 8001, 8002, 8010)
    assert [ports.slurmd_cpu(0), ports.slurmd_cpu(15), ports.slurmd_gpu(0), ports.slurmd_gpu(13)] == [
        8011, 8026, 8027, 8040]
    with pytest.raises(Stop, match=r"ports for 16 CPU nodes: lower cluster.cpu_nodes"):
        ports.slurmd_cpu(16)
    with pytest.raises(Stop, match=r"ports for 14 GPU nodes"):
        ports.slurmd_gpu(14)


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_named_with_its_holder(taken):
    assert listening(taken) and (os.getpid(), Path("/proc/self/comm").read_text().strip()) in listeners(taken)
    with pytest.raises(Stop) as stop:
        check_free({"the public address": ("127.0.0.1", taken)})
    text = str(stop.value)
    assert f"Port {taken} on 127.0.0.1 is taken: the public address needs it" in text
    assert f"process {os.getpid()} (" in text
    assert "`port:` in workshop.yml" in text and "make up PORT=" in text
    check_free({"the public address": ("127.0.0.1", taken)}, mine={os.getpid()})


def test_every_taken_port_is_named(taken):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Stop) as stop:
            check_free({"a": ("127.0.0.1", taken), "b": ("0.0.0.0", other.getsockname()[1])})
    assert str(stop.value).count("is taken") == 2


def test_a_free_port_and_an_address_that_is_not_ours(taken):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert not listening(free) and listeners(free) == []
    check_free({"a": ("127.0.0.1", free)})
    with pytest.raises(Stop, match=r"Is `listen:` in workshop.yml an address of this machine"):
        check_free({"a": ("192.0.2.1", free)})


def render(monkeypatch, found=(), cluster=None, root="/tmp/mh-x"):
    monkeypatch.setattr(gpus, "real", lambda: (list(found), ""))
    monkeypatch.setattr(gpus, "emulated", lambda nodes, directory: [
        gpus.Gpus("rtx2080ti", (directory / "nvidia0", directory / "nvidia1"), emulated=True),
        gpus.Gpus("a100", (directory / "nvidia2",), emulated=True)])
    slurm = EmbeddedSlurm(Layout(Path(root)), cluster or EmbeddedCluster(node_cpus=8, node_memory=4096), 8000)
    return slurm, slurm.render()


def lines(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_emulated_nodes(monkeypatch):
    slurm, texts = render(monkeypatch)
    prefix = slurm.layout.instance
    nodes = lines(texts["slurm.conf"], "NodeName=")
    assert [line.split()[0] for line in nodes] == [f"NodeName={prefix}-{name}" for name in
                                                   ("cpu1", "cpu2", "gpu1", "gpu2")]
    assert all("NodeAddr=127.0.0.1" in line and "CPUs=8" in line and "RealMemory=4096" in line for line in nodes)
    assert "Port=8027" in nodes[2] and "Feature=gpu,rtx2080ti,emulated" in nodes[2]
    assert nodes[2].endswith("Gres=gpu:rtx2080ti:2,nic:of_other_nodes:1")
    assert nodes[0].endswith("Feature=cpu Gres=nic:of_other_nodes:3")
    assert "\nSlurmctldPort=8010\n" in texts["slurm.conf"]
    assert lines(texts["slurm.conf"], "TaskProlog=") and "emulated" in texts["task_prolog.sh"]
    cpu, gpu = lines(texts["slurm.conf"], "PartitionName=")
    assert f"Nodes={prefix}-cpu1,{prefix}-cpu2 Default=YES" in cpu and f"Nodes={prefix}-gpu1,{prefix}-gpu2 " in gpu


def test_every_node_knows_every_gpu_of_the_machine(monkeypatch):
    """slurmd denies only devices that it knows: one it did not know would be open to every job."""
    slurm, texts = render(monkeypatch)
    for node in slurm.nodes:
        known = [line.rsplit("/", 1)[1] for line in lines(texts["gres.conf"], f"NodeName={node.name} ")]
        assert sorted(known) == ["nvidia0", "nvidia1", "nvidia2"], node.name


def test_real_gpus(monkeypatch):
    device = Path("/dev/nvidia0")
    slurm, texts = render(monkeypatch, [gpus.Gpus("h100", (device,), emulated=False)])
    assert not slurm.emulated_gpus and "task_prolog.sh" not in texts
    assert "TaskProlog" not in texts["slurm.conf"] and "Feature=gpu,h100 Gres=gpu:h100:1" in texts["slurm.conf"]
    assert f"-gpu1 Name=gpu Type=h100 File={device}" in texts["gres.conf"]


def test_a_cluster_without_gpus_has_no_gpu_partition(monkeypatch):
    device = gpus.Gpus("h100", (Path("/dev/nvidia0"),), emulated=False)
    _, texts = render(monkeypatch, [device], EmbeddedCluster(gpu_nodes=()))
    assert len(lines(texts["slurm.conf"], "PartitionName=")) == 1
    assert lines(texts["gres.conf"], "NodeName") == []


def test_limits_are_enforced(monkeypatch):
    _, texts = render(monkeypatch)
    for line in ("ConstrainRAMSpace=yes", "ConstrainDevices=yes", "ConstrainCores=no"):
        assert f"\n{line}\n" in texts["cgroup.conf"]
    assert "CgroupPlugin" not in texts["cgroup.conf"]  # version 1 or 2: Slurm finds out
    for line in ("ReturnToService=2", "MinJobAge=60", "MessageTimeout=5", "KillWait=10", "JobRequeue=0",
                 "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny"):
        assert f"\n{line}\n" in texts["slurm.conf"]


def test_two_instances_have_nothing_in_common(monkeypatch):
    one, two = (render(monkeypatch, root=f"/tmp/mh-{name}")[0] for name in "ab")
    assert not {node.name for node in one.nodes} & {node.name for node in two.nodes}
    assert EmbeddedSlurm(Layout(), EmbeddedCluster(gpu_nodes=()), 8000).nodes[0].name == "mandrill-cpu1"


@pytest.mark.parametrize(("root", "message"), [
    ("/tmp/with space", "cannot name"), ("/tmp/" + "long" * 8, "too long for the sockets of jobs, by [0-9]+ char")])
def test_a_root_that_slurm_cannot_use(monkeypatch, root, message):
    slurm, _ = render(monkeypatch, root=root)
    with pytest.raises(Stop, match=message):
        slurm._check()


def test_without_root_or_slurm(monkeypatch):
    slurm, _ = render(monkeypatch)
    monkeypatch.setattr("hub.embedded.slurm.PATH", "/nowhere")
    with pytest.raises(Stop, match=r"missing: munged, .*scancel.\nNext: apt-get install slurmctld slurmd"):
        slurm._check()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Stop, match="needs root"):
        slurm.write()


def test_cgroups_of_both_versions(tmp_path):
    for path in ("memory/slurm_m1-cpu1/uid_1/job_7", "freezer/slurm_m1-cpu1", "memory/slurm_m12-cpu1",
                 "system.slice/m1-gpu1_slurmstepd.scope/job_8", "system.slice/other.service"):
        (tmp_path / path).mkdir(parents=True)
    assert cgroups.of_instance("m1", tmp_path) == {"m1-cpu1", "m1-gpu1"}
    assert len(cgroups.of_node("m1-cpu1", tmp_path)) == 2
    cgroups.remove(cgroups.of_node("m1-cpu1", tmp_path))
    assert cgroups.of_instance("m1", tmp_path) == {"m1-gpu1"}


def test_jobs_without_their_keeper_are_orphans(tmp_path, monkeypatch):
    for job, pids in (("job_7", "11\n12\n"), ("job_8", "13\n")):
        directory = tmp_path / "memory/slurm_m1-cpu1/uid_1" / job / "step_batch"
        directory.mkdir(parents=True)
        (directory / "cgroup.procs").write_text(pids)
    monkeypatch.setattr(cgroups, "_command", lambda pid: "slurmstepd: [7." if pid == 11 else "sleep")
    jobs = cgroups.jobs("m1-cpu1", tmp_path)
    assert jobs == {7: {11, 12}, 8: {13}}
    assert cgroups.kept(jobs[7]) and not cgroups.kept(jobs[8]) and not cgroups.kept(set())


def test_everybody_has_licences_for_as_many_gpus_as_one_person_may_hold(monkeypatch):
    monkeypatch.setattr("hub.embedded.slurm._uids", lambda people: [7, 8][:len(people)])
    render(monkeypatch)
    slurm = EmbeddedSlurm(Layout(Path("/tmp/mh-x")), EmbeddedCluster(), 8000, ["ada", "bela"], most_gpus=2)
    texts = slurm.render()
    assert "\nLicenses=gpus_of_7:2,gpus_of_8:2\n" in texts["slurm.conf"]
    assert "\nlocal GPUS = 2\n" in texts["job_submit.lua"] and "{[7]=true,[8]=true,}" in texts["job_submit.lua"]
    for options in ({"people": [], "most_gpus": 1}, {"people": ["ada"], "most_gpus": 0}):
        assert "Licenses" not in EmbeddedSlurm(slurm.layout, EmbeddedCluster(), 8000, **options).render()["slurm.conf"]


def test_what_scontrol_says_of_our_reservation():
    text = ("ReservationName=other StartTime=1 EndTime=2 Duration=1 Users=eve Groups=(null)\n"
            "ReservationName=workshop StartTime=100 EndTime=200 Duration=00:01:40 Nodes=m-cpu1 Flags=FLEX "
            "TRES=cpu=24 Users=ada,bela Groups=(null) Accounts=(null) State=ACTIVE\n")
    assert reservation.parse(text) == (100, 200, {"ada", "bela"})
    assert reservation.parse("No reservations in the system\n") is None
