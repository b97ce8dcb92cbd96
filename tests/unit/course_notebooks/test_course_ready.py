"""The job as notebooks see it, the practice folder and the readiness score. None of them needs torch."""

import subprocess
import sys
import time

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

from mandrill import job, practice
from mandrill.ready import Readiness


def test_a_job_of_slurm(monkeypatch):
    monkeypatch.setattr(job, "memory_limit_mb", lambda environment: 2048)
    here = job.this_job({"SLURM_JOB_ID": "42", "SLURMD_NODENAME": "node1",
                         "MANDRILLHUB_JOB_ENDS_AT": str(int(time.time()) + 2 * 3600 + 90)})
    assert (here.scheduler, here.number, here.host, here.memory_mb) == ("Slurm", "42", "node1", 2048)
    assert 2 * 3600 < here.seconds_left <= 2 * 3600 + 90
    assert str(here).splitlines()[0] == "job:     Slurm 42" and str(here).endswith("ends in: 2 h 1 min")


def test_a_job_of_oar_and_none_at_all():
    assert job.this_job({"OAR_JOB_ID": "7"}).scheduler == "OAR"
    here = job.this_job({})
    assert here.scheduler is None and here.number is None and here.seconds_left is None
    assert "no scheduler here" in str(here)
    assert job.this_job({"SLURM_JOB_END_TIME": "12"}).seconds_left == 0


@pytest.mark.parametrize("membership, folder, file", [
    ("0::/job/step\n", "job", "memory.max"),
    ("4:memory:/job/step\n0::/\n", "memory/job", "memory.limit_in_bytes"),
])
def test_the_memory_of_a_control_group(tmp_path, membership, folder, file):
    (tmp_path / "cgroup").write_text(membership)
    (tmp_path / folder / "step").mkdir(parents=True)
    (tmp_path / folder / file).write_text(f"{512 * 2**20}\n")
    (tmp_path / folder / "step" / file).write_text("max\n" if file == "memory.max" else "9223372036854771712\n")
    assert job.memory_limit_mb({}, tmp_path, tmp_path / "cgroup") == 512
    assert job.memory_limit_mb({"SLURM_MEM_PER_NODE": "256"}, tmp_path, tmp_path / "cgroup") == 256
    (tmp_path / folder / file).unlink()
    assert job.memory_limit_mb({}, tmp_path, tmp_path / "cgroup") is None
    assert job.memory_limit_mb({}, tmp_path, tmp_path / "absent") is None


def test_the_practice_folder_is_made_anew_but_replaces_no_other(tmp_path):
    folder = practice.make(tmp_path / "practice")
    assert len(list((folder / "photos").rglob("*.jpg"))) == 7
    (folder / "mine.sh").touch()
    assert practice.make(tmp_path / "practice") == folder and not (folder / "mine.sh").exists()
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(FileExistsError, match="rename it"):
        practice.make(other)


def test_a_script_runs_with_its_arguments_and_says_what_is_wrong(tmp_path):
    script = tmp_path / "script.sh"
    script.write_text('echo " $1 "\n')
    assert practice.run(script, "a b") == "a b"
    with pytest.raises(AssertionError, match=r"there is no .*absent\.sh yet: .*%%writefile"):
        practice.run(tmp_path / "absent.sh")
    script.write_text("# YOUR CODE HERE\nraise NotImplementedError()\n")
    with pytest.raises(AssertionError, match=r"script\.sh holds no answer yet"):
        practice.run(script)
    script.write_text("echo (\n")
    with pytest.raises(AssertionError, match=r"script\.sh failed .*syntax error"):
        practice.run(script)
    script.write_text("sleep 5\n")
    with pytest.raises(AssertionError, match=r"still runs after 0\.2 s"):
        practice.run(script, seconds=0.2)


def test_readiness_counts_what_passed(capsys):
    ready = Readiness(shell=2, keys=1)
    with ready.check("shell", 1):
        pass
    assert capsys.readouterr().out == "✓\n"
    with pytest.raises(AssertionError, match="as it was"), ready.check("shell", 2):
        raise AssertionError("as it was")
    assert capsys.readouterr().out == "" and ready.score == (1, 3)
    assert repr(ready).splitlines() == ["shell        ✓ ✗", "keys         ·", "1 / 3"]
    with ready.check("shell", 2):
        pass
    assert ready.score == (2, 3) and "2 / 3" in ready._repr_html_()
    with pytest.raises(KeyError, match="no check 4"), ready.check("keys", 4):
        pass


def test_a_failed_check_shows_only_the_cells_line_and_the_message(tmp_path):
    with pytest.raises(AssertionError, match="absent") as failed, Readiness(shell=1).check("shell"):
        practice.run(tmp_path / "absent.sh")
    (shown,) = failed.traceback
    assert shown.name == "test_a_failed_check_shows_only_the_cells_line_and_the_message"


def test_readiness_needs_no_torch():
    heavy = "import sys, mandrill.job, mandrill.practice, mandrill.ready; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True).stdout == "set()\n"
