"""A real notebook server with nbgrader on demand, as an attendee gets it and as a course's desk is."""

import json
import os
import re
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from hub.grading import config as grading
from hub.layout import Layout
from hub.workshop import Workshop
from tests.live import REPOSITORY, ROOT

VERSION = "nbgrader_version?version=0.9.6"


class Server:
    def __init__(self, directory: Path, who: list[str]) -> None:
        python = next((path for root in (ROOT, Path("/"))
                       if (path := Layout(root).opt / "server/bin/python").exists()), None)
        if python is None:
            pytest.fail("the notebook server's environment is not installed: `make up`, or `make test` as a whole")
        layout = Layout(directory)
        layout.make()
        grading.write(layout, Workshop())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        home = layout.courses / "mandrill"
        home.mkdir()
        layout.exchange.mkdir()
        # What install.server writes into the environment.
        off = ("jupyterlab", *(f"nbgrader.server_extensions.{name}" for name in grading.ALL_EXTENSIONS))
        (home / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": {
            "spawner_profiles.grading": True, **dict.fromkeys(off, False)}}}))
        self.log = directory / "log"
        self.address = f"http://127.0.0.1:{port}/user/x"
        self.process = subprocess.Popen(
            [python, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
             "--ServerApp.port_retries=0", "--ServerApp.base_url=/user/x/", "--IdentityProvider.token=secret"],
            cwd=home, stdout=subprocess.DEVNULL, stderr=self.log.open("w"),
            env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(REPOSITORY),
                 "JUPYTER_CONFIG_PATH": ":".join(str(layout.config / each) for each in who),
                 "JUPYTER_RUNTIME_DIR": str(home / "runtime")})
        deadline = time.monotonic() + 60
        while not self.get("api") and time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.2)

    def get(self, path: str, **headers: str) -> requests.Response | None:
        with suppress(requests.ConnectionError), requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.address}/{path}", allow_redirects=False,
                               headers=headers or {"Authorization": "token secret"})

    def loaded(self) -> list[str]:
        return re.findall(r"Loading the (\w+) nbgrader", self.log.read_text())

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    started = []

    def start(*who: str) -> Server:
        started.append(Server(tmp_path, [*who]))
        return started[-1]

    yield start
    for each in started:
        each.end()


def test_an_attendee_has_the_assignment_list_from_the_first_request_on_and_no_formgrader(server):
    ada = server("everyone")
    assert ada.get("api/status").ok
    assert ada.loaded() == [], "nothing of nbgrader before it is used"
    assert ada.get(VERSION).json() == {"success": True}, "the first request is answered by nbgrader's own handler"
    assert ada.loaded() == ["assignment_list", "validate_assignment"]
    assert ada.get("assignments?course_id=mandrill").json() == {"success": True, "value": []}
    assert ada.loaded() == ["assignment_list", "validate_assignment"], "once"
    for path in ("formgrader", "formgrader/manage_students", "formgrader/api/assignments", "formgraders"):
        assert ada.get(path).status_code == 404
    assert ada.get("assignments?course_id=mandrill", Accept="text/html").status_code in (302, 403), "not for strangers"


def test_a_desk_has_formgrader_with_the_course_below_its_root_and_a_workspace_for_each(server):
    desk = server("courses/mandrill", "everyone")
    page = desk.get("formgrader/manage_assignments")
    assert page.status_code == 200 and "Manage Assignments" in page.text
    assert set(desk.loaded()) == set(grading.EXTENSIONS["desk"])
    assert desk.get("formgrader/api/assignments").json() == []
    script = desk.get("formgrader/static/js/utils.js").text
    assert script.startswith("var createModal") and script.rstrip().endswith("'_blank')[0];"), "nbgrader's, and ours"
    own = desk.get("lab/tree/source/ps1?reset")
    assert own.status_code == 302
    assert re.fullmatch(r"/user/x/lab/workspaces/\w+/tree/source/ps1\?reset", own.headers["Location"])
    for path in ("formgrader", "lab", "formgrader/static/js/utils.js"):
        assert desk.get(path, Accept="text/html").status_code in (302, 403), "not for strangers"


def test_who_grades_is_at_work(server):
    desk = server("courses/mandrill", "everyone")
    before = desk.get("api/status").json()["last_activity"]
    time.sleep(1.1)
    desk.get("formgrader/api/assignments")
    time.sleep(0.1)
    after = desk.get("api/status").json()["last_activity"]
    assert after > before
