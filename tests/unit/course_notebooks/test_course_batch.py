"""Job scripts as a scheduler reads them, the schedulers' words, checkpoints that survive, and the project itself."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

import torch
from mandrill import checkpoint, cluster, interrupt, jobplots, project
from mandrill.jobscript import ScriptError, asked, slurm_seconds
from mandrill.oar import Oar
from mandrill.recorded import Recording
from mandrill.scheduler import FORGOTTEN, Job, Report, SchedulerError
from mandrill.slurm import Slurm
from mandrill.watch import describe, watch

NOTEBOOK = Path(__file__).parents[3] / "course_notebooks/source/04_to_batch/to_batch.ipynb"


@pytest.mark.parametrize("lines, found", [
    ("#SBATCH --cpus-per-task=4\n#SBATCH --mem=8G --time=01:30:00", (1, 4, 8192, 5400)),
    ("#SBATCH -c 4 -t 90   # an hour and a half\n#SBATCH --mem 8192", (1, 4, 8192, 5400)),
    ("#SBATCH -c4\n\n# a comment\n#SBATCH --mem-per-cpu=2G -t1-0", (1, 4, 8192, 86400)),
    ("#SBATCH --ntasks=4 --partition=gpu --gres=gpu:1", (4, 4, None, None)),
    ("#SBATCH -n2 -c3", (2, 6, None, None)),
    ("#OAR -l /nodes=1/core=4,walltime=01:30:00", (1, 4, None, 5400)),
    ("#OAR -l /host=2/core=4,walltime=2 -p gpu_count=1", (1, 8, None, 7200)),
    ("echo\n#SBATCH -c 4", (1, None, None, None)),
])
def test_what_a_script_asks_for(lines, found):
    asks = asked(f"#!/bin/bash\n{lines}\necho\n")
    assert (asks.tasks, asks.cpus, asks.memory_mb, asks.seconds) == found
    assert asks.ignored == (("#SBATCH -c 4",) if lines.startswith("echo") else ())


def test_the_files_of_a_job():
    asks = asked("#!/bin/sh\n#SBATCH -o logs/%j.out -e 'my logs/%j' -J short\n")
    assert (asks.file("output", 12), asks.file("error", "12"), asks.name) == ("logs/12.out", "my logs/12", "short")
    assert asked("#!/bin/sh\n#OAR -O %jobid%.txt -n x\n").file("output", 7) == "7.txt"
    assert asked("#!/bin/sh\n").file("output", 7) is None


@pytest.mark.parametrize("text, said", [
    ("", "first line"), ("\n#!/bin/bash\n", "first line"), ("#!/bin/bash\n#SBATCH --time=soon", "--time=soon"),
    ("#!/bin/bash\n#SBATCH --mem=0.5G", "--mem=0.5G"), ("#!/bin/bash\n#SBATCH --cpus-per-task=two", "=two"),
    ("#!/bin/bash\n#SBATCH --cpus-per-task", "expected one argument"), ("#!/bin/bash\n#SBATCH 'x", "quotation"),
    ("#!/bin/bash\n#OAR -l core=1,walltime=x", "walltime=x"),
])
def test_what_a_scheduler_refuses(text, said):
    with pytest.raises(ScriptError, match=re.escape(said)):
        asked(text)


def test_the_times_of_slurm():
    assert [slurm_seconds(text) for text in ("2", "2:03", "1:02:03", "1-1", "1-1:02", "1-1:02:03")] == [
        120, 123, 3723, 90000, 90120, 90123]


@pytest.mark.parametrize("kind", [Slurm, Oar])
def test_each_scheduler_reads_its_own_script(kind, monkeypatch):
    monkeypatch.setenv("MANDRILL_DATA", "/data/my faces")
    text = kind().script("echo $MANDRILL_DATA; python -c 'import sys; print(sys.executable)'", "x", 3, 4, 75)
    asks = asked(text)
    assert (asks.scheduler, asks.cpus, asks.seconds, asks.name) == (kind.name, 3, 4500, "x")
    assert asks.file("output", 5) == "logs/5.out" and asks.file("error", 5) == "logs/5.err"
    said = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True, env={}).stdout
    folder, python = said.splitlines()
    assert folder == "/data/my faces" and Path(python).samefile(sys.executable)


def a_command(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A folder of commands that stand in for a scheduler's: for what its answers are read as, not for a scheduler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("SLURM_JOB_PARTITION", "SLURM_JOB_ACCOUNT", "SLURM_JOB_RESERVATION", "MANDRILLHUB_GPU"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_nothing_of_the_notebooks_environment_goes_with_a_job(commands, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "2048")
    a_command(commands, "sbatch", "env > $(dirname $0)/seen; pwd >> $(dirname $0)/seen; echo Submitted batch job 12")
    script = tmp_path / "my project" / "job.sh"
    script.parent.mkdir()
    script.write_text(Slurm().script("true", name="try"))
    job = Slurm().submit(script)
    assert (job.number, job.name, job.out, job.err) == ("12", "try", script.parent / "logs/12.out",
                                                        script.parent / "logs/12.err")
    assert job.out.parent.is_dir() and job.log() == ""
    seen = (commands / "seen").read_text()
    assert "secret" not in seen and "SLURM_MEM" not in seen and str(script.parent) in seen
    assert capsys.readouterr().out == "$ sbatch job.sh\njob 12\n"
    a_command(commands, "sbatch", "echo sbatch: error: no such partition >&2; exit 1")
    with pytest.raises(SchedulerError, match="no such partition"):
        Slurm().submit(script)


def test_a_job_goes_where_the_notebook_is_but_holds_no_gpu(commands, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_PARTITION", "teach")
    monkeypatch.setenv("SLURM_JOB_ACCOUNT", "(null)")
    assert "#SBATCH --partition=teach\n" in Slurm().script("true") and "account" not in Slurm().script("true")
    monkeypatch.setenv("MANDRILLHUB_GPU", "t4")
    assert "partition" not in Slurm().script("true")


@pytest.mark.parametrize("said, expected", [
    ("JobState=PENDING Reason=Priority NodeList=(null) SubmitTime=2026-11-21T10:00:00 StartTime=2026-11-21T12:00:00 "
     "EndTime=Unknown", ("waiting", "Priority", "", None, None)),
    ("JobState=RUNNING Reason=None NodeList=cpu1 SubmitTime=2026-11-21T10:00:00 StartTime=2026-11-21T10:00:02 "
     "EndTime=2026-11-21T11:00:00", ("running", "", "cpu1", 2, None)),
    ("JobState=TIMEOUT Reason=TimeLimit NodeList=cpu1 SubmitTime=2026-11-21T10:00:00 StartTime=2026-11-21T10:00:02 "
     "EndTime=2026-11-21T10:00:09", ("time over", "", "cpu1", 2, 9)),
])
def test_what_slurm_says_of_a_job(commands, said, expected):
    a_command(commands, "scontrol", f"echo 'JobId=12 {said}'")
    report = Slurm().report(Job(Slurm(), "12", "x", Path(), Path()))
    times = (time and time - report.submitted for time in (report.started, report.ended))
    assert (report.state, report.reason, report.node, *times) == expected


def test_what_a_job_ended_with_is_remembered(commands, tmp_path):
    job = Job(Slurm(), "12", "x", tmp_path / "out", tmp_path / "err")
    a_command(commands, "scontrol", "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1")
    assert job.report() == Report(FORGOTTEN)
    a_command(commands, "scontrol", "echo JobState=COMPLETED NodeList=cpu1")
    assert job.report().state == "completed"
    (commands / "scontrol").unlink()
    assert job.report().state == "completed"


@pytest.mark.parametrize("said, state", [
    ({"state": "Waiting", "message": "Karma=0.1"}, "waiting"), ({"state": "Running"}, "running"),
    ({"state": "Terminated", "exit_code": 0}, "completed"), ({"state": "Terminated", "exit_code": 256}, "failed"),
    ({"state": "Error", "events": [{"type": "WALLTIME"}, {"type": "SEND_KILL_JOB"}]}, "time over"),
    ({"state": "Error", "events": [{"type": "FRAG_JOB_REQUEST"}]}, "cancelled"), ({"state": "Error"}, "failed"),
])
def test_what_oar_says_of_a_job(commands, said, state):
    (commands / "said").write_text(json.dumps({"12": said | {"submissionTime": 100, "startTime": 0}}))
    a_command(commands, "oarstat", "cat $(dirname $0)/said")
    report = Oar().report(Job(Oar(), "12", "x", Path(), Path()))
    assert (report.state, report.submitted, report.started) == (state, 100, None)
    a_command(commands, "oarstat", "true")
    assert Oar().report(Job(Oar(), "12", "x", Path(), Path())).state == FORGOTTEN


def test_oar_submits_a_script_that_may_be_run(commands, tmp_path):
    a_command(commands, "oarsub", 'test -x "$2" && echo "[ADMISSION RULE] fine" && echo OAR_JOB_ID=12')
    (tmp_path / "job.sh").write_text(Oar().script("true"))
    assert Oar().submit(tmp_path / "job.sh").out == tmp_path / "logs/12.out"
    a_command(commands, "oarsub", "echo OAR_JOB_ID=-5")
    with pytest.raises(SchedulerError, match="-5"):
        Oar().submit(tmp_path / "job.sh")


def test_which_scheduler_is_here(commands, capsys):
    assert isinstance(cluster.here({}), Recording)
    assert "no scheduler on this machine" in capsys.readouterr().out
    a_command(commands, "sbatch", "false")
    a_command(commands, "sinfo", "echo cannot reach the controller >&2; exit 1")
    assert isinstance(cluster.here({}), Recording)
    a_command(commands, "oarsub", "true")
    a_command(commands, "oarstat", "true")
    assert isinstance(cluster.here({}), Oar)
    a_command(commands, "sinfo", "true")
    assert type(cluster.here({})) is Slurm
    assert isinstance(cluster.here({"NBGRADER_EXECUTION": "autograde"}), Recording)
    assert "sbatch job.sh" in cluster.commands() and "oarsub -S ./job.sh" in cluster.commands()


def test_the_recording_says_that_it_is_one(tmp_path, capsys):
    here = Recording("no scheduler")
    (tmp_path / "long.sh").write_text(here.script("true", name="long"))
    cut, again = here.submit(tmp_path / "long.sh"), here.submit(tmp_path / "long.sh")
    assert (cut.report().state, again.report().state) == ("running", "completed")
    assert describe(cut, cut.report()).startswith("a recording: job ") and cut.log("err") == ""
    assert "going on after epoch" in again.log() and not (tmp_path / "logs").exists()
    watch(cut, until="epoch 4")
    cut.cancel()
    assert cut.report().state == "cancelled" and "CANCELLED" in cut.log("err")
    said = capsys.readouterr().out
    assert "Nothing is submitted: no scheduler." in said and "a recording: $ scancel" in said
    for picture in (jobplots.times(cut, again), jobplots.learnt(cut, again)):
        assert picture._repr_png_().startswith(b"\x89PNG")
        assert picture.figure.get_supxlabel() == "synthetic faces, a recording"


def test_watching_ends_by_itself(tmp_path, capsys):
    class Running(Slurm):
        def report(self, job):
            return Report("running", node="cpu1")

    job = Job(Running(), "12", "x", tmp_path / "out", tmp_path / "err")
    watch(job, seconds=0)
    assert "run this cell again" in capsys.readouterr().out
    job.out.write_text("epoch 3 <done>\n")
    watch(job, until="epoch 3", seconds=60)
    said = capsys.readouterr().out
    assert "job 12 (x): running, on cpu1" in said and "epoch 3 <done>" in said


def test_a_scheduler_that_is_silent_says_nothing_of_the_job(commands, tmp_path, capsys):
    a_command(commands, "scontrol", "echo Unable to contact slurm controller >&2; exit 1")
    watch(Job(Slurm(), "12", "x", tmp_path / "out", tmp_path / "err"), seconds=0)
    assert "not known at the moment (Unable to contact slurm controller)" in capsys.readouterr().out


def test_a_checkpoint_survives_whenever_its_process_is_killed(tmp_path):
    assert interrupt.tried(checkpoint.__file__) == {"never": 2, "writing": 1, "renaming": 1, "nothing": None}
    naive = tmp_path / "naive.py"
    naive.write_text("import torch\ndef save(state, path):\n    torch.save(state, path)\nload = torch.load\n")
    found = interrupt.tried(naive)
    assert found["never"] == 2 and found["nothing"].startswith("FileNotFoundError")
    assert "Error" in found["writing"], "half a file was loaded"
    naive.write_text("import no_such_module")
    with pytest.raises(AssertionError, match="No module named 'no_such_module'"):
        interrupt.tried(naive)
    naive.write_text("raise NotImplementedError()")
    with pytest.raises(AssertionError, match="holds no answer yet"):
        interrupt.tried(naive)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The project as the notebook writes it."""
    folder = tmp_path_factory.mktemp("project")
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        first, _, text = "".join(cell["source"]).partition("\n")
        if first.startswith("%%writefile project/"):
            (folder / Path(first.split()[1]).name).write_text(text)
    return folder


