"""Whoever is not allowed, and whatever no profile offers, is refused on every path with a reason."""

import subprocess
from pathlib import Path

import pytest
import requests

WRONG = [
    ({"profile": "nope"}, "there is no profile"),
    ({"profile": "cpu", "memory": "64000"}, "memory: cannot be chosen"),
    ({"profile": "cpu", "cmd": "id"}, "cmd: cannot be chosen"),
    ({"partition": "gpu"}, "partition: cannot be chosen"),
]


@pytest.mark.parametrize("options, reason", WRONG)
def test_by_the_form(ada, options, reason):
    answer = ada.post_form(**options)
    assert answer.status_code == 400 and reason in answer.text
    assert ada.server() is None


@pytest.mark.parametrize("options, reason", WRONG)
def test_by_the_url(ada, options, reason):
    answer = ada.get("/hub/spawn/mh-ada", params={f"opt-{key}": value for key, value in options.items()})
    assert answer.status_code == 400 and reason in answer.text
    assert ada.server() is None


@pytest.mark.parametrize("options, reason", WRONG)
def test_by_the_api(ada, options, reason):
    for body in ({"user_options": options}, options):
        answer = ada.api("POST", "users/mh-ada/server", json=body)
        assert answer.status_code == 400 and reason in answer.json()["message"]
    assert ada.server() is None


def test_by_options_that_were_stored_before(ada):
    assert ada.api("PATCH", "users/mh-ada/server", json={"user_options": {"memory": "64000"}}).ok
    answer = ada.api("POST", "users/mh-ada/server")
    assert answer.status_code == 400 and "memory: cannot be chosen" in answer.json()["message"]
    # and it is not what the next start remembers
    assert ada.api("POST", "users/mh-ada/server").status_code in (201, 202)
    assert ada.events()[-1].get("ready")


def test_named_servers_are_not_offered(ada):
    assert ada.api("POST", "users/mh-ada/servers/two", json={"user_options": {"profile": "cpu"}}).status_code == 400


def test_a_server_can_report_its_port_and_nothing_else(platform, ada):
    ada.start("cpu")
    token = ada.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    url = f"{platform.address}/hub/api/batchspawner"
    headers = {"Authorization": f"token {token}"}
    before = ada.server()
    for body in ({"job_id": "1; id > /tmp/owned"}, {"port": 9999, "stop": 1}, {"port": 22}, {"port": "9999"},
                 {"port": True}, [], {}):
        answer = requests.post(url, json=body, headers=headers, timeout=10)
        assert answer.status_code == 400, (body, answer.text)
    assert requests.post(url, json={"port": 9999}, timeout=10).status_code == 403
    assert ada.api("POST", "batchspawner", json={"port": 9999}).status_code == 403
    assert ada.server()["started"] == before["started"] and ada.lab().ok


def test_nobody_gets_into_another_persons_server(platform, ada, bela):
    ada.start("cpu")
    for path in ("lab", "api/contents", "api/terminals"):
        answer = bela.get(f"/user/mh-ada/{path}")
        assert answer.status_code in (403, 404), (path, answer.status_code)
    assert bela.api("DELETE", "users/mh-ada/server").status_code in (403, 404)
    assert bela.api("POST", "users/mh-ada/server").status_code in (403, 404)
    assert bela.api("GET", "users").status_code == 403
    assert bela.get("/hub/admin").status_code == 403
    assert ada.server()["ready"]


def test_an_instructor_sees_the_class_but_not_its_files(platform, ada):
    ada.start("cpu")
    carol = platform.person("mh-carol")
    assert carol.get("/hub/admin").ok
    names = {user["name"] for user in carol.api("GET", "users").json()}
    assert {"mh-ada", "mh-bela"} <= names and "mh-dora" not in names
    assert carol.get("/user/mh-ada/api/contents").status_code == 403
    assert carol.api("POST", "users", json={"usernames": ["x"]}).status_code == 403


def test_unknown_people_and_wrong_passwords(platform):
    for login, password in (("mh-ada", "wrong"), ("root", "x"), ("nobody", "")):
        session = requests.Session()
        session.get(f"{platform.address}/hub/login", timeout=10)
        answer = session.post(f"{platform.address}/hub/login?_xsrf={session.cookies['_xsrf']}", timeout=30,
                              data={"username": login, "password": password})
        assert answer.status_code == 403 and "The user name or the password is not right" in answer.text


def test_an_account_of_the_machine_that_is_not_on_the_list_cannot_log_in(platform):
    subprocess.run(["useradd", "--no-create-home", "mh-stranger"], check=True)
    try:
        subprocess.run(["chpasswd"], input="mh-stranger:secret-enough\n", text=True, check=True)
        session = requests.Session()
        session.get(f"{platform.address}/hub/login", timeout=10)
        answer = session.post(f"{platform.address}/hub/login?_xsrf={session.cookies['_xsrf']}", timeout=30,
                              data={"username": "mh-stranger", "password": "secret-enough"})
        assert answer.status_code == 403
    finally:
        subprocess.run(["userdel", "mh-stranger"], check=True)


def test_no_secret_where_others_can_read_it(platform, ada):
    ada.start("cpu")
    token = ada.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    hub_state = platform.layout.hub_state
    secrets = [token, *platform.passwords.values(),
               *((hub_state / name).read_text() for name in ("proxy_token", "roster_token", "cookie_secret"))]
    # Slurm keeps scripts and environments: the token is in none, for root neither.
    kept = subprocess.run(["grep", "-rlsa", "--", token, platform.layout.slurm], capture_output=True, text=True)
    assert kept.stdout == ""
    lines = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True).stdout
    logs = "".join(path.read_text(errors="replace") for path in platform.layout.logs.iterdir())
    # As another user: everything readable below the instance's state and configuration.
    readable = subprocess.run(
        ["runuser", "-u", "mh-bela", "--", "grep", "--recursive", "--no-messages", "--binary-files=text",
         "--files-with-matches", "", platform.layout.etc, platform.layout.var],
        capture_output=True, text=True).stdout.splitlines()
    assert readable, "slurm.conf at least is for everyone"
    open_files = "".join(Path(path).read_text(errors="replace") for path in readable)
    for secret in secrets:
        assert secret not in lines and secret not in logs and secret not in open_files
