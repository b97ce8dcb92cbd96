"""``cluster`` in workshop.yml: three kinds, and what the hub makes of each."""

import asyncio
from pathlib import Path

import pytest

from hub import backend as module
from hub.backend import backend, check_installed, unfit
from hub.clusters import EmbeddedCluster, OarCluster, SlurmCluster
from hub.layout import Layout
from hub.problems import Problems, Stop
from hub.running import Running
from hub.workshop import Workshop, load
from spawner_profiles.jobs import Capacity, SchedulerSilent
from spawner_profiles.oar import Oar
from spawner_profiles.oar_job import OarJobSpawner
from spawner_profiles.oar_resources import Properties
from spawner_profiles.slurm_job import SlurmJobSpawner

LAYOUT = Layout(Path("/srv/x"))


def read(tmp_path, text: str, **overrides) -> Workshop:
    file = tmp_path / "workshop.yml"
    file.write_text(text)
    return load(file, **overrides)[0]


def test_each_kind_has_defaults_of_its_own(tmp_path):
    assert isinstance(read(tmp_path, "cluster: {cpu_nodes: 3}").cluster, EmbeddedCluster)
    oar = read(tmp_path, "cluster: {kind: oar}")
    assert oar.cluster == OarCluster(kind="oar", queues=("default",), properties=Properties())
    assert [profile.partition for profile in oar.profiles] == ["default", "default"]
    slurm = read(tmp_path, "cluster: {kind: slurm, partitions: [short, gpu]}")
    assert slurm.cluster.conf == Path("/etc/slurm/slurm.conf")
    assert [profile.partition for profile in slurm.profiles] == ["short", "gpu"]


def test_a_running_workshop_keeps_its_kind(tmp_path):
    workshop = read(tmp_path, "cluster: {kind: oar, properties: {memory: memnode, gpu_model: null}}\n"
                              "profiles:\n  - {key: a, title: A, partition: default}\n")
    running = Running(workshop=workshop, people=[], emulated=False, data=Path("/d"))
    again = Running.model_validate_json(running.model_dump_json()).workshop
    assert again == workshop and again.cluster.properties.memory == "memnode"


@pytest.mark.parametrize("text, said", [
    ("cluster:\n  kind: pbs\n", "workshop.yml:2: cluster.kind: expected one of: embedded, oar, slurm"),
    ("cluster:\n  kind: oar\n  cpu_nodes: 2\n",
     "workshop.yml:3: cluster.cpu_nodes: unknown key of this kind of cluster, it is one of: embedded"),
    ("cluster:\n  kind: oar\n  queus: [a]\n", "workshop.yml:3: cluster.queus: unknown key, did you mean 'queues'"),
    ("cluster:\n  kind: oar\n  properties: {memory: a b}\n", "workshop.yml:3: cluster.properties.memory: 'a b': "),
    ("cluster:\n  kind: oar\n  hub_address: http://x\n", "workshop.yml:3: cluster.hub_address: 'http://x': "),
    ("cluster:\n  kind: oar\n  queues: []\n", "workshop.yml:3: cluster.queues: "),
    ("cluster: {kind: oar}\nprofiles:\n  - {key: a, title: A, partition: cpu}\n",
     "workshop.yml:3: profiles[0].partition: no partition 'cpu' in this cluster; expected one of: default"),
    ("cluster: {kind: slurm, partitions: [x]}\nprofiles:\n  - {key: a, title: A, partition: cpu}\n",
     "workshop.yml:3: profiles[0].partition: no partition 'cpu' in this cluster; expected one of: x"),
    ("profiles:\n  - {key: a, title: A, partition: cpu, besteffort: true}\n",
     "workshop.yml:2: profiles[0].besteffort: the embedded cluster takes no job away from anyone"),
    ("cluster: {kind: slurm}\nprofiles:\n  - {key: a, title: A, partition: cpu, besteffort: true}\n",
     "workshop.yml:3: profiles[0].besteffort: Slurm has no such jobs"),
    ("cluster: {kind: oar}\nprofiles:\n  - {key: a, title: A, partition: default, reservation: monday}\n",
     "workshop.yml:3: profiles[0].reservation: 'monday': expected the number of a container job"),
    ("cluster: {kind: oar, properties: {gpu_model: null}}\nprofiles:\n"
     "  - {key: a, title: A, partition: default, gpus: 1, gpu_model: a100}\n",
     "workshop.yml:3: profiles[0].gpu_model: needs a property to ask for; cluster.properties.gpu_model is null"),
])
def test_mistakes(tmp_path, text, said):
    with pytest.raises(Problems) as error:
        read(tmp_path, text)
    assert len(error.value.problems) == 1 and said in str(error.value.problems[0]), str(error.value)


