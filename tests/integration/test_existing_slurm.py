"""``cluster: {kind: slurm}``, a Slurm that is there already, on the root of the ordinary platform; and back."""

import re
from pathlib import Path

import pytest

from tests.integration.test_embedded_slurm import instance, until
from tests.live import COURSES, Platform, workshop_in

WORKSHOP = """
title: Deep learning on somebody's Slurm
cluster: {{kind: slurm, conf: {conf}, partitions: [cpu, gpu], hub_address: 127.0.0.1}}
profiles:
  - {{key: cpu, title: CPU notebook, partition: cpu, cpus: 2, memory: 1G}}
  - {{key: gpu, title: GPU notebook, partition: gpu, gpus: 1, gpu_model: h100, memory: 1G}}
data: {{synthetic_photos: 3000}}
"""


@pytest.fixture(scope="module")
def slurm():
    """Somebody's cluster, with nodes that this machine finds by their names."""
    with instance(25000, ["mh-ada", "mh-bela"]) as each:
        hosts = Path("/etc/hosts")
        names = [node.name for node in each.slurm.nodes]
        with hosts.open("a") as file:
            file.writelines(f"127.0.0.1 {name}\n" for name in names)
        try:
            yield each
        finally:
            hosts.write_text("".join(line for line in hosts.read_text().splitlines(keepends=True)
                                     if not line.endswith(tuple(f" {name}\n" for name in names))))


@pytest.fixture(scope="module")
def platform(slurm, tmp_path_factory):
    ordinary = Platform()
    ordinary.make("up")
    folder = tmp_path_factory.mktemp("workshop")
    platform = Platform(workshop=workshop_in(folder, WORKSHOP.format(conf=slurm.layout.slurm_conf) + COURSES))
    try:
        (folder / "said").write_text(platform.make("up").stdout)
        yield platform
    finally:
        assert "leaving the cluster of before (slurm)" in ordinary.make("up").stdout


def queue(slurm) -> list[str]:
    return slurm.run(None, "squeue", "-h", "--states=PD,R", "--format=%u %N").stdout.splitlines()


@pytest.mark.timeout(120)
def test_a_day_on_it(platform, slurm, ada):
    said = platform.workshop.with_name("said").read_text()
    assert "leaving the cluster of before (embedded)" in said and "asking Slurm: 1 profiles fit" in said
    assert "no node that is up fits the profile gpu (partition gpu, 1 GPU, h100, 1 CPUs, 1 GB)" in said
    assert "starting munged" not in said
    node = slurm.node("cpu1")
    ada.start("cpu")
    assert queue(slurm) == [f"mh-ada {node}"]
    assert ada.run("import os; print(os.environ['SLURM_CONF'])") == str(slurm.layout.slurm_conf)
    status = platform.make("status").stdout
    assert re.search(rf"mh-ada +\d+ +cpu +running +{node}", status) and "slurmctld" not in status, status

    theirs = slurm.sbatch("mh-bela", "sleep 300")
    until(lambda: slurm.state(theirs) == "RUNNING")
    assert "mh-bela" not in platform.make("status").stdout, "not of this hub"
    platform.make("down")
    assert queue(slurm) == [f"mh-bela {node}"], "this hub's jobs are cancelled, and nobody else's"
    slurm.run(None, "scancel", theirs)
    platform.make("up")
    until(lambda: platform.person("mh-ada").server() is None)


def test_a_silent_slurm_stops_make_up_before_it_changes_anything(platform, slurm):
    slurm.daemons.stop("slurmctld")
    try:
        result = platform.make("up", check=False)
        assert result.returncode and "Slurm does not answer" in result.stderr and "`squeue` works" in result.stderr
        assert platform.person("mh-ada").server() is None, "the hub of before runs on"
    finally:
        slurm.up()
