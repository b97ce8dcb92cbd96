"""The parts of the sandbox that need neither a node nor a hub. The rest: tests/integration/grading."""

import asyncio
import io
import json
import os
import tarfile
import time
from datetime import timedelta
from pathlib import Path

import pytest

from hub.grading import grade
from hub.grading.sandbox import access, box, client, driver, job, tasks, watch
from hub.problems import Stop
from hub.running import Running
from hub.workshop import Workshop
from spawner_profiles.jobs import Job, Phase, SchedulerSilent
from spawner_profiles.oar import Oar
from spawner_profiles.profiles import Profile
from spawner_profiles.slurm import Slurm, private_name

PROFILE = Profile(key="grading", title="Grading", partition="cpu", cpus=2, memory=1024, walltime=timedelta(minutes=90))
ME = os.getuid()


def test_a_local_token_is_for_one_account_and_one_day(monkeypatch):
    token = access.local_token("secret", "grader-a")
    assert access.local_account("secret", token) == "grader-a"
    for bad in ("", "::", token[:-1] + "x", token.replace("grader-a", "grader-b"), token + "é", "a:b:c"):
        assert access.local_account("secret", bad) is None
    assert access.local_account("other", token) is None
    later = time.time() + access.LIFE_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert access.local_account("secret", token) is None


@pytest.mark.parametrize("scheduler, lines", [
    (Slurm(), ["#SBATCH --job-name=sandbox", "#SBATCH --mem=1280M", "#SBATCH --time=90", "#SBATCH --partition=cpu"]),
    (Oar(), ["#OAR -q cpu", "#OAR -l /nodes=1/core=2,walltime=1:30:00"])])
def test_the_jobs_script(scheduler, lines):
    text = job.script(scheduler, PROFILE, "mh-sandbox/" + "0" * 32, Path("/srv/t-1"), job.Limits(), Path("/opt/python"))
    head, _, body = text.partition("set -eu\n")
    for line in lines:
        assert line in head.splitlines()
    assert body.startswith("exec /usr/bin/bwrap ") and body.endswith(" -m hub.grading.sandbox.driver /srv/t-1\n")
    if isinstance(scheduler, Slurm):
        assert private_name(text).endswith("env-" + "0" * 32)


def test_what_the_kernel_may_see():
    words = " ".join(box.inner(Path("/srv/t-1"), ["/k", "/data"], "02_data", 100, 50))
    assert "--unshare-all" in words and "--disable-userns" in words and "--ro-bind /data /data" in words
    for secret in ("/home ", "/etc /etc", "--bind / ", "/srv/t-1 "):
        assert secret not in words.replace("/srv/t-1/run/work/home /home/student", "")


