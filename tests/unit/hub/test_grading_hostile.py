"""Reading somebody else's tree, without the somebody else: tests/integration/grading has real accounts."""

import os
import stat

import pytest

from hub.grading.hostile import Copy, Refused, names, opened


@pytest.fixture
def mine(tmp_path):
    tree = tmp_path / "mine"
    (tree / "data").mkdir(parents=True)
    (tree / "p1.ipynb").write_text("{}")
    (tree / "data/a.csv").write_bytes(b"1" * 1000)
    (tree / "__pycache__").mkdir()
    return tree


def copy(tree, dest, owner=None, files=10, size=1002) -> Copy:
    it = Copy(os.geteuid() if owner is None else owner, files, size, lambda name: name == "__pycache__")
    with opened(str(tree), None, None, "it") as source:
        it.tree(source, dest)
    return it


def test_a_tree_is_copied_as_it_is_and_its_latest_change_told(mine, tmp_path):
    before = (mine / "data/a.csv").stat().st_ctime
    os.utime(mine / "data/a.csv", (0, 0))
    it = copy(mine, tmp_path / "copy")
    assert sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")) == [
        "data", "data/a.csv", "p1.ipynb"]
    assert (tmp_path / "copy/data/a.csv").read_bytes() == b"1" * 1000
    assert it.changed_at >= before > 1e9


@pytest.mark.parametrize("limits, reason", [
    ({"files": 3}, "too many files"), ({"size": 1001}, "too large, with 'p1.ipynb'"),
    ({"size": 999}, "too large, with 'data/a.csv'"), ({"owner": 12345}, "belongs to somebody else")])
def test_limits(mine, tmp_path, limits, reason):
    with pytest.raises(Refused, match=reason):
        copy(mine, tmp_path / "copy", **limits)


@pytest.mark.parametrize("kind", ["link", "dangling link", "FIFO", "link to a directory"])
def test_what_is_no_plain_file_is_never_opened(mine, tmp_path, kind):
    if kind == "FIFO":
        os.mkfifo(mine / "odd")
    else:
        (mine / "odd").symlink_to({"link": "p1.ipynb", "dangling link": "gone", "link to a directory": "data"}[kind])
    with pytest.raises(Refused, match="'odd' is a link or something else"):
        copy(mine, tmp_path / "copy")


@pytest.mark.parametrize("becomes", ["link", "FIFO", "directory"])
def test_what_becomes_something_else_between_look_and_open_is_refused(mine, monkeypatch, becomes):
    look = os.stat

    def then_swap(name, **where):
        found = look(name, **where)
        if name == "p1.ipynb":
            (mine / "p1.ipynb").unlink()
            if becomes == "link":
                (mine / "p1.ipynb").symlink_to("data/a.csv")
            elif becomes == "FIFO":
                os.mkfifo(mine / "p1.ipynb")
            else:
                (mine / "p1.ipynb").mkdir()
        return found

    with opened(str(mine), None, None, "it") as folder:
        monkeypatch.setattr(os, "stat", then_swap)
        with (pytest.raises(Refused, match=r"it changed while|it: Too many levels of symbolic links"),
              opened("p1.ipynb", folder, None, "it", stat.S_ISREG)):
            pass


def test_no_more_names_are_read_than_allowed(mine):
    with opened(str(mine), None, None, "it") as folder:
        assert names(folder, 3, "too many") == ["__pycache__", "data", "p1.ipynb"]
        with pytest.raises(Refused, match="too many"):
            names(folder, 2, "too many")
