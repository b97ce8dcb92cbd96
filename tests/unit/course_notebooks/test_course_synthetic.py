"""The synthetic faces: same bytes for a seed, the published ages, individuals that can be recognised."""

import csv
import hashlib
import os
import stat
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

import numpy as np
from mandrill import baselines, faces, metrics, split
from mandrill.published import PHOTOS_BY_YEAR
from mandrill.synthetic import Parameters, draw_set, write
from mandrill.synthetic.population import draw_rows

SMALL = Parameters(photos=24, individuals=6, size=32, seed=3)


def content(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


def test_same_bytes_whatever_the_processes(tmp_path):
    draw_set(tmp_path / "one", SMALL, processes=1)
    draw_set(tmp_path / "three", SMALL, processes=3)
    assert content(tmp_path / "one") == content(tmp_path / "three")
    assert len(content(tmp_path / "one")) == 24 + 2


def test_another_seed_gives_other_faces(tmp_path):
    draw_set(tmp_path / "a", SMALL, processes=1)
    draw_set(tmp_path / "b", Parameters(24, 6, 32, seed=4), processes=1)
    pictures = [{digest for name, digest in content(tmp_path / folder).items() if name.endswith(".jpg")}
                for folder in "ab"]
    assert not pictures[0] & pictures[1]


def test_layout(drawn):
    with (drawn / "faces.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 700 and tuple(rows[0]) == faces.PUBLIC_COLUMNS
    assert len({row["Id"] for row in rows}) == 80
    on_disk = {f"{path.parent.name}/{path.name}" for path in (drawn / "Images").glob("*/*")}
    assert on_disk == {f"{row['Id']}/{row['Photo_Name']}" for row in rows}


def test_world_readable_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        draw_set(tmp_path / "set", SMALL, processes=1)
    finally:
        os.umask(before)
    for path in (tmp_path / "set", *(tmp_path / "set").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.parametrize("photos, individuals", [(300, 30), (3000, 150), (12000, 300)])
def test_ages_follow_the_published_distribution(photos, individuals):
    ages = np.array([row.age_years for row in draw_rows(photos, individuals, seed=1)])
    assert len(ages) == photos
    drawn = np.cumsum(np.histogram(ages, bins=range(len(PHOTOS_BY_YEAR) + 1))[0]) / photos
    published = np.cumsum(PHOTOS_BY_YEAR) / sum(PHOTOS_BY_YEAR)
    assert np.abs(drawn - published).max() < (0.06 if photos < 1000 else 0.02)


def test_unknown_sex_negative_ages_view_and_quality():
    rows = draw_rows(3000, 150, seed=2021)
    assert {row.sex for row in rows} == {"f", "m", ""}
    assert 0 < sum(row.sex == "" for row in rows) < 150
    negative = [row for row in rows if row.shot < row.born]
    assert 1 <= len(negative) <= 20
    assert 0.88 < np.mean([row.view == 1 for row in rows]) < 0.94
    assert 0.82 < np.mean([row.quality >= 2 for row in rows]) < 0.88


def test_one_birth_and_one_sex_an_individual():
    rows = draw_rows(1000, 60, seed=5)
    assert len({(row.name, row.born, row.sex, row.drawn_sex) for row in rows}) == len({row.name for row in rows}) == 60
    assert len({(row.name, row.photo) for row in rows}) == 1000


def test_a_second_call_does_nothing(tmp_path):
    assert draw_set(tmp_path / "set", SMALL, processes=1) is True
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    assert draw_set(tmp_path / "set", SMALL, processes=1) is False
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}


def test_an_interrupted_draw_leaves_nothing_and_the_next_one_completes(tmp_path, monkeypatch):
    draw, count = write._draw_photo, iter(range(100))

    def stopped(task):
        if next(count) == 5:
            raise KeyboardInterrupt
        return draw(task)

    monkeypatch.setattr(write, "_draw_photo", stopped)
    with pytest.raises(KeyboardInterrupt):
        draw_set(tmp_path / "set", SMALL, processes=1)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert draw_set(tmp_path / "set", SMALL, processes=1)
    assert len(faces.load(tmp_path / "set")) > 20


def test_what_a_killed_draw_left_is_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".set.drawing-{write.socket.gethostname()}-{ended.pid}"
    elsewhere = tmp_path / f".set.drawing-another-host-{ended.pid}"
    running = tmp_path / f".set.drawing-{write.socket.gethostname()}-{os.getppid()}"
    for folder in (left, elsewhere, running):
        folder.mkdir()
    draw_set(tmp_path / "set", SMALL, processes=1)
    assert not left.exists() and elsewhere.exists() and running.exists()


def test_never_over_something_else(tmp_path):
    draw_set(tmp_path / "set", SMALL, processes=1)
    with pytest.raises(FileExistsError, match=r"seed 3 \(wanted 4\)"):
        draw_set(tmp_path / "set", Parameters(24, 6, 32, seed=4), processes=1)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("do not lose")
    with pytest.raises(FileExistsError, match="not a synthetic set"):
        draw_set(tmp_path / "precious", SMALL, processes=1)
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "do not lose"


def test_command_line(tmp_path):
    command = [sys.executable, "-m", "mandrill.synthetic", str(tmp_path / "set"),
               "--photos", "24", "--individuals", "6", "--size", "32", "--seed", "3"]
    first = subprocess.run(command, capture_output=True, text=True)
    again = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == again.returncode == 0, first.stderr
    assert "24 synthetic photos of 6 individuals" in first.stdout and "nothing to do" in again.stdout
    wrong = subprocess.run([*command, "--photos", "3"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "3 photos can't show 6 individuals" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_the_leak_a_split_by_photo_flatters(photos):
    error = {}
    for cut in (split.by_photo, split.by_individual):
        train, test = cut(photos, test=0.2, seed=1)
        error[cut] = metrics.mae(baselines.most_similar(train, test), test["age_years"])
    assert error[split.by_photo] < 0.4 * error[split.by_individual]


def test_faces_tell_the_age(photos):
    train, test = split.by_individual(photos, test=0.2, seed=1)
    linear = metrics.mae(baselines.linear(train, test), test["age_years"])
    assert linear < 0.85 * metrics.mae(baselines.predict_mean(train, test), test["age_years"])
