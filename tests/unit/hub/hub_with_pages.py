"""A real JupyterHub with our pages and a spawner that needs no cluster, and enough of a browser to visit it."""

import http.cookiejar
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).parents[3]

def words(html):
    """The text of a page as it is read: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


CONFIGURATION = '''
import json, sys
from types import SimpleNamespace as NS
sys.path.insert(0, {repository!r})
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SpawnException, Spawner
from hub import translations
from hub.pages import configure, profile_cards
translations.speak({language!r})

class NoProxy(Proxy):
    """Requests go straight to the hub."""
    should_start = False
    async def add_route(self, routespec, target, data):
        pass
    async def delete_route(self, routespec):
        pass
    async def get_all_routes(self):
        return {{}}

def profile(key, title):
    return NS(key=key, title=title, description="", cpus=1, memory_text="2 GB", gpus=0,
              gpu_model=None, emulated=False, walltime_text="1 h", partition="course")

CATALOG = [profile("cpu", "Small machine"), profile("bad", "Broken machine")]

async def availability():
    with open({state!r}) as file:          # no file: the scheduler does not answer
        return {{key: NS(**found) for key, found in json.load(file).items()}}

class Fake(Spawner):
    catalog = CATALOG
    async def availability(self):
        return await availability()
    def options_from_form(self, form):
        return {{"profile": form["profile"][0]}}
    async def start(self):
        key = self.user_options["profile"]
        if key not in ("cpu", "bad"):
            raise SpawnException(f"<i>{{key}}</i> is not offered", reason="refused")
        import asyncio
        await asyncio.sleep(60 if key == "cpu" else 1.5)
        raise SpawnException("node07 was <b>lost</b>", reason="lost")
    async def stop(self, now=False):
        pass
    async def poll(self):
        return 0
    def last_end(self):
        if self.user.name == "unlucky-once":
            return {{"reason": "its <node> failed", "node": "gpu2", "profile": "cpu", "when": "14:03"}}
        if self.user.name == "in-line":
            return {{"reason": "in_line", "node": "", "profile": "cpu", "when": None}}
        if self.user.name == "gone":
            return {{"reason": "its time was over", "node": "", "profile": "no-longer-offered", "when": None}}

configure(c, title="Mandrills & <i>friends</i>", subtitle="Day 1", notice="emulated: <u>no GPU</u>",
          announcement="Lunch at <b>noon</b>", catalog=CATALOG, availability=availability,
          courses={{"vision": "grader-vision", "mandrill": "grader-mandrill"}})
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = Fake
c.Spawner.options_form = profile_cards
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "right"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"teacher"}}
c.JupyterHub.load_roles = [{{"name": "instructor-vision", "users": ["carol"], "scopes": [
    "servers!user=grader-vision", "access:servers!user=grader-vision"]}}]
c.JupyterHub.allow_named_servers = True
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = b"x" * 32
'''


class Browser:
    """Enough of one: cookies, the hidden _xsrf field, redirects or not."""

    def __init__(self, hub):
        self.hub = hub
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        direct = urllib.request.ProxyHandler({})
        self.follow = urllib.request.build_opener(cookies, direct)
        self.stay = urllib.request.build_opener(cookies, direct, NoRedirect)

    def open(self, path, data=None, redirect=True):
        """(status, headers, text)"""
        if data is not None:
            data = urllib.parse.urlencode(data).encode()
        opener = self.follow if redirect else self.stay
        try:
            answer = opener.open(urllib.parse.urljoin(self.hub.url, path), data, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers, answer.read().decode()

    def login(self, name, password="right"):
        _, _, page = self.open("/hub/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)[1]
        return self.open(
            "/hub/login?next=/hub/home", {"username": name, "password": password, "_xsrf": xsrf}
        )

    def spawn(self, key):
        """Press a card's button."""
        _, _, page = self.open("/hub/spawn")
        action = re.search(r'<form id="spawn_form" action="([^"]+)"', page)[1]
        return self.open(action.replace("&amp;", "&"), {"profile": key})


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def started(folder, language="en"):
    """The hub, for as long as it is needed: its ``url``, and ``state``, the file that says what is free."""
    port, state = free_port(), folder / "free.json"
    config = folder / "jupyterhub_config.py"
    config.write_text(CONFIGURATION.format(
        repository=str(REPOSITORY), state=str(state), port=port, public=free_port(), language=language))
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )
        try:
            hub = SimpleNamespace(url=url, state=state)
            deadline = time.monotonic() + 60  # a busy machine
            while True:
                try:
                    if Browser(hub).open("/hub/health")[0] == 200:
                        break
                except OSError:
                    pass
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError("the hub did not start:\n" + (folder / "log").read_text()[-3000:])
                time.sleep(0.1)
            yield hub
        finally:
            process.terminate()
            process.wait(10)
