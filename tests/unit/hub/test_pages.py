"""The hub's pages: the cards by themselves, everything else on a real JupyterHub."""

import asyncio
import http.cookiejar
import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).parents[3]
sys.path.insert(0, str(REPOSITORY))

from hub.pages import STATIC, TEMPLATES, cards  # noqa: E402

# ---- the cards


def profile(key="cpu", **changes):
    described = {
        "key": key,
        "title": "Small machine",
        "description": "For reading.",
        "cpus": 1,
        "memory_text": "2 GB",
        "gpus": 0,
        "gpu_model": None,
        "emulated": False,
        "walltime_text": "4 h",
        "partition": "course",
    }
    return SimpleNamespace(**(described | changes))


def figures(free, total=16, waiting=0):
    return SimpleNamespace(free=free, total=total, waiting=waiting)


def render(*catalog, **capacity):
    async def availability():
        return capacity

    spawner = SimpleNamespace(catalog=catalog, availability=availability)
    return asyncio.run(cards.profile_cards(spawner))


def words(html):
    """The text of a page as it is read: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_card_says_what_it_is_and_posts_its_key():
    html = render(profile(gpus=1, gpu_model="A100", cpus=4), cpu=figures(14))
    assert {"4 CPUs", "2 GB memory", "1 × A100", "up to 4 h"} <= set(
        re.findall(r"<dd>(.*?)</dd>", html)
    )
    assert re.search(r'<button type="submit" name="profile" value="cpu"', html)
    assert "<select" not in html and "<form" not in html


def test_texts_of_a_profile_are_escaped():
    hostile = '<script>alert("x")</script>'
    html = render(
        profile(title=hostile, description=hostile, gpus=1, gpu_model=hostile), cpu=figures(1)
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4  # heading, description, model, data-title
    assert 'alert("x")' not in html


def test_the_emulated_badge_is_only_on_what_is_emulated():
    html = render(
        profile("real", gpus=1), profile("fake", gpus=1, emulated=True), real=figures(1), fake=figures(1)
    )
    real, fake = html.split('data-key="fake"')
    assert "no GPU on this machine" in fake
    assert "no GPU on this machine" not in real


@pytest.mark.parametrize(
    ("found", "text", "label"),
    [
        (figures(14), "14 of 16 free now", "Start"),
        (figures(2, waiting=1), "2 of 16 free now, 1 waiting", "Start"),
        (figures(0, waiting=3), "All busy: 3 waiting, you would queue", "Join the queue"),
        (figures(0), "you would be first in the queue", "Join the queue"),
        (figures(None), "The scheduler does not answer right now", "Start"),
        (figures(0, total=0), "None is switched on right now", "Start"),
    ],
)
def test_what_is_free_is_said_in_words(found, text, label):
    html = render(profile(), cpu=found)
    assert text in words(html)
    assert re.search(r'class="mh-start-text">(.*?)<', html)[1] == label


def test_a_profile_that_the_scheduler_forgets_is_unknown():
    assert "does not answer" in words(render(profile("a"), profile("b"), a=figures(1)))


def test_a_scheduler_that_fails_leaves_the_cards_usable():
    async def availability():
        raise ConnectionError("no scheduler")

    html = asyncio.run(
        cards.profile_cards(SimpleNamespace(catalog=[profile()], availability=availability))
    )
    assert "does not answer" in words(html)
    assert 'value="cpu"' in html


def test_a_scheduler_that_hangs_is_not_waited_for_and_not_interrupted(monkeypatch):
    monkeypatch.setattr(cards, "PATIENCE_S", 0.05)
    ended = []

    async def availability():
        await asyncio.sleep(0.3)
        ended.append(True)
        return {"cpu": figures(5)}

    async def both():
        read = await cards.read_capacity(availability, ["cpu"])
        assert not ended
        await asyncio.sleep(0.4)
        return read

    assert asyncio.run(both()) == {"cpu": {"free": None, "total": 0, "waiting": 0}}
    assert ended, "a query that others may share was cancelled"


def test_the_scripts_use_only_texts_that_exist():
    texts = cards._templates.get_template("mandrillhub/texts.html").module.texts
    waiting = set(re.findall(r"\btexts\.(\w+)", (STATIC / "waiting.js").read_text())) - {"wait"}
    assert len(waiting) > 10
    assert waiting <= set(texts["wait"])
    used = re.findall(r"\btexts\.(\w+)\.(\w+)", (STATIC / "profiles.js").read_text())
    assert len(used) >= 5
    for part, name in used:
        assert name in texts[part]


def test_nothing_is_loaded_from_elsewhere():
    pages = [path for path in [*STATIC.iterdir(), *TEMPLATES.rglob("*.html")]]
    assert len(pages) > 15
    for path in pages:
        found = re.sub(r'xmlns="[^"]*"', "", path.read_text())
        assert not re.search(r"https?:|url\(\s*['\"]?//|@import", found), path


# ---- on a real JupyterHub

CONFIGURATION = '''
import json, sys
from types import SimpleNamespace as NS
sys.path.insert(0, {repository!r})
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SpawnException, Spawner
from hub.pages import configure, profile_cards

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
          announcement="Lunch at <b>noon</b>", catalog=CATALOG, availability=availability)
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = Fake
c.Spawner.options_form = profile_cards
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "right"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"teacher"}}
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


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    pytest.importorskip("jupyterhub")
    folder = tmp_path_factory.mktemp("hub")
    port, state = free_port(), folder / "free.json"
    config = folder / "jupyterhub_config.py"
    config.write_text(
        CONFIGURATION.format(
            repository=str(REPOSITORY), state=str(state), port=port, public=free_port()
        )
    )
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )
        try:
            started = SimpleNamespace(url=url, state=state)
            deadline = time.monotonic() + 15
            while True:
                try:
                    if Browser(started).open("/hub/health")[0] == 200:
                        break
                except OSError:
                    pass
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("the hub did not start:\n" + (folder / "log").read_text()[-3000:])
                time.sleep(0.1)
            yield started
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def student(hub):
    browser = Browser(hub)
    assert browser.login("student")[0] == 200
    return browser


@pytest.fixture
def scheduler(hub):
    def says(**found):
        hub.state.write_text(json.dumps(found))

    yield says
    hub.state.unlink(missing_ok=True)


def test_login_page_and_wrong_password(hub):
    browser = Browser(hub)
    status, _, page = browser.open("/hub/login")
    assert status == 200
    assert "<h1>Mandrills &amp; &lt;i&gt;friends&lt;/i&gt;</h1>" in page
    assert "emulated: &lt;u&gt;no GPU&lt;/u&gt;" in page
    assert "Lunch at &lt;b&gt;noon&lt;/b&gt;" in page
    assert 'role="alert"' not in page
    status, _, page = browser.login("student", "wrong")
    assert status == 403
    assert "password is not right" in words(page) and 'role="alert"' in page


def test_capacity_is_for_people_who_are_logged_in(hub, scheduler):
    scheduler(cpu={"free": 1, "total": 2, "waiting": 0})
    status, headers, text = Browser(hub).open("/hub/mandrillhub/capacity", redirect=False)
    assert status == 302
    assert headers["Location"].startswith("/hub/login?")
    assert "free" not in text


def test_capacity(student, scheduler):
    scheduler(
        cpu={"free": 1, "total": 2, "waiting": 0}, bad={"free": None, "total": 0, "waiting": 4}
    )
    status, headers, text = student.open("/hub/mandrillhub/capacity", redirect=False)
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert json.loads(text) == {
        "cpu": {"free": 1, "total": 2, "waiting": 0},
        "bad": {"free": None, "total": 0, "waiting": 4},
    }


def test_capacity_when_the_scheduler_does_not_answer(student):
    status, _, text = student.open("/hub/mandrillhub/capacity", redirect=False)
    assert status == 200
    assert {found["free"] for found in json.loads(text).values()} == {None}
    assert set(json.loads(text)) == {"cpu", "bad"}


def test_static_files_are_kept_and_stay_inside_their_folder(hub):
    browser = Browser(hub)
    _, _, page = browser.open("/hub/login")
    style = re.search(r'href="(/hub/mandrillhub/static/pages\.css\?v=[0-9a-f]+)"', page)[1]
    status, headers, _ = browser.open(style)
    assert status == 200
    assert "max-age" in headers["Cache-Control"]
    status, headers, _ = browser.open(style.partition("?")[0])
    assert headers["Cache-Control"] == "no-cache"
    assert browser.open("/hub/mandrillhub/static/%2e%2e/__init__.py")[0] in (403, 404)
    status, headers, _ = browser.open("/hub/logo")
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")


def test_start_page_has_the_cards(student, scheduler):
    scheduler(cpu={"free": 1, "total": 2, "waiting": 0})
    status, _, page = student.open("/hub/spawn")
    assert status == 200
    assert "Hello student" in words(page) and "1 of 2 free now" in words(page)
    assert page.count('name="profile"') == 2
    config = re.search(r'id="mh-config">(.*?)</script>', page)[1]
    assert json.loads(config)["capacity_url"] == "/hub/mandrillhub/capacity"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/hub/home", 200, "You have no machine running"),
        ("/hub/token", 200, "Request new API token"),
        ("/hub/nowhere", 404, "There is no such page"),
        ("/hub/admin", 403, "This is not open to you"),
        ("/hub/user/student/lab", 424, "Your machine is not running"),
    ],
)
def test_pages_and_their_way_out(student, path, status, text):
    found, _, page = student.open(path)
    assert found == status
    assert text in words(page)
    assert 'id="logout"' in page
    assert "/hub/home" in page


def test_admin_page(hub):
    browser = Browser(hub)
    browser.login("teacher")
    status, _, page = browser.open("/hub/admin")
    assert status == 200
    assert "react-admin-hook" in page and "js/admin-react.js" in page


def test_a_refused_profile_is_said_and_another_can_be_chosen(student):
    status, _, page = student.spawn("evil")
    assert status == 400
    assert "&lt;i&gt;evil&lt;/i&gt; is not offered" in page
    assert "SpawnException" not in page
    assert re.search(r'(name="profile"|id="start")', page)


def test_waiting_page_then_failure(hub):
    browser = Browser(hub)
    browser.login("unlucky")
    status, _, page = browser.spawn("bad")
    assert status == 200
    assert re.findall(r'data-step="(\w+)"', page) == [
        "submitted", "queued", "starting", "connecting",
    ]
    assert "Broken machine" in page
    config = json.loads(re.search(r'id="mh-config">(.*?)</script>', page)[1])
    assert config["server_url"] == "/hub/api/users/unlucky/server"
    assert 0 <= config["now"] - _seconds(config["started"]) < 10
    status, _, events = browser.open(config["progress_url"])
    last = json.loads([line for line in events.splitlines() if line.startswith("data:")][-1][5:])
    assert last["failed"] and "lost" in last["message"]
    status, _, page = browser.open("/hub/spawn-pending/unlucky")
    assert status == 400
    assert "Your machine did not start" in words(page)
    assert "node07 was &lt;b&gt;lost&lt;/b&gt;" in page
    assert 'href="/hub/spawn/unlucky' in page


@pytest.mark.parametrize("path", ["/hub/user/unlucky-once/lab/tree/x?a=b", "/hub/spawn", "/hub/home"])
def test_how_it_ended_is_told_with_one_button(hub, path):
    browser = Browser(hub)
    browser.login("unlucky-once")
    _, _, page = browser.open(path)
    assert "Your machine ended at 14:03" in words(page)
    assert "Small machine on gpu2: its &lt;node&gt; failed. Your files are safe." in words(page)
    again = re.search(r'<form class="mh-once" method="post" action="([^"]+)">\s*'
                      r'<button type="submit" name="profile" value="cpu"', page)[1].replace("&amp;", "&")
    assert "_xsrf=" in again
    if "user" in path:
        assert urllib.parse.parse_qs(urllib.parse.urlparse(again).query)["next"] == [path]
    if path == "/hub/home":
        assert browser.open(again.partition("?")[0], {"profile": "cpu"})[0] == 403, "without the XSRF token"
        status, headers, _ = browser.open(again, {"profile": "cpu"}, redirect=False)
        assert status == 302 and headers["Location"].startswith("/hub/spawn-pending/unlucky-once")
        browser.open("/hub/home")  # while it starts, its last end is no news
        assert "14:03" not in browser.open("/hub/home")[2]


@pytest.mark.parametrize("name, text", [("in-line", "Nothing was started"), ("gone", "It ran: its time was over")])
def test_an_end_without_a_time_a_node_or_a_profile(hub, name, text):
    browser = Browser(hub)
    browser.login(name)
    for path in ("/hub/home", f"/hub/user/{name}/lab"):
        page = browser.open(path)[2]
        assert text in words(page)
        assert ("Start again" in page) == (name != "gone")
    assert browser.open(f"/hub/user/{name}/lab")[0] == 424


def _seconds(text):
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_every_template_compiles(hub):
    jinja2 = pytest.importorskip("jinja2")
    from jupyterhub._data import DATA_FILES_PATH

    stock = Path(DATA_FILES_PATH) / "templates"
    loader = jinja2.ChoiceLoader(
        [
            jinja2.PrefixLoader({"templates": jinja2.FileSystemLoader(stock)}),
            jinja2.FileSystemLoader([TEMPLATES, stock]),
        ]
    )
    names = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html")}
    assert {"page.html", "login.html", "spawn.html", "spawn_pending.html"} <= names
    for enable_async in (True, False):  # JupyterHub renders errors without async
        environment = jinja2.Environment(loader=loader, autoescape=True, enable_async=enable_async)
        for name in names:
            environment.get_template(name)
            parents = re.findall(r'{% extends "([^"]+)"', (TEMPLATES / name).read_text())
            for parent in parents:
                environment.get_template(parent)
