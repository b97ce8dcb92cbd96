import asyncio
from types import SimpleNamespace

from spawner_profiles import reaper
from spawner_profiles.job_spawner import JobSpawner


class Cluster:
    def __init__(self, **marks):
        self.marks = {job_id.removeprefix("j"): entry for job_id, entry in marks.items()}
        self.cancelled = []

    async def marked(self):
        return self.marks

    async def cancel(self, job_id):
        self.cancelled.append(job_id)


def reap(monkeypatch, cluster, *spawners):
    monkeypatch.setattr(JobSpawner, "known", list(spawners))
    return asyncio.run(reaper.reap(cluster, "hub"))


def spawner(job_id="", mark=""):
    return SimpleNamespace(job_id=job_id, req_mark=mark)


def test_only_what_is_ours_and_nobodys_is_cancelled(monkeypatch):
    cluster = Cluster(j1=("ada", "hub/owned"), j2=("ada", "hub/lost"), j3=("bela", "other/x"), j4=("bela", "my work"),
                      j5=("bela", ""))
    assert reap(monkeypatch, cluster, spawner("1", "hub/owned")) == ["2"] == cluster.cancelled


def test_a_start_whose_id_is_not_known_yet_is_not_an_orphan(monkeypatch):
    assert reap(monkeypatch, Cluster(j1=("ada", "hub/new")), spawner(mark="hub/new")) == []


def test_a_job_that_a_server_knows_by_its_id_is_never_touched_whatever_its_mark_says(monkeypatch):
    assert reap(monkeypatch, Cluster(j1=("ada", "hub/forged")), spawner("1", "hub/true")) == []


def test_without_an_event_loop_nothing_is_started():
    assert reaper.start(Cluster(), "hub") is None
