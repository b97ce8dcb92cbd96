"""Whoever tries passwords keeps nobody else waiting. The passwords themselves: tests/integration/test_attacks.py."""

import asyncio
import time

import pamela
import pytest

from hub.login import UnixAuthenticator

WAIT_S = 0.3


@pytest.fixture
def authenticator(monkeypatch):
    def pam(name, password, **options):
        if password != "right":
            time.sleep(WAIT_S)  # PAM does so, and blocks its thread
            raise pamela.PAMError("no")

    monkeypatch.setattr(pamela, "authenticate", pam)
    monkeypatch.setattr(pamela, "check_account", lambda *names, **options: None)
    return UnixAuthenticator(allowed_users={"ada", "bela", "carol"})


async def log_in(authenticator, name, password):
    begin = time.monotonic()
    found = await authenticator.authenticate(None, {"username": name, "password": password})
    return found, time.monotonic() - begin


@pytest.mark.parametrize("attacked", [["ada"], [f"nobody{n}" for n in range(30)], ["ada", "nobody"]])
def test_twenty_wrong_passwords_keep_nobody_else_out(authenticator, attacked):
    async def crowd():
        guesses = [asyncio.ensure_future(log_in(authenticator, attacked[n % len(attacked)], "wrong"))
                   for n in range(20)]
        await asyncio.sleep(0)
        found, took = await log_in(authenticator, "bela", "right")
        assert found == "bela" and took < WAIT_S
        for guess in guesses:
            guess.cancel()

    asyncio.run(crowd())


def test_one_account_is_tried_once_at_a_time(authenticator):
    async def three():
        await asyncio.gather(*(log_in(authenticator, name, "wrong") for name in ("ada", "Ada", "ADA")))

    begin = time.monotonic()
    asyncio.run(three())
    assert time.monotonic() - begin > 3 * WAIT_S * 0.95


def test_names_that_are_on_no_list_take_no_memory(authenticator):
    async def many():
        for number in range(3):
            await log_in(authenticator, f"nobody{number}", "wrong")

    asyncio.run(many())
    assert len(authenticator._turns) == 1
