"""Attacks on the real platform that are no plain refusal (those are in test_refusals.py). tests/README.md lists all."""

import os
import pwd
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.person import Person

HOSTILE = ["$(touch /tmp/mh-owned)", "`touch /tmp/mh-owned`", "x; touch /tmp/mh-owned #", "{{7*7}}", "${7*7}",
           "<b>x</b>", "a\nb", "a\r\nSet-Cookie: owned=1", "../../etc/passwd", "x" * 3000]


def report(platform, token: str, port: int) -> requests.Response:
    return requests.post(f"{platform.address}/hub/api/batchspawner", json={"port": port}, timeout=10,
                         headers={"Authorization": f"token {token}"})


def own_token(person) -> str:
    """What the person's job was given; anything that runs in it can read it."""
    return person.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")


def own_port(person) -> int:
    return int(person.run("import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])").rsplit(":", 1)[1].split("/")[0])


# ---- logging in


def test_twenty_wrong_and_twenty_right_logins_at_once(platform):
    """No 500, nobody waits for those who guess, the hub answers all the while, and guessing is slow."""
    guessed, others = "mh-dora", ["mh-ada", "mh-bela", "mh-carol"]

    def log_in(login: str, password: str) -> tuple[int, float]:
        person = Person(platform.address, login, password)
        person.get("/hub/login")
        begin = time.monotonic()
        return person.log_in().status_code, time.monotonic() - begin

    def watch(until: float) -> float:
        """The longest that a page of the hub took."""
        longest = 0.0
        while time.monotonic() < until:
            begin = time.monotonic()
            assert requests.get(f"{platform.address}/hub/health", timeout=30).ok
            longest = max(longest, time.monotonic() - begin)
            time.sleep(0.05)
        return longest

    with ThreadPoolExecutor(50) as pool:
        wrong = [pool.submit(log_in, guessed if n % 2 else f"nobody{n}", "guess") for n in range(20)]
        time.sleep(0.5)
        watching = pool.submit(watch, time.monotonic() + 10)
        right = [pool.submit(log_in, others[n % 3], platform.passwords[others[n % 3]]) for n in range(20)]
        right = [future.result() for future in right]
        longest = watching.result()
        wrong = [future.result() for future in wrong]
    assert {status for status, _ in right} == {200} and {status for status, _ in wrong} == {403}
    assert max(took for _, took in right) < 8, right  # 20 password checks and 20 pages, on a small machine
    assert longest < 2, "the hub did not answer while passwords were checked"
    assert max(took for _, took in wrong) > 10 * 2, "ten guesses of one password took less than 2 s each"


@pytest.mark.parametrize("login", [*HOSTILE, "\0", "mh-ada\0x", "mh-ada mh-bela", "MH-ADA' OR 1=1 --"])
def test_hostile_names_at_the_login(platform, login):
    session = requests.Session()
    session.get(f"{platform.address}/hub/login", timeout=10)
    answer = session.post(f"{platform.address}/hub/login?_xsrf={session.cookies['_xsrf']}", timeout=30,
                          data={"username": login, "password": platform.passwords["mh-ada"]})
    assert answer.status_code in (400, 403) and "owned" not in answer.cookies
    assert "<b>x</b>" not in answer.text
    assert not Path("/tmp/mh-owned").exists()


