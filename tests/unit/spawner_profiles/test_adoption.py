"""A hub that died between submitting a job and learning its id finds the job by its mark."""

import asyncio
import logging
from types import SimpleNamespace

from spawner_profiles.job_spawner import JobSpawner
from spawner_profiles.jobs import SchedulerSilent


def found(marks, mark="hub/1"):
    """What a spawner of ada's with this mark and no job id makes of these jobs: (did it find one, id, writes)."""
    writes = []

    async def marked():
        if marks is None:
            raise SchedulerSilent("no answer")
        return marks

    spawner = SimpleNamespace(req_mark=mark, job_id="", user=SimpleNamespace(name="ada"), _log_name="ada",
                              log=logging.getLogger("test"), scheduler=SimpleNamespace(marked=marked),
                              remember=lambda: writes.append(1))
    return asyncio.run(JobSpawner._find_by_mark(spawner)), spawner.job_id, len(writes)


def test_the_job_with_the_mark_is_hers_and_written_down():
    assert found({"7": ("ada", "hub/2"), "8": ("ada", "hub/1")}) == (True, "8", 1)


def test_another_persons_job_with_her_mark_is_not():
    assert found({"8": ("eve", "hub/1")}) == (False, "", 0)


def test_without_a_mark_nothing_is_looked_for():
    assert found({"8": ("ada", "")}, mark="") == (False, "", 0)


def test_a_silent_scheduler_is_unknown_and_not_gone():
    assert found(None) == (True, "", 0)
