"""Logging in with the passwords of Unix accounts, one attempt at a time for each account."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from jupyterhub.auth import PAMAuthenticator
from traitlets import default


class UnixAuthenticator(PAMAuthenticator):
    """PAM lets a wrong password wait for 3 s, and JupyterHub's few threads wait with it: whoever tries passwords
    would keep the whole class out. Here they wait for themselves, and guess once in 3 s."""

    @default("executor_threads")
    def _threads(self) -> int:
        return 16  # they sleep; one for each account that is attacked, with room for the others

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def authenticate(self, handler, data: dict[str, str]) -> str | None:
        """The name if PAM takes the password, else None. Names that are on no list share one turn."""
        name = self.normalize_username(data["username"])
        async with self._turns[name if name in self.allowed_users else ""]:
            return await super().authenticate(handler, data)