def test_only_files_of_the_submission_are_packed_and_no_notebook(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.txt").write_text("b")
    (tmp_path / "x.ipynb").write_text("{}")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    with tarfile.open(fileobj=io.BytesIO(client.pack({"cells": []}, tmp_path))) as tar:
        assert tar.getnames() == ["work.json", "files/a/b.txt"]
    monkeypatch.setattr(client, "MOST_FILES", 1)
    (tmp_path / "c.txt").touch()
    with pytest.raises(client.TooLarge, match="more than 1 files"):
        client.pack({}, tmp_path)
    monkeypatch.setattr(client, "MOST_MB", 0)
    with pytest.raises(client.TooLarge, match="more than 0 MB"):
        client.pack({}, tmp_path)


def test_unpacking_stays_in_the_folder(tmp_path):
    with tarfile.open(tmp_path / "work.tar", "w") as tar:
        for name, kind in (("work.json", tarfile.REGTYPE), ("files/a/b", tarfile.REGTYPE),
                           ("files/../out", tarfile.REGTYPE), ("/abs", tarfile.REGTYPE),
                           ("files/link", tarfile.SYMTYPE), ("files/dev", tarfile.CHRTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            content = b'{"cells": []}' if name == "work.json" else b""
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    assert driver.unpack(tmp_path / "work.tar", tmp_path / "in") == {"cells": []}
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == ["work.tar", "in/a/b"]


def test_a_hostile_result_is_not_followed_nor_believed(tmp_path):
    result = tmp_path / "result.json"
    assert tasks.read_result(tmp_path, ME) is None
    result.symlink_to("/etc/passwd")
    assert tasks.read_result(tmp_path, ME) is None
    result.unlink()
    os.mkfifo(result)
    assert tasks.read_result(tmp_path, ME) is None
    result.unlink()
    for text in ("nonsense", "[" * 100_000, "[1]"):
        result.write_text(text)
        assert tasks.read_result(tmp_path, ME) == {"failed": "the result of the job cannot be read"}
    result.write_text(json.dumps({"cells": {}, "reason": "", "again": True, "surprise": 1}))
    assert tasks.read_result(tmp_path, ME) == {"cells": {}, "reason": ""}
    assert tasks.read_result(tmp_path, ME + 1) is None


def test_processes_are_counted_with_what_descends_from_them():
    found = watch.below(os.getpid())
    assert found[0].pid == os.getpid() and found[0].threads >= 1 and found[0].resident_mb > 1
    assert watch.shared_mb([os.getpid()]) > 1


class Cluster:
    """A scheduler whose only job ends as told."""

    def __init__(self, *ends, result=None):
        self.ends, self.result, self.submitted, self.cancelled = list(ends), result, [], []

    async def submit(self, script, user, environment):
        self.submitted.append(script)
        if self.result:
            place = script.split()[-1]
            Path(place, "result.json").write_text(json.dumps(self.result))
        return str(len(self.submitted))

    async def _jobs(self, max_age):
        reason = self.ends[min(len(self.submitted), len(self.ends)) - 1]
        if reason is SchedulerSilent:
            self.ends.pop(0)
            raise SchedulerSilent("away")
        phase = Phase.ENDED if reason else Phase.RUNNING
        return {str(len(self.submitted)): Job(str(len(self.submitted)), "x", phase, reason=reason)}

    @property
    def jobs(self):
        async def ask(max_age):
            return await self._jobs(max_age)

        ask.forget, ask.asked = (lambda: None), time.monotonic()
        return ask

    def began(self, job_id):
        pass

    async def cancel(self, job_id):
        self.cancelled.append(job_id)


async def executed(tmp_path, cluster, wait=True):
    import pwd

    all_ = tasks.Tasks(cluster, "mh", tmp_path, pwd.getpwuid(ME).pw_name, PROFILE, job.Limits(), Path("/python"), 2)
    task = all_.add("grader-a", all_.new_place(), {})
    if wait:
        await asyncio.wait_for(task.run, 20)
    return all_, task


@pytest.mark.parametrize("ends, answer, jobs", [
    (["its time was over"],
     {"cells": {}, "reason": "the whole notebook took longer than 1 h 30 min", "faulty": None}, 1),
    (["it used more memory than its profile gives"],
     {"cells": {}, "reason": "it used more memory than the 1024 MB that there are", "faulty": None}, 1),
    (["its node failed", "its node failed"], {"failed": "the job that executed it ended: its node failed"}, 2),
])
def test_how_a_job_without_a_result_ended(tmp_path, ends, answer, jobs, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    monkeypatch.setattr(tasks, "NONE_S", 0.1)
    cluster = Cluster(*ends)
    _, task = asyncio.run(executed(tmp_path, cluster))
    assert {key: value for key, value in task.answer.items() if key != "again"} == answer
    assert len(cluster.submitted) == jobs and not list(tmp_path.iterdir())


def test_a_result_counts_also_when_the_cluster_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    cluster = Cluster(SchedulerSilent, "", result={"cells": {}, "reason": "x"})
    _, task = asyncio.run(executed(tmp_path, cluster))
    assert not cluster.cancelled and task.state == "done" and task.answer == {"cells": {}, "reason": "x"}


def test_a_task_that_is_removed_leaves_neither_job_nor_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    cluster = Cluster("")

    async def run():
        all_, task = await executed(tmp_path, cluster, wait=False)
        await asyncio.sleep(0.5)
        await all_.remove(task)
        return all_

    assert asyncio.run(run()).known == {}
    assert cluster.cancelled == ["1"] and not list(tmp_path.iterdir())


def test_which_course_is_meant():
    one = Running(workshop=Workshop(), people=[], emulated=False, data=Path("/x"))
    assert grade.chosen(one, None).name == "mandrill"
    with pytest.raises(Stop, match="no course 'x'; expected --course with one of: mandrill"):
        grade.chosen(one, "x")
