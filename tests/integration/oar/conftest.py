"""One OAR for all tests of this folder; it goes away with the last of them."""

from __future__ import annotations

import pytest

from tests.integration.oar.cluster import started


@pytest.fixture(scope="package")
def oar():
    with started() as cluster:
        yield cluster