# ---- what people write


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_addresses_and_options(platform, ada, text):
    """As a server's name, an option, and where to go next: refused or shown as text, and no header of its own."""
    quoted = requests.utils.quote(text, safe="")
    answers = [
        ada.api("POST", f"users/mh-ada/servers/{quoted}", json={"profile": "small"}),
        ada.api("POST", "users/mh-ada/server", json={"profile": text}),
        ada.post_form(profile=text),
        ada.get("/hub/spawn/mh-ada", params={"opt-profile": text}, allow_redirects=False),
        ada.get("/hub/login", params={"next": f"/hub/home{text}"}, allow_redirects=False),
        ada.get("/hub/login", params={"next": f"https://elsewhere.example/{text}"}, allow_redirects=False),
        ada.get(f"/hub/spawn-pending/mh-ada/{quoted}", allow_redirects=False),
    ]
    for answer in answers:
        # A line break in an address to go to: tornado does not send the header, and says so with a 500.
        assert answer.status_code < 500 or "\n" in text, (answer.url, answer.text[-300:])
        assert "owned" not in answer.cookies and "owned" not in ada.http.cookies
        assert "elsewhere" not in answer.headers.get("Location", "").split("?")[0]
        if "html" in answer.headers.get("Content-Type", ""):
            assert "<b>x</b>" not in answer.text and not re.search(r"profile.{0,9}49", answer.text)
    assert ada.server() is None and not Path("/tmp/mh-owned").exists()


def test_hostile_names_in_a_home(platform, ada):
    """Files are opened by the person's own server; the hub and its pages never touch their names."""
    ada.start("small")
    names = ["$(touch mh-owned).ipynb", "<img src=x onerror=alert(1)>.ipynb", "{{7*7}}.ipynb", "-rf.ipynb"]
    ada.run(f"for name in {names!r}:\n    open(name, 'w').write('{{}}')")
    try:
        answer = ada.get("/user/mh-ada/api/contents/")
        assert set(names) <= {entry["name"] for entry in answer.json()["content"]}
        assert "json" in answer.headers["Content-Type"]
        for name in names:
            page = ada.lab(f"lab/tree/{requests.utils.quote(name)}")
            assert page.status_code == 200 and "<img src=x" not in page.text
        assert "<img src=x" not in ada.get("/hub/home").text
    finally:
        ada.run(f"import os\nfor name in {names!r}:\n    os.remove(name)")
    ada.stop()
    assert not Path("/tmp/mh-owned").exists()


# ---- whose port it is


def test_a_token_reports_for_its_own_server_alone(platform, ada, bela):
    """Not for a server that starts at that moment, not once its server is gone, and no other token does at all."""
    ada.start("rare")
    token, port = own_token(ada), own_port(ada)
    bela.post_form(profile="rare")  # waits: there is one GPU of this kind
    page_token = ada.api("POST", "users/mh-ada/tokens", json={"note": "attack"}).json()["token"]
    admin = platform.person("mh-dora").api("POST", "users/mh-dora/tokens", json={"note": "attack"}).json()["token"]
    try:
        assert report(platform, token, port).status_code == 201
        bela_waits = bela.server()
        assert not bela_waits["ready"] and bela_waits["pending"] == "spawn"
        for wrong in (page_token, admin, "", "x" * 32, token[:-1]):
            assert report(platform, wrong, port).status_code == 403, wrong
        ada.stop()
        assert report(platform, token, port).status_code == 403
        assert bela.events()[-1].get("ready")
        assert report(platform, token, port).status_code == 403
        assert bela.run("import os; print(os.environ['JUPYTERHUB_USER'])") == "mh-bela"
    finally:
        for login in ("mh-ada", "mh-dora"):
            person = platform.person(login)
            for entry in person.api("GET", f"users/{login}/tokens").json()["api_tokens"]:
                if entry["note"] == "attack":
                    person.api("DELETE", f"users/{login}/tokens/{entry['id']}")


@contextmanager
def server_code(platform, login: str, code: str):
    """Code that runs in this person's notebook server before it listens: their own configuration of it."""
    account = pwd.getpwnam(login)
    folder = platform.layout.homes / login / ".jupyter"
    existed = folder.exists()
    folder.mkdir(exist_ok=True)
    path = folder / "jupyter_server_config.py"
    path.write_text(code)
    for made in (folder, path):
        os.chown(made, account.pw_uid, account.pw_gid)
    try:
        yield
    finally:
        path.unlink()
        if not existed:
            folder.rmdir()


