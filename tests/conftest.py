"""Fixtures for the tests that need the real platform. `tests/run.sh` brings it up and down; so does a lone pytest."""

from __future__ import annotations

import pytest

from tests.live import Platform


@pytest.fixture(scope="session")
def platform() -> Platform:
    """The running platform: hub, proxy, Slurm. Left running, so that the next run starts in seconds."""
    platform = Platform()
    platform.make("up")
    return platform


@pytest.fixture
def ada(platform):
    """An attendee, logged in; a server of theirs is stopped afterwards."""
    yield from _someone(platform, "mh-ada")


@pytest.fixture
def bela(platform):
    """Another attendee."""
    yield from _someone(platform, "mh-bela")


@pytest.fixture
def carol(platform):
    """An instructor."""
    yield from _someone(platform, "mh-carol")


@pytest.fixture
def gina(platform):
    """The instructor of the other course."""
    yield from _someone(platform, "mh-gina")


@pytest.fixture
def hugo(platform):
    """The other course's attendee."""
    yield from _someone(platform, "mh-hugo")


def _someone(platform, login):
    person = platform.person(login)
    yield person
    person = platform.person(login)  # the hub may have been restarted meanwhile
    if person.api("GET", f"users/{login}").json()["servers"]:
        person.stop()
