"""batchspawner's published test cases, where they speak of behaviour, hold for SlurmJobSpawner.

Each test names the case of https://github.com/jupyterhub/batchspawner (batchspawner/tests/test_spawners.py) that it
answers. What deliberately differs is said there, and in spawner_profiles/README.md. The commands' answers are
written here; tests/integration does the same with a real Slurm.
"""

import asyncio
import pwd
import re

import pytest
from batchspawner import JobStatus, SlurmSpawner
from slurm_commands import PORT, TOKEN, start

from spawner_profiles.problems import SpawnProblem
from spawner_profiles.slurm_job import SlurmJobSpawner


def poll(spawner):
    return asyncio.run(spawner.poll())


def life(spawner, commands):
    """Not there, started, running, stopped, not there."""
    commands.squeue("RUNNING")
    assert poll(spawner) == 1 and spawner.job_id == "" and spawner.get_state() == {}
    assert start(spawner, commands) == ("node7", PORT)
    assert spawner.job_id == "12345" and poll(spawner) is None
    commands.squeue("COMPLETED")
    asyncio.run(spawner.stop())
    assert poll(spawner) == 1 and spawner.job_id == "" and spawner.get_state() == {}


def test_it_has_the_names_of_batchspawners_slurmspawner():
    assert issubclass(SlurmJobSpawner, SlurmSpawner)


def test_start_poll_stop(new_spawner, commands):
    """test_spawner_start_stop_poll"""
    life(new_spawner(), commands)


def test_two_hundred_one_after_another(new_spawner, commands):
    """test_stress_submit: the same spawner here, whose every start has to be like its first."""
    spawner = new_spawner()
    for _ in range(200):
        life(spawner, commands)
    assert len(commands.scripts) == 200 == len(set(commands.scripts)), "each start has a mark of its own"


def test_two_hundred_at_once_share_their_queries(new_spawner, commands):
    """test_stress_submit, as a class does it: one submission each, but not one query each."""
    spawners = [new_spawner() for _ in range(200)]
    commands.answers["sbatch"] = [(0, str(number), "") for number in range(1, 201)]
    commands.answers["squeue"] = [(0, "".join(commands.line("RUNNING", number)[1] for number in range(1, 201)), "")]

    async def everybody():
        # As a hub that asks twice a second; 0 would mean that everybody wants an answer of their own.
        for spawner in spawners:
            spawner.poll_seconds = 1
            spawner.report_port(PORT)
        commands.before_squeue = lambda answer: [spawner.report_port(PORT) for spawner in spawners]
        await asyncio.gather(*(spawner.start() for spawner in spawners))

    asyncio.run(asyncio.wait_for(everybody(), 20))
    assert len({spawner.job_id for spawner in spawners}) == 200
    names = [re.search("sbatch|squeue", " ".join(command))[0] for command in commands.asked]
    assert names.count("sbatch") == 200 and names.count("squeue") < 20


def test_state_is_saved_and_found_again(new_spawner, commands):
    """test_spawner_state_reload. Ours remembers more than the job's id: port and mark, so that a start goes on."""
    commands.squeue("RUNNING")
    first = new_spawner()
    start(first, commands)
    state = first.get_state()
    assert state["job_id"] == "12345" and state["port"] == PORT
    second = new_spawner()
    second.clear_state()
    assert second.get_state() == {}
    second.load_state(state)
    assert second.job_id == "12345" and second.get_state() == state and poll(second) is None
    assert second.owns(TOKEN), "the running server may still report"


@pytest.mark.parametrize("answer", [(0, "", ""), (0, "Submitted", ""), (1, "", "sbatch: error: Invalid account")])
def test_a_failing_submit(new_spawner, commands, answer):
    """test_submit_failure: no id in the output, or an error, which the person reads in Slurm's words."""
    commands.answers["sbatch"] = [answer]
    spawner = new_spawner()
    with pytest.raises(SpawnProblem) as problem:
        start(spawner, commands)
    assert spawner.job_id == "" and poll(spawner) == 1
    if answer[2]:
        assert "Invalid account" in problem.value.message and "sbatch: error" not in problem.value.message


def test_a_submit_without_an_answer_is_no_refusal(new_spawner, commands):
    """test_submit_failure, when slurmctld is away: nothing was said about the job."""
    commands.answers["sbatch"] = [(1, "", "sbatch: error: Batch job submission failed: Unable to contact slurm "
                                          "controller (connect failure)")]
    with pytest.raises(SpawnProblem) as problem:
        start(new_spawner(), commands)
    assert problem.value.message.startswith("The cluster does not answer. Nothing was started")


@pytest.mark.parametrize("gone", [None, "FAILED"])
def test_a_job_that_ends_while_it_is_pending(new_spawner, commands, gone):
    """test_submit_pending_fails"""
    commands.squeue("PENDING", gone)
    spawner = new_spawner()
    with pytest.raises(SpawnProblem, match="ended before the server was ready"):
        start(spawner, commands)
    assert asyncio.run(spawner.query_job_status()) is JobStatus.NOTFOUND
    assert poll(spawner) == 1 and spawner.job_id == "" and spawner.get_state() == {}


