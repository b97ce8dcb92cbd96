"""The hub's pages on a real JupyterHub."""

import json
import re
import urllib.parse
from pathlib import Path

import jinja2
import pytest
from hub_with_pages import Browser, started, words

from hub.pages import TEMPLATES
from hub.pages.translated import Translated


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with started(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


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


def test_the_way_to_a_desk_is_for_the_instructors_of_its_course(hub, student):
    carol, teacher = Browser(hub), Browser(hub)
    for browser, name in ((carol, "carol"), (teacher, "teacher")):
        assert browser.login(name)[0] == 200
    for address in ("/hub/mandrillhub/formgrader", "/hub/mandrillhub/formgrader/vision"):
        status, headers, _ = carol.open(address, redirect=False)
        assert status == 302
        to = urllib.parse.urlparse(headers["Location"])
        assert to.path == "/hub/spawn/grader-vision"
        assert urllib.parse.parse_qs(to.query) == {"opt-profile": ["cpu"], "next": ["/user/grader-vision/formgrader"]}
    assert carol.open("/hub/mandrillhub/lab/vision", redirect=False)[1]["Location"].endswith("vision%2Flab")
    assert carol.open("/hub/mandrillhub/formgrader/mandrill")[0] == 404
    assert teacher.open("/hub/mandrillhub/formgrader", redirect=False)[1]["Location"] == "/hub/home", "of two, choose"
    for address in ("formgrader", "formgrader/vision", "lab/vision", "lab/none"):
        assert student.open(f"/hub/mandrillhub/{address}")[0] == 404
    home = {browser: set(re.findall(r"mandrillhub/formgrader/(\w+)", browser.open("/hub/home")[2]))
            for browser in (carol, teacher, student)}
    assert list(home.values()) == [{"vision"}, {"vision", "mandrill"}, set()]


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
        ("/hub/token", 200, "Request a new token"),
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
        environment = jinja2.Environment(loader=loader, autoescape=True, enable_async=enable_async,
                                         extensions=[Translated])
        for name in names:
            environment.get_template(name)
            parents = re.findall(r'{% extends "([^"]+)"', (TEMPLATES / name).read_text())
            for parent in parents:
                environment.get_template(parent)
