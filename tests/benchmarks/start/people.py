"""People at their browsers: log in, press Start, follow the waiting page. One light process for all of them."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass

import aiohttp

#: A person who still waits then has failed.
PATIENCE_S = 120


@dataclass
class Person:
    """One person's browser. ``seconds``: from Start to ready, None if it failed; ``saw``: what the page said then."""

    login: str
    address: str
    http: aiohttp.ClientSession
    seconds: float | None = None
    saw: str = ""

    def request(self, method: str, path: str, **options):
        return self.http.request(method, self.address + path, allow_redirects=False, **options)

    @property
    def xsrf(self) -> dict[str, str]:
        return {"_xsrf": next(cookie.value for cookie in self.http.cookie_jar if cookie.key == "_xsrf")}

    async def log_in(self, password: str) -> None:
        async with self.request("GET", "/hub/login"):
            pass
        async with self.request("POST", "/hub/login", params=self.xsrf,
                                data={"username": self.login, "password": password}) as answer:
            assert answer.status == 302, f"{self.login} could not log in: {answer.status} {await answer.text()}"
        async with self.request("GET", "/hub/home") as answer:
            assert answer.status == 200, f"no home page for {self.login}: {answer.status}"

    async def press_start(self, form: dict[str, str] | None) -> None:
        """``form``: what the start page's button sends; None where there is no form and a link starts the server."""
        begin = time.monotonic()
        try:
            self.saw = await asyncio.wait_for(self._start(form), PATIENCE_S)
        except TimeoutError:
            self.saw = f"not ready after {PATIENCE_S} s"
        except aiohttp.ClientError as error:
            self.saw = f"{type(error).__name__}: {error}"
        self.seconds = None if self.saw else time.monotonic() - begin

    async def _start(self, form: dict[str, str] | None) -> str:
        """'' when the server is ready, else what the page said."""
        path = f"/hub/spawn/{self.login}"
        method, options = ("GET", {}) if form is None else ("POST", {"params": self.xsrf, "data": form})
        async with self.request(method, path, **options) as answer:
            if answer.status != 302:
                return f"{answer.status}: {_error(await answer.text())}"
            place = answer.headers["Location"]
        if "/spawn-pending/" not in place:
            return ""  # the server itself
        async with self.request("GET", place) as answer:
            if f"/user/{self.login}/" in answer.headers.get("Location", ""):
                return ""  # it was quicker than the page
            if answer.status != 200:
                return f"{answer.status}: {_error(await answer.text())}"
            await answer.read()
        async with self.request("GET", f"/hub/api/users/{self.login}/server/progress", params=self.xsrf,
                                headers={"Accept": "text/event-stream"}) as answer:
            if answer.status != 200:
                return f"{answer.status}: {_error(await answer.text())}"
            async for line in answer.content:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    if event.get("ready"):
                        return ""
                    if event.get("failed"):
                        return event.get("message", "failed")
        return "the waiting page's events ended"

    async def visit(self) -> bool:
        """Does the person's server answer at its address?"""
        async with self.request("GET", f"/user/{self.login}/api") as answer:
            return answer.status == 200


def class_of(logins: list[str], address: str) -> list[Person]:
    """In a running event loop. Close with :func:`leave`."""
    line = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=60)
    return [Person(login, address, aiohttp.ClientSession(
        connector=line, connector_owner=False, timeout=timeout, cookie_jar=aiohttp.CookieJar(unsafe=True)))
        for login in logins]


async def leave(people: list[Person]) -> None:
    line = people[0].http.connector
    for person in people:
        await person.http.close()
    await line.close()


def arrivals(count: int) -> list[float]:
    """When each presses Start: within one second, at random, the same for every arm."""
    chance = random.Random(count)
    return sorted(chance.random() for _ in range(count))


def _error(page: str) -> str:
    """What JupyterHub's error page says, or the start of what came instead."""
    text = re.search(r'<div class="error">(.*?)</div>', page, re.DOTALL)
    words = re.sub(r"<[^>]*>", " ", text[1] if text else page)
    return " ".join(words.split())[:120]