def test_a_training_that_was_killed_goes_on_as_if_it_never_was(files, drawn, monkeypatch):
    monkeypatch.setenv("MANDRILL_DATA", str(drawn))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    about = ("--epochs", 3, "--photos", 100)
    whole = project.run(files / "train.py", "--out", "whole", *about, folder=files, seconds=200)
    assert whole.endswith("finished") and "synthetic faces" in whole

    begun = subprocess.Popen([sys.executable, "-u", "train.py", "--out", "cut", *map(str, about)], cwd=files,
                             stdout=subprocess.PIPE, text=True)
    for line in begun.stdout:
        if line.startswith("epoch 1"):
            os.kill(begun.pid, signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL
    again = project.run(files / "train.py", "--out", "cut", *about, folder=files, seconds=200)
    assert "going on after epoch" in again and "epoch 1:" not in again
    one, other = (checkpoint.load(files / name / "checkpoint.pt") for name in ("whole", "cut"))
    assert one["curve"] == other["curve"] and len(one["curve"]) == 3
    assert all(torch.equal(one["model"][name], other["model"][name]) for name in one["model"])


def test_a_script_that_fails_or_hangs_is_named(tmp_path):
    script = tmp_path / "script.py"
    with pytest.raises(AssertionError, match=r"there is no .*script\.py yet: run the cell above"):
        project.run(script)
    script.write_text("import sys, time\ntime.sleep(5 * (len(sys.argv) > 1))\nsys.exit('no photos')\n")
    with pytest.raises(AssertionError, match=r"script\.py failed \(1\): no photos"):
        project.run(script)
    with pytest.raises(AssertionError, match=r"still runs after 0\.2 s"):
        project.run(script, "wait", seconds=0.2)


def test_the_notebook_itself_loads_no_torch():
    light = ("import sys; from mandrill import cluster, interrupt, jobplots, project, watch; "
             "print('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", light], capture_output=True, text=True).stdout == "False\n"


def test_time_is_local_as_slurm_writes_it(commands, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    a_command(commands, "scontrol", "echo JobState=RUNNING NodeList=a SubmitTime=2026-11-21T10:00:00")
    assert Slurm().report(Job(Slurm(), "12", "x", Path(), Path())).submitted == 1795255200
