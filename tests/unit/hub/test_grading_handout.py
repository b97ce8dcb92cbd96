"""What is copied into a course directory, and what an instructor changed and keeps."""

import os
import shutil
from pathlib import Path

import pytest

from hub.grading.handout import copy, digest


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The course directory, as the working directory."""
    (tmp_path / "course").mkdir()
    monkeypatch.chdir(tmp_path / "course")
    return tmp_path


def platform(place: Path, **texts: str) -> Path:
    """The platform's own: assignments with a notebook of this text, and a file beside them."""
    draft = place / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    for name, text in texts.items():
        (draft / "source" / name).mkdir(parents=True)
        (draft / "source" / name / "book.ipynb").write_text(text)
    (draft / "nbgrader_config.py").write_text("c = get_config()\n")
    return draft


def test_what_is_new_or_unchanged_is_copied_and_the_rest_kept(place):
    copied: dict[str, str] = {}
    assert copy(platform(place, a="1", b="1", c="1"), copied) == []
    assert Path("source/a/book.ipynb").read_text() == "1" and Path("nbgrader_config.py").exists()
    Path("source/b/book.ipynb").write_text("an instructor's")
    Path("source/b/data.csv").write_text("theirs")
    Path("source/c/book.ipynb").unlink()
    Path("source/c").rmdir()
    told = copy(platform(place, a="2", b="2", c="2", d="2"), copied)
    assert told == ["kept b: changed by an instructor", "kept c: removed by an instructor"]
    assert Path("source/a/book.ipynb").read_text() == "2" and Path("source/d/book.ipynb").read_text() == "2"
    assert Path("source/b/book.ipynb").read_text() == "an instructor's" and not Path("source/c").exists()


def test_what_an_instructor_made_equal_is_ours_again(place):
    copied: dict[str, str] = {}
    copy(platform(place, a="1"), copied)
    Path("source/a/book.ipynb").write_text("2")
    assert copy(platform(place, a="2"), copied) == []
    assert copy(platform(place, a="3"), copied) == []
    assert Path("source/a/book.ipynb").read_text() == "3"


def test_an_assignment_of_an_instructors_own_is_never_ours(place):
    Path("source/a").mkdir(parents=True)
    Path("source/a/book.ipynb").write_text("an instructor's")
    assert copy(platform(place, a="1"), {}) == ["kept a: changed by an instructor"]
    assert Path("source/a/book.ipynb").read_text() == "an instructor's"


def test_what_editors_leave_behind_is_no_change(place):
    copy(platform(place, a="1"), copied := {})
    Path("source/a/.ipynb_checkpoints").mkdir()
    Path("source/a/.ipynb_checkpoints/book.ipynb").write_text("old")
    assert digest(Path("source/a")) == copied["source/a"]
    os.rename("source/a/book.ipynb", "source/a/other.ipynb")
    assert digest(Path("source/a")) != copied["source/a"]
