"""Daemons under a real supervisord, with tiny daemons that sleep."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
import supervisor

from hub.daemons import Daemons
from hub.files import write_file
from hub.layout import Layout
from hub.problems import Stop
from hub.supervisor_config import Daemon, _escape, _quote

BIN = Path(supervisor.__file__).parents[4] / "bin"


@pytest.fixture
def daemons():
    """In /tmp itself: a socket's path is short."""
    root = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))
    each = Daemons(Layout(root), BIN)
    each.config.parent.mkdir(parents=True)
    yield each
    each.stop_all()
    shutil.rmtree(root)


def sleeper(name, *command, **keys):
    keys.setdefault("ready", lambda: True)
    return Daemon(name, command or ("sleep", "300"), ready_text="nothing answers", **keys)


def pid(daemons, name):
    """Once it is itself: supervisord's fork hears no signal until it has become the daemon."""
    found = daemons._rpc.getProcessInfo(name)["pid"]
    until(lambda: command(found) not in ("supervisord", "setpriv"))
    return found


def command(number):
    try:
        return Path(f"/proc/{number}/comm").read_text().strip()
    except OSError:
        return ""


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(true, seconds=8):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def quiet(_):
    pass


def test_only_what_changed_restarts(daemons):
    said = []
    first = daemons.apply([sleeper("a"), sleeper("b"), sleeper("c")], said.append)
    assert first.started == ["a", "b", "c"] and said == ["starting a", "starting b", "starting c"]
    before = {name: pid(daemons, name) for name in "abc"}
    assert daemons.pids() == set(before.values())

    same = daemons.apply([sleeper("a"), sleeper("b"), sleeper("c")], quiet)
    assert not same and str(same) == "nothing changed"

    # b reads a file that changed, c goes, and d comes before the others
    then = daemons.apply([sleeper("d"), sleeper("a"), sleeper("b", restart_key="new")], quiet)
    assert (then.started, then.restarted, then.removed) == (["d"], ["b"], ["c"])
    assert pid(daemons, "a") == before["a"]
    assert pid(daemons, "b") != before["b"]
    assert not alive(before["b"]) and not alive(before["c"])
    assert [name for name, _, _ in daemons.status()] == ["a", "b", "d"]


def test_stop_all_goes_backwards_and_leaves_nothing(daemons, tmp_path):
    order = tmp_path / "order"
    order.touch()
    script = f"trap 'echo $0 >>{order}; exit' TERM; while :; do sleep 0.02; done"
    daemons.apply([sleeper(name, "sh", "-c", script, name) for name in ("one", "two", "three")], quiet)
    pids = {pid(daemons, name) for name in ("one", "two", "three")} | {int(daemons.pidfile.read_text())}
    time.sleep(0.2)  # for the traps
    daemons.stop_all()
    assert order.read_text().split() == ["three", "two", "one"]
    assert not daemons.running() and not any(map(alive, pids))
    assert daemons.status() == [] and daemons.pids() == set()


def test_a_crash_is_mended(daemons):
    daemons.apply([sleeper("a")], quiet)
    until(lambda: daemons.status()[0][1] == "RUNNING")
    old = pid(daemons, "a")
    os.kill(old, signal.SIGKILL)
    until(lambda: pid(daemons, "a") not in (0, old))


def test_restart_one(daemons):
    daemons.apply([sleeper("a"), sleeper("b")], quiet)
    a, b = pid(daemons, "a"), pid(daemons, "b")
    daemons.restart("a")
    assert pid(daemons, "a") != a and pid(daemons, "b") == b
    assert daemons.stop("b") and not daemons.stop("b") and not daemons.stop("x")
    with pytest.raises(Stop, match=r"No daemon 'x' runs here; there are: a, b"):
        daemons.restart("x")