def test_the_port_of_another_persons_server_gives_nothing_of_it(platform, ada, bela):
    """All nodes are one machine here, so ada's job can name bela's port. The hub then sends ada's requests there:
    that server knows its own address and its own person, and gives ada nothing."""
    bela.start("small")
    bela.run("open('bela-secret.txt', 'w').write('treasure')")
    code = (f"import os, json, time, urllib.request\n"
            "request = urllib.request.Request(os.environ['JUPYTERHUB_API_URL'] + '/batchspawner',\n"
            f"    data=json.dumps({{'port': {own_port(bela)}}}).encode(),\n"
            "    headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})\n"
            "print('ATTACK', urllib.request.urlopen(request).status, flush=True)\n"
            "time.sleep(600)\n")
    with server_code(platform, "mh-ada", code):
        ada.post_form(profile="small")
        last = ada.events()[-1]
    log = platform.layout.homes / "mh-ada/.mandrillhub-server.log"
    assert "ATTACK 201" in log.read_text(), "the attack did not take place"
    try:
        assert last.get("ready") or last.get("failed")
        for base in ("/user/mh-ada", "/user/mh-ada/user/mh-bela", "/user/mh-ada/..%2fmh-bela"):
            for path in ("", "/api/contents", "/api/contents/bela-secret.txt", "/files/bela-secret.txt", "/lab",
                         "/api/kernels", "/api/terminals", "/api/status"):
                for options in ({}, {"allow_redirects": False}):
                    answer = ada.get(base + path, **options)
                    assert "treasure" not in answer.text and "bela-secret" not in answer.text, answer.url
                    if answer.ok and "/hub/" not in answer.url and not answer.is_redirect:
                        assert "mh-bela" not in answer.text, (answer.url, answer.text[:500])
        # Neither what ada's browser shows, nor bela's server: she goes on as before.
        assert bela.get("/user/mh-bela/api/contents/bela-secret.txt").json()["content"] == "treasure"
    finally:
        ada.stop()  # her address leads nowhere, her log-in too, which goes there
        bela.run("import os; os.remove('bela-secret.txt')")


def test_a_port_of_the_platform_itself_gives_no_way_into_it(platform, ada):
    """The hub's API and the proxy's: reached through the person's own address they answer no request of hers."""
    for port in (platform.port + 1, platform.port + 2):
        code = ("import os, json, time, urllib.request\n"
                "request = urllib.request.Request(os.environ['JUPYTERHUB_API_URL'] + '/batchspawner',\n"
                f"    data=json.dumps({{'port': {port}}}).encode(),\n"
                "    headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})\n"
                "print('ATTACK', urllib.request.urlopen(request).status, flush=True)\n"
                "time.sleep(600)\n")
        with server_code(platform, "mh-ada", code):
            ada.post_form(profile="small")
            ada.events()
        log = platform.layout.homes / "mh-ada/.mandrillhub-server.log"
        try:
            assert "ATTACK 201" in log.read_text(), "the attack did not take place"
            for path in ("/api/routes", "/hub/api/users", "/../hub/api/users", "/api/users"):
                answer = ada.get(f"/user/mh-ada{path}", allow_redirects=False)
                assert not answer.ok or answer.is_redirect, (port, path, answer.text[:200])
        finally:
            if ada.server():
                ada.stop()


def test_the_hubs_log_has_no_rollback(platform, ada):
    """JupyterHub says so when a spawner left its database session dirty, and what was changed is lost."""
    log = platform.layout.logs / "hub.log"
    before = log.stat().st_size
    ada.start("small")
    ada.stop()
    with log.open() as stream:
        stream.seek(before)
        said = stream.read()
    assert "Submitted job" in said and "Cancelling job" in said
    assert "Rolling back" not in said and "deprecated" not in said


def test_nothing_hostile_was_run(platform):
    """The marker that the texts above would have left, were one of them run anywhere."""
    found = subprocess.run(["find", "/tmp", platform.layout.homes, "-name", "mh-owned", "-newermt", "-1 hour"],
                           capture_output=True, text=True).stdout
    assert found == ""
