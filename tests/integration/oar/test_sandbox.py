"""Submitted notebooks as jobs of a real OAR, which limits no memory by itself. On Slurm: ../grading/test_grade.py."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hub.grading.sandbox import box, client, job
from hub.grading.sandbox.tasks import Tasks
from spawner_profiles.jobs import Phase
from spawner_profiles.oar import Oar
from spawner_profiles.profiles import Profile
from tests.live import Platform

PROFILE = Profile(key="grading", title="Grading", partition="default", memory=700, walltime=timedelta(minutes=5))


@pytest.fixture
def tasks(oar):
    """Makes the service's tasks, once an event loop runs."""
    layout = Platform().layout
    spool = oar.root / "spool"
    spool.mkdir(exist_ok=True)
    spool.chmod(0o711)

    def make():
        made = Tasks(Oar(), "mh-oar", spool, oar.users[0], PROFILE, job.Limits(), layout.server_bin / "python", 4)
        python = layout.kernels / "pytorch/bin/python"

        def add(*cells):
            work = {"cells": [{"source": cell, "code": True, "tags": []} for cell in cells],
                    "execute": {"timeout": 60, "allow_errors": True, "iopub_timeout": 4}}
            place = made.new_place()
            (place / "work.tar").write_bytes(client.pack(work, spool / "nothing"))
            return made.add("grader-a", place, {
                "folder": "x", "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "visible": [str(layout.kernels)], "memory_mb": PROFILE.memory, "seconds": 300, "disk_mb": 100,
                "output_mb": 2, "processes": 200, "environment": {"HOME": box.HOME, "PATH": "/usr/bin:/bin"}})

        return made, add

    return make, spool


def test_notebooks_are_executed_and_one_that_takes_too_much_is_ended(tasks):
    make, spool = tasks

    async def run():
        _, add = make()
        good, greedy = add("print(6 * 7)", "1 / 0"), add("data = b'x' * 2_000_000_000", "print('never')")
        await asyncio.wait_for(asyncio.gather(good.run, greedy.run), 120)
        return good.answer, greedy.answer

    good, greedy = asyncio.run(run())
    assert good["reason"] == "" and good["cells"]["0"]["outputs"][0]["text"] == "42\n", good
    assert good["cells"]["1"]["outputs"][0]["ename"] == "ZeroDivisionError"
    assert greedy["reason"] == "it used more memory than the 700 MB that there are" and greedy["faulty"] == 0, greedy
    assert not list(spool.iterdir())


def test_one_that_nobody_waits_for_is_cancelled(tasks):
    make, spool = tasks

    async def run():
        made, add = make()
        task = add("import time; time.sleep(50)")
        while task.state != "running":
            await asyncio.sleep(0.2)
        await made.remove(task)
        while True:
            jobs = await made.scheduler.list_jobs()
            marked = [key for key, (_, mark) in (await made.scheduler.marked()).items()
                      if mark.startswith(made.hub_mark)]
            if all(jobs[key].phase in (Phase.ENDING, Phase.ENDED) for key in marked):
                return
            await asyncio.sleep(0.2)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert not list(spool.iterdir())
