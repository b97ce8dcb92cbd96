import subprocess

import pytest

from spawner_profiles.modules import loading

#: In the place of a cluster's own; what real environment-modules does is in tests/integration/test_slurm_jobs.py.
FAKE = "module() { [ \"$2\" != nope ] && echo loaded \"$2\"; }\n"


def run(modules):
    return subprocess.run(["bash", "-c", f"set -eu\n{FAKE}{loading(modules)}case $- in *e*u*) echo strict;; esac"],
                          capture_output=True, text=True)


def test_modules_are_loaded_in_their_order_and_the_shell_is_strict_again():
    assert run("cuda/12.4 gcc").stdout == "loaded cuda/12.4\nloaded gcc\nstrict\n"
    assert loading("") == ""


def test_one_that_cannot_be_loaded_is_named_in_the_last_line():
    done = run("cuda nope gcc")
    assert done.returncode == 1 and done.stdout.startswith("loaded cuda\nThe module nope of this profile cannot be")


@pytest.mark.parametrize("name", ["$(echo owned)", "`echo owned`", ";echo\towned", "a'b"])
def test_no_name_reaches_the_shell(name):
    assert f"loaded {name.split()[0]}" in run(name).stdout
