"""A second hub on the same cluster, with TLS between hub, proxy and servers, and its log at the level of debugging."""

import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import requests

from hub import install
from tests.live import REPOSITORY
from tests.person import Person

CONFIGURATION = """
import logging
from spawner_profiles import api
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import ProfileSpawner

api.install()
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.default_url = "/hub/home"
c.JupyterHub.internal_ssl = True
c.JupyterHub.log_level = logging.DEBUG
c.ConfigurableHTTPProxy.api_url = "https://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {{"mh-ada", "mh-bela"}}
c.JupyterHub.spawner_class = ProfileSpawner
c.ProfileSpawner.catalog = [Profile(key="small", title="Small", partition="cpu", memory="512M", walltime="10m")]
c.JobSpawner.hub_id = "tls-test"
c.SlurmJobSpawner.address = "127.0.0.1"
c.SlurmJobSpawner.environment = {{"SLURM_CONF": {slurm_conf!r}, "PATH": "/usr/bin:/bin"}}
c.Spawner.env_keep = []
c.Spawner.ip = "127.0.0.1"
c.Spawner.cmd = [{python!r}, "-m", "spawner_profiles.singleuser"]
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody has: held together, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in held]
    for holder in held:
        holder.close()
    return ports


@pytest.fixture(scope="module")
def tls_hub(platform, tmp_path_factory):
    """(address, file of its log, directory of its state)."""
    folder = tmp_path_factory.mktemp("tls-hub")
    public, hub, api = free_ports(3)
    config = folder / "jupyterhub_config.py"
    config.write_text(CONFIGURATION.format(
        public=public, hub=hub, api=api, slurm_conf=str(platform.layout.slurm_conf),
        proxy=[str(install.node()), str(install.proxy_program(platform.layout))],
        python=str(platform.layout.server_bin / "python")))
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [platform.layout.hub_bin / "jupyterhub", "--config", config], cwd=folder, stdout=stream,
            stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY),
                                           "SLURM_CONF": str(platform.layout.slurm_conf)})
    address = f"http://127.0.0.1:{public}"
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            try:
                if requests.get(f"{address}/hub/login", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        yield address, log, folder
    finally:
        process.terminate()  # with it go its proxy and its servers
        process.wait(60)


@pytest.fixture
def person(tls_hub):
    person = Person(tls_hub[0], "mh-ada", "any")
    assert person.log_in().ok
    yield person
    if person.server():
        person.stop()


def start(person) -> dict:
    """The last event of the start."""
    answer = person.api("POST", f"users/{person.login}/server", json={"profile": "small"})
    assert answer.status_code in (201, 202, 500), answer.text
    return person.events()[-1] if answer.ok else answer.json()


def test_a_server_as_a_job_of_a_hub_with_internal_ssl(platform, tls_hub, person):
    assert start(person).get("ready"), tls_hub[1].read_text()[-3000:]
    assert person.lab().ok and person.lab("api/status").json()["started"], "through the proxy, to the server and back"
    folder = platform.layout.homes / "mh-ada/.mandrillhub/ssl"
    assert sorted(path.name for path in folder.iterdir()) == ["cafile", "certfile", "keyfile"]
    for path in (folder, *folder.iterdir()):
        status = path.stat()
        assert status.st_uid == pwd.getpwnam("mh-ada").pw_uid and status.st_mode & 0o077 == 0, path
        assert subprocess.run(["runuser", "-u", "mh-bela", "--", "cat", path], capture_output=True).returncode
    # Who has no certificate of this hub does not get as far as a request.
    listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
    pids = subprocess.run(["pgrep", "-u", "mh-ada", "-f", "spawner_profiles.singleuser"],
                          capture_output=True, text=True).stdout.split()
    port = next(int(line.split()[3].rsplit(":", 1)[1]) for line in listing.splitlines()
                for pid in pids if f"pid={pid}," in line)
    stranger = ssl.create_default_context(cafile=folder / "cafile")
    with pytest.raises((ssl.SSLError, ConnectionError)), socket.create_connection(("127.0.0.1", port)) as plain, \
            stranger.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        tls.sendall(b"GET /user/mh-ada/api HTTP/1.0\r\n\r\n")
        assert tls.recv(100) == b""
        raise ConnectionError("closed without an answer")


def test_a_link_in_a_home_gives_nobody_elses_files_away(platform, tls_hub, person, tmp_path):
    """JupyterHub's own way for local servers would give the target of the link to the person."""
    victim = tmp_path / "victim"
    (victim / "ssl").mkdir(parents=True)
    (victim / "ssl/keyfile").write_text("root's")
    for folder in (tmp_path, *list(tmp_path.parents)[:2], victim, victim / "ssl"):
        folder.chmod(0o755)
    home = platform.layout.homes / "mh-ada"
    shutil.rmtree(home / ".mandrillhub", ignore_errors=True)
    (home / ".mandrillhub").symlink_to(victim)
    try:
        said = start(person)
        assert "could not be written" in said["message"], said
        assert (victim / "ssl/keyfile").read_text() == "root's"
        for path in (victim, victim / "ssl", victim / "ssl/keyfile"):
            assert path.stat().st_uid == 0
    finally:
        (home / ".mandrillhub").unlink()


def test_the_debug_log_has_neither_tokens_nor_keys(platform, tls_hub, person):
    assert start(person).get("ready"), tls_hub[1].read_text()[-3000:]
    pid = subprocess.run(["pgrep", "-u", "mh-ada", "-f", "spawner_profiles.singleuser"],
                         capture_output=True, text=True).stdout.split()[0]
    environment = dict(entry.split("=", 1) for entry in Path(f"/proc/{pid}/environ").read_text().split("\0") if entry)
    log = tls_hub[1].read_text()
    assert re.search(r"\[D .*Calling Spawner.start for mh-ada", log), "the log is not at the level of debugging"
    for secret in (environment["JUPYTERHUB_API_TOKEN"], environment["JPY_API_TOKEN"], "PRIVATE KEY"):
        assert secret not in log