def test_what_only_an_embedded_cluster_knows_is_not_checked_for_others(tmp_path):
    workshop = read(tmp_path, "cluster: {kind: oar}\nprofiles:\n  - {key: a, title: A, partition: default, cpus: 500, "
                              "memory: 4T, gpus: 64, gpu_model: h100, besteffort: true, reservation: 12}",
                    gpu_nodes=[])
    assert workshop.profiles[0].cpus == 500


def test_the_embedded_cluster_is_all_on_this_machine():
    its = backend(LAYOUT, EmbeddedCluster())
    assert its.job_class is SlurmJobSpawner and its.hub_id == LAYOUT.instance
    assert {its.server_ip, its.server_address, its.hub_ip, its.hub_address} == {"127.0.0.1"}
    assert its.environment == {"SLURM_CONF": str(LAYOUT.slurm_conf)}


def test_an_existing_cluster_is_reached_by_names():
    its = backend(LAYOUT, OarCluster(kind="oar", hub_address="hub.example", properties=Properties(memory="memnode")))
    assert its.job_class is OarJobSpawner and its.scheduler.properties.memory == "memnode"
    assert (its.server_ip, its.server_address, its.hub_ip, its.hub_address) == ("0.0.0.0", "", "0.0.0.0", "hub.example")
    assert its.environment == {} and its.hub_id.startswith(LAYOUT.instance) and its.hub_id != LAYOUT.instance
    slurm = backend(LAYOUT, SlurmCluster(kind="slurm", conf="/x/slurm.conf"))
    assert slurm.environment == {"SLURM_CONF": "/x/slurm.conf"} and slurm.hub_address


def test_what_is_missing_on_this_machine_is_told_with_the_next_step(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PATH", str(tmp_path))
    with pytest.raises(Stop, match=r"has no oarsub, oarstat, oardel, oarnodes.\nNext: install .*libjson-perl"):
        check_installed(OarCluster(kind="oar"))
    with pytest.raises(Stop, match=r"there is no /nowhere/slurm.conf on this machine.\nNext: copy it"):
        check_installed(SlurmCluster(kind="slurm", conf="/nowhere/slurm.conf"))
    (tmp_path / "slurm.conf").touch()
    with pytest.raises(Stop, match=r"has no sbatch, squeue, scancel, sinfo.\nNext: "):
        check_installed(SlurmCluster(kind="slurm", conf=tmp_path / "slurm.conf"))
    check_installed(EmbeddedCluster())


class Cluster(Oar):
    """An OAR that answers what it is told to."""

    names = {"core", "mem", "gpu_model"}

    async def property_names(self):
        return self.names

    async def capacity(self, profiles):
        return {profile.key: Capacity(0, 0 if profile.gpus else 2) for profile in profiles}


def ask(scheduler):
    its = module.Backend("OAR", OarJobSpawner, scheduler, "mh")
    return asyncio.run(unfit(its, Workshop().profiles))


def test_the_cluster_is_asked_which_profiles_fit():
    assert [profile.key for profile in ask(Cluster())] == ["gpu"]


def test_a_property_that_the_site_does_not_have_is_named():
    with pytest.raises(Stop, match=r"properties.memory: .* no property 'memnode'; they have: core, gpu_model, mem"):
        ask(Cluster(Properties(memory="memnode")))


def test_a_silent_cluster_stops_before_anything_is_changed(monkeypatch):
    async def silent(self, profiles):
        raise SchedulerSilent("DB connection error")
    monkeypatch.setattr(Cluster, "capacity", silent)
    with pytest.raises(Stop, match="OAR does not answer: DB connection error\nNext: see whether `oarstat` works"):
        ask(Cluster())


def test_a_hub_that_another_version_started_is_left_by_its_kind(tmp_path):
    layout = Layout(tmp_path)
    layout.var.mkdir(parents=True)
    layout.running.write_text('{"workshop": {"cluster": {"kind": "oar", "of_tomorrow": 1}}}')
    assert Running.kind(layout) == "oar"
    with pytest.raises(Stop, match=r"is of another version of MandrillHub.\nNext: `make up`"):
        Running.read(layout)
