import os
import subprocess

import pytest

from spawner_profiles.private_file import FOLDER, WRITE_AND_RUN, after_header, exports, reading


def write(home, text, command=("env",), name=f"{FOLDER}/env-1"):
    return subprocess.run(["sh", "-c", WRITE_AND_RUN, "sh", name, *command], capture_output=True, text=True, cwd="/",
                          env={"HOME": str(home), "PATH": os.environ["PATH"], "MANDRILLHUB_PRIVATE": text})


def test_the_file_is_closed_and_the_command_knows_nothing_of_it(tmp_path):
    text = "export A='1 2'\n%s \\n é\n"
    done = write(tmp_path, text)
    file = tmp_path / FOLDER / "env-1"
    assert file.read_text() == text
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "MANDRILLHUB_PRIVATE" not in done.stdout and "HOME=" in done.stdout


def test_what_lies_there_already_is_not_written_to(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "env-1").symlink_to(tmp_path / "elsewhere")
    done = write(tmp_path, "secret")
    assert done.returncode and not done.stdout and not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_somebody_else_is_not_used(tmp_path):
    (tmp_path / FOLDER).mkdir()
    os.chown(tmp_path / FOLDER, 65534, 65534)
    done = write(tmp_path, "secret")
    assert done.returncode and "belongs to somebody else" in done.stderr and not list((tmp_path / FOLDER).iterdir())


def test_without_a_home_nothing_is_run(tmp_path):
    assert write(tmp_path / "gone", "secret", ("touch", str(tmp_path / "ran"))).returncode
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", ["a b", "'", "$(touch owned)", "`touch owned`", "a\nb", "\\", "!", "é", "; exit 7"])
def test_values_arrive_as_they_are(tmp_path, value):
    file = tmp_path / "it's"
    file.write_text(exports({"VALUE": value, "not a name; touch owned": "x"}))
    script = after_header("#!/bin/bash\n#SBATCH --mem=1\nset -eu\nprintf %s \"$VALUE\"\n", reading(str(file)))
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, value), done.stderr
    assert not file.exists() and not (tmp_path / "owned").exists()


def test_a_job_whose_file_is_gone_or_a_link_says_so_and_ends(tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("gone", "link"):
        script = after_header("#!/bin/bash\necho went on\n", reading(str(tmp_path / name)))
        done = subprocess.run(["bash"], input=script, capture_output=True, text=True)
        assert done.returncode == 1 and "Start it anew" in done.stdout and "went on" not in done.stdout


def test_lines_go_between_the_options_and_the_first_command():
    assert after_header("#!/bin/sh\n#OAR -q x\nset -e\n#OAR -l y\n", "new\n") == (
        "#!/bin/sh\n#OAR -q x\nnew\nset -e\n#OAR -l y\n")
    assert after_header("#!/bin/sh\n", "new\n") == "#!/bin/sh\nnew\n"
