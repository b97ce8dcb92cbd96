import os

import pytest

from .school import ACCOUNTS, ASSIGNMENT, NBGRADER, School


@pytest.fixture(scope="session")
def school():
    """Two courses that have released their assignment; ada and bela of the one, eve of the other."""
    if os.geteuid() != 0 or not NBGRADER.exists():
        pytest.skip(f"needs root, to make accounts, and {NBGRADER}")
    school = School()
    try:
        ran = school.nbgrader(ACCOUNTS["vision"], "generate_assignment", ASSIGNMENT, "--force", "--course", "vision")
        assert ran.rc == 0, ran.out
        for course, account in ACCOUNTS.items():
            ran = school.nbgrader(account, "release_assignment", ASSIGNMENT, "--course", course)
            assert ran.rc == 0, ran.out
        yield school
    finally:
        school.close()
