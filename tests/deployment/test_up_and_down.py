"""What an admin sees of `make up`, `status` and `down` on one machine. Runs last: it takes the platform down."""

import os
import re
import socket
import subprocess

from hub.daemons import Daemons
from hub.ports import RESERVED, listening


def test_a_second_up_changes_nothing(platform, ada):
    ada.start("small")
    daemons = Daemons(platform.layout, platform.layout.hub_bin)
    pids = daemons.pids()
    said = platform.make("up").stdout
    assert daemons.pids() == pids
    assert "nothing changed" in said and said.count("already there") >= 6, said
    assert ada.server()["ready"]
    assert platform.address in said and "emulated: no GPU on this machine" in said and "mh-ada" in said


def test_status_tells_who_has_a_server(platform, ada):
    ada.start("small")
    said = platform.make("status").stdout
    assert re.search(r"mh-ada +\d+ +cpu +running", said), said
    assert re.search(r"hub +RUNNING", said) and re.search(r"slurmctld +RUNNING", said)


def test_a_mistake_in_workshop_yml_starts_nothing(platform, tmp_path):
    file = tmp_path / "workshop.yml"
    file.write_text("titel: X\nattendees: people.csv\n")
    before = platform.layout.running.read_text()
    result = platform.make("up", check=False, WORKSHOP=file)
    assert result.returncode and f"{file}:1: titel: unknown key, did you mean 'title'" in result.stderr
    assert "Traceback" not in result.stderr
    assert platform.layout.running.read_text() == before


def test_a_port_in_use_is_named_with_its_holder(platform):
    """For an instance that is not running yet: same root, another port."""
    port = platform.port + 1000
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port + 2))
        holder.listen()
        result = platform.make("up", check=False, PORT=port)
    assert result.returncode
    message = " ".join(result.stderr.split())
    assert f"Port {port + 2} on 127.0.0.1 is taken" in message and f"process {os.getpid()}" in message
    assert "make up PORT=" in message


def test_down_leaves_nothing_but_homes_and_database(platform, ada):
    ada.start("cpu")
    note = platform.layout.homes / "mh-ada/note.txt"
    note.write_text("mine")
    platform.make("down")
    assert not [port for port in range(platform.port, platform.port + RESERVED + 1) if listening(port)]
    for login in ("mh-ada", "mh-bela", "slurm", "munge"):
        left = subprocess.run(["ps", "-u", login, "-o", "args="], capture_output=True, text=True).stdout
        assert str(platform.layout.root) not in left and "singleuser" not in left, left
    left = subprocess.run(["pgrep", "-fa", str(platform.layout.var)], capture_output=True, text=True).stdout
    assert not left, left
    assert "nothing of" in platform.make("down").stdout
    assert "is running" in platform.make("status", check=False).stderr

    assert note.read_text() == "mine"
    assert (platform.layout.hub_state / "jupyterhub.sqlite").exists()
    platform.make("up")
    again = platform.person("mh-ada")
    assert again.server() is None
    again.start("small")
    again.lab().raise_for_status()
    assert again.lab("api/contents/note.txt").json()["content"] == "mine"