def test_children_outlive_their_daemon(daemons, tmp_path):
    """As slurmd's jobs must."""
    daemons.apply([sleeper("a", "sh", "-c", f"sleep 300 & echo $! >{tmp_path}/child; wait",
                           ready=(tmp_path / "child").exists)], quiet)
    until(lambda: (tmp_path / "child").read_text().strip())
    child = int((tmp_path / "child").read_text())
    try:
        daemons.stop_all()
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_daemons_of_a_killed_supervisord_end_and_all_starts_again(daemons):
    daemons.apply([sleeper("a")], quiet)
    old = pid(daemons, "a")
    os.kill(int(daemons.pidfile.read_text()), signal.SIGKILL)
    until(lambda: not alive(old))
    assert not daemons.running()
    assert daemons.apply([sleeper("a")], quiet).started == ["a"]
    pid(daemons, "a")


def test_one_that_dies_is_named_with_its_last_words(daemons):
    dying = sleeper("dying", "sh", "-c", "for i in 1 2 3 4 5 6 7; do echo word $i; done; exit 3",
                    ready=lambda: False, next_step="pay the bill")
    with pytest.raises(Stop) as stop:
        daemons.apply([sleeper("good"), dying], quiet)
    text = str(stop.value)
    assert text.startswith("dying does not start: it ends at once.\n")
    assert str(daemons.log("dying")) in text and text.endswith("Next: pay the bill.")
    assert [line.strip() for line in text.splitlines() if line.startswith("  ")] == [
        f"word {number}" for number in (3, 4, 5, 6, 7)]
    states = {name: state for name, state, _ in daemons.status()}
    assert states["dying"] in ("STOPPED", "EXITED", "FATAL") and states["good"] == "RUNNING"
    assert daemons.apply([sleeper("good"), sleeper("dying")], quiet).started == ["dying"]


def test_one_that_is_never_ready(daemons):
    with pytest.raises(Stop, match=r"(?s)mute runs, but after 0.3 s nothing answers\..*mute\.log.*\(nothing\)"):
        daemons.apply([sleeper("mute", ready=lambda: False, ready_timeout_s=0.3)], quiet)


def test_values_arrive_as_they_are_and_nothing_else_does(daemons, monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET", "of the caller")
    monkeypatch.chdir(tmp_path)
    values = {"PERCENT": "100%(x)s", "SINGLE": "it's", "DOUBLE": 'a "b" c', "COMMA": "a,b=c;d#e", "DOLLAR": "$HOME"}
    daemons.apply([sleeper("a", "sleep", "300.0", environment=values)], quiet)
    for number in (pid(daemons, "a"), int(daemons.pidfile.read_text())):
        found = dict(part.split("=", 1) for part in Path(f"/proc/{number}/environ").read_text().split("\0") if part)
        assert "SECRET" not in found and "HOME" not in found
        assert os.readlink(f"/proc/{number}/cwd") == "/"
    environment = Path(f"/proc/{pid(daemons, 'a')}/environ").read_text().split("\0")
    for name, value in values.items():
        assert f"{name}={value}" in environment


def test_only_root_may_read_and_command(daemons):
    daemons.apply([sleeper("a")], quiet)
    pid(daemons, "a")
    for path, mode in ((daemons.config, 0o600), (daemons.socket, 0o700), (daemons.run, 0o700), (daemons.logs, 0o700)):
        assert path.stat().st_mode & 0o777 == mode, path


def test_what_the_configuration_cannot_hold_is_refused():
    assert _escape("50%") == "50%%"
    for value in ("two\nlines", "a ;comment", "a # comment", "#all"):
        with pytest.raises(ValueError):
            _escape(value)
    for value in ("""both ' and \"""", "'ends'"):
        with pytest.raises(ValueError):
            _quote(value)


def test_a_file_is_written_only_when_it_changes(tmp_path):
    path = tmp_path / "file"
    write_file(path, "one", mode=0o600)
    first = path.stat()
    write_file(path, "one", mode=0o600)
    assert path.stat().st_ino == first.st_ino and path.stat().st_mtime_ns == first.st_mtime_ns
    write_file(path, "two", mode=0o640)
    assert path.read_text() == "two" and path.stat().st_mode & 0o777 == 0o640