def test_a_job_that_ends_before_its_port_is_known(new_spawner, commands):
    """No published case: stock never looks at the job again once it runs, and waits for the port until the timeout."""
    commands.squeue("RUNNING", "RUNNING", "FAILED")
    with pytest.raises(SpawnProblem, match="its script failed"):
        asyncio.run(asyncio.wait_for(new_spawner().start(), 5))


def test_a_server_that_is_gone_at_a_later_poll(new_spawner, commands):
    """test_poll_fails"""
    commands.squeue("RUNNING")
    spawner = new_spawner(running_poll_seconds=0)
    start(spawner, commands)
    commands.squeue(None)
    spawner.scheduler.jobs.forget()
    assert poll(spawner) == 1 and spawner.job_id == "" and spawner.get_state() == {}


def test_a_silent_scheduler_is_unknown(new_spawner, commands):
    """test_unknown_status"""
    commands.squeue("RUNNING")
    spawner = new_spawner(running_poll_seconds=0)
    start(spawner, commands)
    spawner.scheduler.jobs.forget()
    commands.squeue("SILENT")
    assert poll(spawner) is None
    assert asyncio.run(spawner.query_job_status()) is JobStatus.UNKNOWN and spawner.job_id == "12345"


def test_pending_unknown_running(new_spawner, commands):
    """test_slurm's sequence of answers: the start outlives a controller that is away while the job waits."""
    commands.squeue("PENDING", "CONFIGURING", "SILENT", "RUNNING")
    assert start(new_spawner(), commands) == ("node7", PORT)


def test_which_commands_run(new_spawner, commands):
    """test_templates. Ours has no templates of commands: nothing that could be written into one."""
    commands.squeue("RUNNING")
    spawner = new_spawner()
    assert poll(spawner) == 1 and commands.names() == [], "nothing to ask about"
    start(spawner, commands)
    commands.squeue("CANCELLED")
    asyncio.run(spawner.stop())
    assert commands.names() == ["sbatch", "squeue", "scancel", "squeue"]
    assert ("scancel", "12345") in commands.asked


def test_the_account_takes_the_place_of_exec_prefix(new_spawner, commands):
    """test_exec_prefix: ours changes to the person's account by itself, and asks about jobs as itself."""
    commands.squeue("RUNNING")
    spawner = new_spawner(exec_prefix="PREFIX")
    start(spawner, commands)
    assert commands.asked[0][:2] == ("/usr/bin/setpriv", f"--reuid={pwd.getpwnam(spawner.user.name).pw_uid}")
    assert not any("PREFIX" in word for command in commands.asked for word in command)


def script(new_spawner, commands, **traits):
    commands.squeue("RUNNING")
    start(new_spawner(**traits), commands)
    return commands.scripts[-1]


def test_what_is_asked_for_is_in_the_script(new_spawner, commands):
    """test_slurm and test_batch_script: each ``req_`` trait in its line, before the first command."""
    found = script(new_spawner, commands, req_runtime="3-05:10:10", req_nprocs="5", req_memory="5678",
                   req_partition="PART", req_gres="gpu:2", req_prologue="PROLOGUE")
    header = found.split("set -eu")[0].splitlines()
    assert {"#SBATCH --time=3-05:10:10", "#SBATCH --cpus-per-task=5", "#SBATCH --mem=5678M",
            "#SBATCH --partition=PART", "#SBATCH --gres=gpu:2"} <= set(header)
    assert re.search(r"^PROLOGUE$.*^exec +singleuser_command$", found, re.M | re.S)


def test_what_is_not_asked_for_is_not(new_spawner, commands):
    """test_slurm: an option without a value would be a mistake to Slurm."""
    assert "--gres" not in script(new_spawner, commands)


def test_the_environment_is_an_allow_list(new_spawner, commands, monkeypatch):
    """test_keepvars. Ours has no ``req_keepvars``: all that JupyterHub's ``get_env`` gives, and nothing else.

    It goes by a file of the person's, which the shell around sbatch writes; sbatch itself is told no more than where
    Slurm is and who the person is.
    """
    monkeypatch.setenv("SECRET_OF_THE_HUB", "1")
    found = script(new_spawner, commands, env_keep=[], environment={"COURSE": "mandrill"})
    assert "--export=ALL" in found and TOKEN not in found
    environment = commands.environment()
    assert environment["COURSE"] == "mandrill" and environment["JUPYTERHUB_API_TOKEN"] == TOKEN
    assert "SECRET_OF_THE_HUB" not in environment
    plain = {"PATH", "SLURM_CONF", "HOME", "USER", "LOGNAME", "SHELL"}
    assert set(commands.options[0]["env"]) - {"MANDRILLHUB_PRIVATE"} <= plain


def test_what_a_cluster_wants_to_know_is_said_only_where_a_profile_says_it(new_spawner, commands):
    """req_qos, req_account and req_reservation are batchspawner's names; modules are ours."""
    plain = script(new_spawner, commands)
    assert not [word for word in ("--qos", "--account", "--reservation", "module") if word in plain]
    found = script(new_spawner, commands, req_qos="lab", req_account="teach", req_reservation="day",
                   req_modules="a/1 b")
    assert {"#SBATCH --qos=lab", "#SBATCH --account=teach", "#SBATCH --reservation=day"} <= set(found.splitlines())
    assert re.search(r"^for name in a/1 b; do$", found, re.M)
