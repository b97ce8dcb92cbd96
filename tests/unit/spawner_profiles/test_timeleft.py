"""The time left: the rules on a stand-in, the endpoint and the stop on a real notebook server, the words in node."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from tornado.websocket import websocket_connect

from hub.install import node
from hub.layout import Layout
from spawner_profiles.timeleft import Watch
from tests.live import REPOSITORY, ROOT

LAB = REPOSITORY / "spawner_profiles/lab"
STARTED = datetime.now(UTC) - timedelta(hours=2)


# -- the rules ------------------------------------------------------------------------------------------


class StandIn:
    """As much of a ServerApp as a Watch looks at."""

    def __init__(self, kernel="idle", last_kernel_activity=STARTED, **settings):
        self.kernel_manager = SimpleNamespace(
            last_kernel_activity=last_kernel_activity, list_kernels=lambda: [{"execution_state": kernel}])
        self.web_app = SimpleNamespace(settings={"started": STARTED, **settings})
        self.log = SimpleNamespace(warning=lambda *_: None)
        self.stopped = False

    def stop(self):
        self.stopped = True


def check(idle_after="60", **state) -> StandIn:
    app = StandIn(**state)
    Watch(app, {"MANDRILLHUB_IDLE_AFTER": idle_after}).check()
    return app


def test_an_idle_server_stops():
    assert check().stopped


@pytest.mark.parametrize("limit", ["0", "", "-5", "soon"])
def test_without_a_limit_it_never_stops_and_looks_active_to_the_hub(limit):
    app = check(limit)
    assert not app.stopped
    assert datetime.now(UTC) - app.web_app.settings["mandrillhub_last_activity"] < timedelta(seconds=5)


def test_busy_is_never_idle_and_looks_active_to_the_hub():
    app = check(kernel="busy")
    assert not app.stopped
    assert datetime.now(UTC) - app.web_app.settings["mandrillhub_last_activity"] < timedelta(seconds=5)
    state = Watch(app, {}).state()
    assert state["busy"] and state["idle_since"] is None


def test_the_requests_of_an_open_page_are_no_activity():
    assert check(api_last_activity=datetime.now(UTC)).stopped


@pytest.mark.parametrize("setting", ["terminal_last_activity", "mandrillhub_last_activity"])
def test_what_counts_as_activity(setting):
    assert not check(**{setting: datetime.now(UTC)}).stopped
    assert not check(last_kernel_activity=datetime.now(UTC)).stopped


def test_it_costs_a_server_no_import():
    code = ("import sys, spawner_profiles.timeleft\n"
            "sys.exit(any(name.startswith(('tornado', 'jupyter', 'traitlets')) for name in sys.modules))")
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


# -- a real server --------------------------------------------------------------------------------------


class Server:
    """A notebook server with our extension, in a directory of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        python = next((path for root in (ROOT, Path("/"))
                       if (path := Layout(root).opt / "server/bin/python").exists()), None)
        if python is None:
            pytest.fail("the notebook server's environment is not installed: `make up`, or `make test` as a whole")
        kernel = directory / "share/kernels/test/kernel.json"
        kernel.parent.mkdir(parents=True)
        kernel.write_text(json.dumps({"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                                      "display_name": "test", "language": "python"}))
        (directory / "jupyter_server_config.json").write_text(json.dumps(
            {"ServerApp": {"jpserver_extensions": {"spawner_profiles.timeleft": True, "jupyterlab": False}}}))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [python, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
             "--ServerApp.port_retries=0", "--IdentityProvider.token=secret", f"--ServerApp.root_dir={directory}"],
            cwd=directory, stdout=subprocess.DEVNULL, stderr=(directory / "log").open("w"),
            env={"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(REPOSITORY),
                 "JUPYTER_CONFIG_PATH": str(directory), "JUPYTER_PATH": str(directory / "share"),
                 "JUPYTER_RUNTIME_DIR": str(directory / "runtime"), **environment})
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = "token secret"
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if self.session.get(f"http://{self.address}/api").ok:
                    return
            assert self.process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()
            time.sleep(0.2)

    def ask(self, method: str = "GET") -> dict:
        answer = self.session.request(method, f"http://{self.address}/mandrillhub/time")
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body) -> dict:
        answer = self.session.post(f"http://{self.address}/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def send(self, path: str, message) -> None:
        """One message to a websocket, which is closed again."""

        async def talk():
            socket = await websocket_connect(f"ws://{self.address}/{path}?token=secret")
            await socket.read_message()
            await socket.write_message(json.dumps(message))
            await asyncio.sleep(0.5)
            socket.close()

        asyncio.run(talk())

    def run_cell(self, code: str) -> None:
        kernel = self.post("api/kernels", name="test")["id"]
        header = {"msg_id": uuid.uuid4().hex, "session": uuid.uuid4().hex, "username": "", "version": "5.3",
                  "msg_type": "execute_request", "date": datetime.now(UTC).isoformat()}
        self.send(f"api/kernels/{kernel}/channels", {
            "channel": "shell", "header": header, "parent_header": {}, "metadata": {},
            "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {},
                        "allow_stdin": False, "stop_on_error": True}})

    def wait_until_busy(self) -> float:
        deadline = time.monotonic() + 30
        while not self.ask()["busy"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return time.monotonic()


@pytest.fixture
def server(tmp_path):
    started = []

    def start(**environment: str) -> Server:
        started.append(Server(tmp_path, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.terminate()
        each.process.wait(20)


def test_the_endpoint(server):
    ends_at = int(time.time()) + 3600
    mine = server(MANDRILLHUB_JOB_ENDS_AT=str(ends_at), MANDRILLHUB_IDLE_AFTER="1800")
    assert requests.get(f"http://{mine.address}/mandrillhub/time", proxies={"http": ""}).status_code == 403
    first = mine.ask()
    assert (first["ends_at"], first["idle_after"], first["busy"]) == (ends_at, 1800, False)
    assert abs(first["now"] - time.time()) < 5
    time.sleep(1.1)
    assert mine.ask()["idle_since"] == first["idle_since"], "asking is no activity"
    mine.session.get(f"http://{mine.address}/api/contents").raise_for_status()
    assert mine.ask()["idle_since"] == first["idle_since"], "nor is what an open page asks"
    here = mine.ask("POST")["idle_since"]
    assert here > first["idle_since"] + 1
    mine.session.put(f"http://{mine.address}/api/contents/a.txt",
                     json={"type": "file", "format": "text", "content": "x"}).raise_for_status()
    assert mine.ask()["idle_since"] > here, "a save is activity"


def test_without_limits_it_says_so(server):
    mine = server().ask()
    assert mine["ends_at"] is None and mine["idle_after"] is None


def test_an_idle_server_stops_by_itself_though_a_page_asks_on(server):
    mine = server(MANDRILLHUB_IDLE_AFTER="4")
    begin = mine.ask()["idle_since"]
    with contextlib.suppress(requests.ConnectionError):
        while mine.process.poll() is None and time.time() < begin + 20:
            mine.session.get(f"http://{mine.address}/api/kernels")
            time.sleep(0.3)
    assert mine.process.wait(10) == 0
    assert 4 <= time.time() - begin < 15


@pytest.mark.parametrize("what", ["cell", "program in a terminal"])
def test_not_while_something_runs_however_silent(server, what):
    mine = server(MANDRILLHUB_IDLE_AFTER="6")
    if what == "cell":
        mine.run_cell("import time; time.sleep(10)")
    else:
        name = mine.post("api/terminals")["name"]
        mine.send(f"terminals/websocket/{name}", ["stdin", "sleep 10\r"])
    busy = mine.wait_until_busy()
    while time.monotonic() < busy + 9:
        assert mine.ask() | {"now": 0} == {"ends_at": None, "idle_after": 6, "busy": True, "idle_since": None, "now": 0}
        time.sleep(0.5)
    assert mine.process.wait(30) == 0, "stops once the cell has ended"
    assert time.monotonic() > busy + 9 + 5


# -- the words ------------------------------------------------------------------------------------------


def words(expression: str, catalogue: Path | None = None):
    """Evaluate JavaScript with the words of the JupyterLab extension in scope; with a catalogue, in its language."""
    texts = json.loads(catalogue.read_text()) if catalogue else {}
    script = f"""
      require({json.dumps(str(LAB / 'static/remoteEntry.js'))});
      globalThis._JUPYTERLAB.mandrillhub.get('./words').then(factory => {{
        const words = factory();
        const texts = {json.dumps(texts)};
        words.speak({{  // as JupyterLab's own translator fills in what a text leaves open
          __: (text, ...values) => (texts[text]?.[0] ?? text).replace(/%(\\d)/g, (_, n) => values[n - 1])
        }});
        console.log(JSON.stringify({expression}));
      }});"""
    result = subprocess.run([node(), "-e", script], capture_output=True, text=True, env={"TZ": "UTC"})
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_time_left_in_words():
    assert words("[6725, 3600, 3125, 59, 0, -5].map(words.left)") == [
        "1 h 52 min left", "1 h left", "52 min left", "less than a minute left", "time is up", "time is up"]


def test_the_warnings_say_when_and_fit():
    end = words("words.endText(14.5 * 3600, 14.25 * 3600)")
    assert end.startswith("Your job ends at 14:30, in 15 min. Save now")
    idle = words("words.idleText({idle_since: 13.5 * 3600, idle_after: 3600}, 13.5 * 3600 + 3000)")
    assert idle == "Nothing has run here for 50 min: this server stops at 14:30 so that others get its place."


@pytest.mark.parametrize("catalogue", [None, *(REPOSITORY / "spawner_profiles/locale").rglob("*.json")], ids=str)
def test_the_warnings_fit(catalogue):
    """JupyterLab cuts them after 140 characters."""
    assert len(words("words.endText(12 * 3600, 12 * 3600 - 299)", catalogue)) <= 140
    assert len(words("words.endText(12 * 3600, 12 * 3600 - 899)", catalogue)) <= 140
    assert len(words("words.idleText({idle_since: 0, idle_after: 86340}, 86000)", catalogue)) <= 140


def test_when_the_warnings_are_due():
    assert words("[901, 900, 600, 300, 10, -10].map(left => words.endWarning({ends_at: 5000}, 5000 - left) ?? null)") \
        == [None, 900, 900, 300, 300, None]
    due = "words.idleWarning({idle_after: 3600, busy: %s, idle_since: 1000}, %d)"
    assert not words(due % ("false", 1000 + 2999))
    assert words(due % ("false", 1000 + 3000))
    assert not words(due % ("true", 1000 + 3599))
    assert not words("words.idleWarning({idle_after: null, busy: false, idle_since: 1000}, 1e9)")


def test_the_package_names_what_jupyterlab_loads():
    build = json.loads((LAB / "package.json").read_text())["jupyterlab"]["_build"]
    assert (LAB / build["load"]).exists() and build["extension"] == "./extension"
