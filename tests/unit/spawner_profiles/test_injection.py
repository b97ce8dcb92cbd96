"""What people and admins write stays text: in the batch script, to the shell that runs it, and to sbatch."""

import os
import subprocess

import pytest
from slurm_commands import start

HOSTILE = ["$(touch owned)", "`touch owned`", "'; touch owned; '", '"; touch owned; "', "a\ntouch owned\n",
           "a\n#SBATCH --partition=gpu\n", "{{ 7*7 }}", "{% for x in (1,2) %}owned{% endfor %}", "{cmd}", "../../owned"]


def batch_script(new_spawner, commands, **traits):
    commands.squeue("RUNNING")
    start(new_spawner(cmd=["true"], **traits), commands)
    return commands.scripts[-1]


def run(script, folder):
    """Run what follows the head of comments, as the job would; returns what it printed."""
    script = "set -eu" + script.split("\nset -eu", 1)[1]
    environment = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "1", "SLURMD_NODENAME": "node7"}
    said = subprocess.run(["bash"], input=script, capture_output=True, text=True, cwd=folder, env=environment)
    assert said.returncode == 0, said.stderr
    assert list(folder.iterdir()) == [], "a command of theirs was run"
    return said.stdout


@pytest.mark.parametrize("text", HOSTILE)
def test_a_servers_name(new_spawner, commands, tmp_path, text):
    script = batch_script(new_spawner, commands, server_name=text)
    plain = batch_script(new_spawner, commands, server_name="plain")
    assert len(script.splitlines()) == len(plain.splitlines()), "a line more, or a template that was rendered"
    assert [line.split("=")[0] for line in script.splitlines() if line.startswith("#SBATCH")] == [
        line.split("=")[0] for line in plain.splitlines() if line.startswith("#SBATCH")]
    logfile = next(line for line in script.splitlines() if line.startswith("#SBATCH --output="))
    assert "/" not in logfile and not set("$`'\"{};% ") & set(logfile.removeprefix("#SBATCH "))
    run(script, tmp_path)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_profiles_title(new_spawner, commands, tmp_path, text):
    script = batch_script(new_spawner, commands, req_title=text)
    assert run(script, tmp_path).startswith(f"{text}: "), "printed as it is"
    header = script.split("set -eu")[0]
    assert "--partition=gpu" not in header


@pytest.mark.parametrize("text", HOSTILE)
def test_the_environment(new_spawner, commands, tmp_path, text):
    """Line breaks and all, it arrives as it is, by a file that the job's shell reads."""
    script = batch_script(new_spawner, commands, environment={"TEXT": text})
    # A literal brace is doubled for JupyterHub, which formats these.
    assert commands.environment()["TEXT"] in (text, text.replace("{{", "{").replace("}}", "}"))
    assert text not in script
    run(script, tmp_path)
