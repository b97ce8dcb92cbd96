import re
from datetime import datetime

import pytest

from spawner_profiles.jobs import Phase
from spawner_profiles.profiles import Profile
from spawner_profiles.slurm import (
    MARK_FORMAT,
    QUEUE_FORMAT,
    parse_marks,
    parse_nodes,
    parse_queue,
    private_name,
)
from spawner_profiles.slurm_words import refusal, waiting_words

QUEUE = """\
12|ada|RUNNING|gpu|m-gpu1|2026-11-21T12:00:00|None
14|bela|PENDING|gpu||2026-11-21T14:30:00|Resources
15|carol|PENDING|gpu||N/A|Priority
16|dora|PENDING|cpu||N/A|(ReqNodeNotAvail, UnavailableNodes:m-cpu1)
11|ada|COMPLETING|cpu|m-cpu1|2026-11-21T12:00:00|None
9|eve|TIMEOUT|cpu|m-cpu1|2026-11-21T12:00:00|a|b
8|eve|OUT_OF_MEMORY|cpu|m-cpu1|2026-11-21T12:00:00|OutOfMemory
7|eve|NEW_STATE|cpu|m-cpu1|2026-11-21T12:00:00|None
"""


def test_queue_phases_positions_and_reasons_in_words():
    jobs = parse_queue(QUEUE)
    assert jobs["12"].phase is Phase.RUNNING and jobs["12"].node == "m-gpu1" and jobs["12"].reason == ""
    assert [jobs[i].position for i in ("14", "15", "16", "12")] == [1, 2, 1, None]
    assert jobs["14"].reason == "all nodes that fit are busy"
    assert jobs["14"].expected_start == datetime(2026, 11, 21, 14, 30).timestamp()
    assert jobs["15"].expected_start is None and jobs["12"].expected_start is None
    assert jobs["16"].reason == "the nodes that fit are down or reserved"
    assert jobs["11"].phase is Phase.ENDING
    assert jobs["9"].phase is Phase.ENDED and jobs["9"].reason == "its time was over"
    assert "more memory" in jobs["8"].reason
    assert jobs["7"].phase is Phase.ENDED and jobs["7"].reason == "new_state"


NODES = """\
m-cpu1 mix 2/14/0/16 16384 2048 (null) (null) cpu*
m-cpu2 down* 0/0/16/16 16384 0 (null) (null) cpu*
m-gpu1 mix 2/14/0/16 16384 4096 gpu:rtx2080ti:2(S:0) gpu:rtx2080ti:1(IDX:0) gpu
m-gpu2 idle 0/16/0/16 16384 0 gpu:a100:2 gpu:a100:0(IDX:N/A) gpu
"""


@pytest.mark.parametrize("asked, free, total", [
    ({"partition": "cpu", "cpus": 2, "memory": 2048}, 7, 8),
    ({"partition": "cpu", "cpus": 1, "memory": 8192}, 1, 2),
    ({"partition": "gpu", "cpus": 2, "memory": 2048, "gpus": 1}, 3, 4),
    ({"partition": "gpu", "cpus": 1, "memory": 64, "gpus": 1, "gpu_model": "a100"}, 2, 2),
    ({"partition": "gpu", "cpus": 1, "memory": 64, "gpus": 2}, 1, 2),
    ({"partition": "gpu", "cpus": 1, "memory": 64, "gpus": 1, "gpu_model": "v100"}, 0, 0),
])
def test_what_would_start_now(asked, free, total):
    profile = Profile(key="p", title="P", **asked)
    nodes = parse_nodes(NODES)
    assert sum(node.fits(profile) for node in nodes) == free
    assert sum(node.fits(profile, empty=True) for node in nodes) == total


def test_nothing_that_users_write_is_in_the_list_that_decides():
    """A job's name or comment may hold a line break and, after it, a line that says another's job has ended."""
    assert not {"%j", "%k", "%o", "%Z"} & set(QUEUE_FORMAT.split("|"))


def test_nobody_can_say_anything_of_other_peoples_jobs_by_a_comment():
    assert MARK_FORMAT == "%i|%u|%k"
    marks = parse_marks("7|ada|hub/1\n8|eve|x\n7|ada|hub/forged\n9|bela|hub/2\nnonsense\n")
    assert marks["9"] == ("bela", "hub/2") and marks["8"] == ("eve", "x")
    assert "7" not in marks


@pytest.mark.parametrize("reason, words", [
    ("Resources", "all nodes that fit are busy"),
    ("Licenses", "you already hold as many GPUs as one person may"),
    ("QOSMaxGRESPerUser", "you already hold as many GPUs as one person may"),
    ("QOSMaxJobsPerUserLimit", "you already have as many jobs as one person may"),
    ("QOSMaxSubmitJobPerUserLimit", "you already have as many jobs as one person may"),
    ("QOSMaxMemoryPerUser", "you already hold as much as this QOS gives one person"),
    ("QOSGrpGRES", "all GPUs of this QOS are in use"),
    ("QOSGrpCpuLimit", "all that this QOS may use is in use"),
    ("QOSNotAllowed", "its QOS does not allow it"),
    ("AssocGrpGRES", "all GPUs of your group's account are in use"),
    ("AssocGrpCpuLimit", "all that your group's account may use is in use"),
    ("AssocMaxJobsLimit", "you already have as many jobs as your account allows"),
    ("AssociationJobLimit", "you already have as many jobs as your account allows"),
    ("MaxGRESPerAccount", "all GPUs of your group's account are in use"),
    ("Dependency", "it waits for another of your jobs to end"),
    ("Reservation", "its reservation has not begun, or is full"),
    ("ReqNodeNotAvail, Reserved for maintenance", "its time would run into a reservation of the nodes that fit"),
    ("ReqNodeNotAvail, May be reserved for other job", "its time would run into a reservation of the nodes that fit"),
    ("(ReqNodeNotAvail, UnavailableNodes:m-gpu[1-2])", "the nodes that fit are down or reserved"),
    ("JobHeldUser", "it is on hold"),
    ("JobHeldAdmin", "an admin has put it on hold"),
    ("launch failed requeued held", "its node could not start it, and it is on hold"),
    ("SomethingNew", "Slurm says SomethingNew"),
])
def test_why_a_job_waits_in_words(reason, words):
    assert waiting_words(reason).startswith(words)
    line = f"14|bela|PENDING|gpu||N/A|{reason}"
    assert parse_queue(line)["14"].reason == waiting_words(reason)


@pytest.mark.parametrize("said, words", [
    ("sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition",
     "invalid partition specified: nope Batch job submission failed: Invalid partition"),
    ("sbatch: error: MandrillHub: 2 GPUs asked for\nsbatch: error: Batch job submission failed: Unspecified error\n",
     "MandrillHub: 2 GPUs asked for"),
    ("", ""),
])
def test_what_sbatch_says_when_it_refuses(said, words):
    assert refusal(said) == words


def test_a_jobs_file_is_named_by_its_mark_and_by_nothing_else_that_a_script_says():
    mark = "0123456789abcdef" * 2
    assert private_name(f"#!/bin/sh\n#SBATCH --comment=my-hub/{mark}\n") == f".mandrillhub/env-{mark}"
    for comment in ("x", f"hub/../{mark[:-1]}", f"hub/{mark}/.."):
        assert re.fullmatch(r"\.mandrillhub/env-[0-9a-f]{32}", private_name(f"#SBATCH --comment={comment}\n"))
