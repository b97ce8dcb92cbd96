"""The course's tests run with the kernel's Python, which has nothing of the platform:

    python -m pytest --confcutdir=tests/unit/course_notebooks tests/unit/course_notebooks

With another Python they are skipped, and say so.
"""

import os
import sys
from pathlib import Path

import pytest

COURSE = Path(__file__).parents[3] / "course_notebooks"
sys.path.insert(0, str(COURSE))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(COURSE), os.environ.get("PYTHONPATH")]))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """A synthetic set, small but large enough to show the leak."""
    from mandrill.synthetic import Parameters, draw_set

    folder = tmp_path_factory.mktemp("course") / "faces"
    draw_set(folder, Parameters(photos=700, individuals=80, size=32, seed=7), processes=2)
    return folder


@pytest.fixture(scope="session")
def photos(drawn):
    from mandrill import faces

    return faces.load(drawn)
