"""The assignments, graded by nbgrader itself in the kernel that attendees use.

Run with the notebook server's Python, which has nbgrader, and with JUPYTER_PATH at the kernels (as tests/run.sh does):

    python -m pytest --confcutdir=tests/integration/course_notebooks tests/integration/course_notebooks

With a Python without nbgrader the tests are skipped, and say so.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course folder of its own, with the photos that the notebooks ask for."""
    from .grading import SOURCE, Course, kernel_python

    # The kernels get the course as it lies here, and nothing of the tests' packages.
    os.environ["PYTHONPATH"] = str(SOURCE.parent)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # nbgrader calls alembic by its bare name.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if "MANDRILL_DATA" not in os.environ:
        faces = tmp_path_factory.mktemp("data") / "faces"
        subprocess.run([kernel_python(), "-m", "mandrill.synthetic", faces, "--photos", "600", "--individuals", "60"],
                       check=True)
        os.environ["MANDRILL_DATA"] = str(faces)
    return Course(tmp_path_factory.mktemp("course"))
