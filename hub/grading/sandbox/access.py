"""Who may have notebooks executed: the accounts of the courses, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Collection

from jupyterhub.services.auth import HubAuth

#: Seconds that `mandrillhub grade` may take.
LIFE_S = 24 * 3600


def local_token(secret: str, account: str) -> str:
    """For a command of root's that works as ``account``: good for a day, for that account alone."""
    text = f"{account}:{int(time.time()) + LIFE_S}"
    return f"{text}:{_sign(secret, text)}"


def local_account(secret: str, token: str) -> str | None:
    """The account of such a token; None if it is none of ours, or too old."""
    text, _, signature = token.rpartition(":")
    account, _, expires = text.rpartition(":")
    if not account or not hmac.compare_digest(signature.encode(), _sign(secret, text).encode()):
        return None
    return account if time.time() < int(expires) else None


def _sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Access:
    """Tells whose a token is. The hub's answers are kept for a minute."""

    def __init__(self, hub_api: str, secret: str, accounts: Collection[str]) -> None:
        self._hub = HubAuth(api_url=hub_api, api_token=secret, cache_max_age=60)
        self._secret, self._accounts = secret, accounts

    async def account(self, header: str) -> str | None:
        """The course account that sent this Authorization header; None for anybody else.

        Raises ``tornado.web.HTTPError`` (5xx) if the hub does not answer.
        """
        kind, _, token = header.partition(" ")
        if kind.lower() not in ("token", "bearer") or not token:
            return None
        account = local_account(self._secret, token)
        if account is None:
            user = await self._hub.user_for_token(token, sync=False)
            account = user["name"] if user and user.get("kind", "user") == "user" else None
        return account if account in self._accounts else None
