"""A person at a browser, without the browser: cookies, forms and the REST API, as pages use them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect


class Person:
    """Logs in and uses the hub as ``login``."""

    def __init__(self, address: str, login: str, password: str) -> None:
        self.address, self.login, self.password = address, login, password
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path: str, **options) -> requests.Response:
        return self.http.get(self.address + path, timeout=60, **options)

    @property
    def xsrf(self) -> str:
        """The hub's XSRF token; a server of this person may have set one of its own for its path."""
        return next(cookie.value for cookie in self.http.cookies if cookie.name == "_xsrf" and cookie.path == "/hub/")

    def log_in(self) -> requests.Response:
        self.get("/hub/login")
        return self.http.post(f"{self.address}/hub/login?_xsrf={self.xsrf}", timeout=60,
                              data={"username": self.login, "password": self.password})

    def post_form(self, **fields: str) -> requests.Response:
        """What the start page's button sends."""
        self.get("/hub/spawn")
        return self.http.post(f"{self.address}/hub/spawn/{self.login}?_xsrf={self.xsrf}", timeout=60, data=fields)

    def api(self, method: str, path: str, **options) -> requests.Response:
        """The REST API, with this person's cookie."""
        return self.http.request(method, f"{self.address}/hub/api/{path}", timeout=60,
                                 headers={"X-XSRFToken": self.xsrf, "Referer": f"{self.address}/hub/home"}, **options)

    def events(self, server: str = "") -> list[dict]:
        """All events of the waiting page, until the server is ready or has failed."""
        events = []
        path = f"/hub/api/users/{self.login}/server{'s/' + server if server else ''}/progress"
        headers = {"Accept": "text/event-stream"}
        with self.get(path, params={"_xsrf": self.xsrf}, stream=True, headers=headers) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    events.append(json.loads(line[6:]))
        return events

    def start(self, profile: str) -> list[dict]:
        """Press Start and wait; returns the events of the waiting page. The last one has ``ready``."""
        answer = self.post_form(profile=profile)
        answer.raise_for_status()
        events = self.events()
        assert events[-1].get("ready"), events
        return events

    def stop(self) -> None:
        """Press Stop and wait until the server is gone."""
        answer = self.api("DELETE", f"users/{self.login}/server")
        assert answer.status_code in (202, 204), answer.text
        self.wait(lambda server: server is None, "the server did not stop in a minute")

    def wait(self, until: Callable[[dict | None], bool], words: str, whose: str = "") -> None:
        """Wait a minute at most until the hub's record of this person's server, or of ``whose``, is so."""
        deadline = time.monotonic() + 60
        while not until(self.server(whose)):
            assert time.monotonic() < deadline, words
            time.sleep(0.2)

    def server(self, whose: str = "") -> dict | None:
        """The hub's record of this person's server, or of ``whose``; None without one."""
        return self.api("GET", f"users/{whose or self.login}").json()["servers"].get("")

    def open_desk(self, course: str, account: str) -> str:
        """Follow the menu entry Formgrader and wait; returns the address of the desk."""
        self.get(f"/hub/mandrillhub/formgrader/{course}").raise_for_status()
        self.wait(lambda server: server and server["ready"], "the desk did not start in a minute", account)
        return f"/user/{account}/"

    def close_desk(self, account: str) -> None:
        """Stop a desk and wait until it is gone."""
        assert self.api("DELETE", f"users/{account}/server").status_code in (202, 204)
        self.wait(lambda server: server is None, "the desk did not stop in a minute", account)

    def lab(self, path: str = "lab") -> requests.Response:
        """Open this person's server, through the hub's OAuth as a browser does."""
        return self.get(f"/user/{self.login}/{path}")

    def run(self, code: str, kernel: str = "pytorch", timeout_s: float = 120, whose: str = "") -> str:
        """Run code in a new kernel of this person's server, or of ``whose``, and return what it printed.

        Raises AssertionError with the traceback if it failed, or with "kernel died".
        """
        place = f"/user/{whose or self.login}/"
        self.get(f"{place}lab").raise_for_status()
        base = f"{self.address}{place}api"
        token = next(c.value for c in self.http.cookies if c.name == "_xsrf" and c.path == place)
        headers = {"X-XSRFToken": token, "Referer": f"{self.address}{place}lab"}
        kernel_id = self.http.post(f"{base}/kernels", json={"name": kernel}, headers=headers, timeout=60).json()["id"]
        cookies = requests.cookies.get_cookie_header(self.http.cookies, requests.Request("GET", base + "/x").prepare())
        url = f"ws{base.removeprefix('http')}/kernels/{kernel_id}/channels"
        try:
            return asyncio.run(asyncio.wait_for(_execute(url, cookies, code), timeout_s))
        finally:
            self.http.delete(f"{base}/kernels/{kernel_id}", headers=headers, timeout=60)


async def _execute(url: str, cookies: str, code: str) -> str:
    """Jupyter's messaging protocol over the websocket, as JupyterLab speaks it."""
    socket = await websocket_connect(HTTPRequest(url, headers={"Cookie": cookies}))
    request = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": uuid.uuid4().hex,
                          "username": "", "version": "5.3"},
               "parent_header": {}, "metadata": {}, "channel": "shell",
               "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {},
                           "allow_stdin": False}}
    await socket.write_message(json.dumps(request))
    said = ""
    while (message := await socket.read_message()) is not None:
        message = json.loads(message)
        content, kind = message["content"], message["msg_type"]
        if kind == "status" and content["execution_state"] in ("restarting", "dead"):
            raise AssertionError("kernel died")
        if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            continue
        if kind == "stream":
            said += content["text"]
        elif kind == "error":
            raise AssertionError("\n".join(content["traceback"]))
        elif kind == "status" and content["execution_state"] == "idle":
            return said.strip()
    raise AssertionError("the websocket was closed")
