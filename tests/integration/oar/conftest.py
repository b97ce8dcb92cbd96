"""One OAR for all tests of this folder; it goes away with the last of them."""

from __future__ import annotations

import os

import pytest

from tests.integration.oar.cluster import Cluster, install


@pytest.fixture(scope="package")
def oar():
    if os.geteuid():
        pytest.fail("needs root: it starts sshd and makes accounts")
    install()
    cluster = Cluster()
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
