"""Split, metrics, batches, device, figures and the live curve."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

import numpy as np
import torch
from mandrill import cpus, dataset, device, live, metrics, plots, published, split


def test_split_by_individual_keeps_everyone_on_one_side(photos):
    train, test = split.by_individual(photos, test=0.2, seed=3)
    assert not set(train["individual"]) & set(test["individual"])
    assert len(train) + len(test) == len(photos)
    assert test["individual"].nunique() == 16
    assert test["age_years"].max() > 8 and test["age_years"].min() < 1


def test_split_by_photo_shares_individuals(photos):
    train, test = split.by_photo(photos, test=0.2, seed=3)
    assert set(train["individual"]) & set(test["individual"])
    assert len(test) == round(0.2 * len(photos)) and len(train) + len(test) == len(photos)
    assert not set(train["photo"]) & set(test["photo"])


@pytest.mark.parametrize("cut", [split.by_photo, split.by_individual])
def test_split_follows_its_seed(photos, cut):
    assert cut(photos, seed=1)[1].equals(cut(photos, seed=1)[1])
    assert not cut(photos, seed=1)[1].equals(cut(photos, seed=2)[1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        cut(photos, test=20)


def test_split_needs_two_individuals(photos):
    one = photos[photos["individual"] == photos["individual"].iloc[0]]
    with pytest.raises(ValueError, match="only 1 individuals"):
        split.by_individual(one)


def test_mae():
    assert metrics.mae([1, 2, 4], [1, 4, 3]) == 1.0
    with pytest.raises(ValueError, match="2 predictions for 3"):
        metrics.mae([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="at least one"):
        metrics.mae([], [])


def test_mae_by_age_counts_each_photo_in_its_band():
    table = metrics.mae_by_age([0.5, 2, 2, 20], [0.0, 1.0, 2.5, 16.0]).set_index("age")
    assert list(table.index) == ["<1", "1-2", "2-3", "3-5", "5-8", "8-12", "12-16", "16+"] == published.band_names()
    assert table["photos"].tolist() == [1, 1, 1, 0, 0, 0, 0, 1]
    assert table.loc[["<1", "1-2", "2-3", "16+"], "mae"].tolist() == [0.5, 1.0, 0.5, 4.0]
    assert np.isnan(table.loc["3-5", "mae"])
    assert table.loc["8-12", "published"] == 1.59


def test_published_photos_by_year_add_up():
    assert sum(published.PHOTOS_BY_YEAR) == published.RESULTS[-1][1]


def test_dataset_gives_bytes(photos):
    data = dataset.FaceDataset(photos, size=24)
    photo, age = data[5]
    assert photo.dtype == torch.uint8 and photo.shape == (3, 24, 24)
    assert age.item() == pytest.approx(photos["age_years"].iloc[5], abs=1e-5)
    assert len(data) == len(photos)


def test_batches_are_floats_in_0_to_1_and_cover_everything(photos):
    some = photos.iloc[:50]
    seen = list(dataset.Batches(some, size=16, batch=20))
    assert [len(ages) for _, ages in seen] == [20, 20, 10]
    assert torch.cat([ages for _, ages in seen]).numpy() == pytest.approx(some["age_years"].to_numpy(), abs=1e-5)
    pictures = seen[0][0]
    assert pictures.dtype == torch.float32 and pictures.min() >= 0 and 0.3 < pictures.max() <= 1


def test_learning_batches_change_each_time_and_follow_their_seed(photos):
    some = photos.iloc[:40]

    def draw(times, seed):
        batches = dataset.Batches(some, size=16, batch=40, learning=True, seed=seed)
        return [next(iter(batches)) for _ in range(times)]

    first, second = draw(2, seed=1)
    assert not torch.equal(first[0], second[0])
    assert sorted(first[1].tolist()) == sorted(second[1].tolist()) and first[1].tolist() != second[1].tolist()
    assert torch.equal(first[0], draw(1, seed=1)[0][0])
    assert first[0].min() >= 0 and first[0].max() <= 1


def test_only_learning_batches_are_varied(photos):
    one = photos.iloc[:1]
    for learning in (True, False):
        batches = dataset.Batches(one, size=16, learning=learning)
        pictures = [next(iter(batches))[0] for _ in range(3)]
        assert torch.equal(pictures[0], pictures[1]) is not learning
        assert torch.equal(pictures[1], pictures[2]) is not learning


def test_a_photo_that_is_missing_is_named(photos):
    broken = photos.iloc[:1].assign(photo="/nowhere/lost.jpg")
    with pytest.raises(dataset.PhotoError, match=r"/nowhere/lost\.jpg"):
        dataset.FaceDataset(broken)[0]


@pytest.fixture
def plain_job(monkeypatch):
    for name in (*cpus._ASKED, device.GPU, device.EMULATED, *device._JOB):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cpus, "_quota", lambda: None)
    monkeypatch.setattr(cpus.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = torch.get_num_threads()
    yield monkeypatch
    torch.set_num_threads(before)


def test_cpus_are_those_of_the_job(plain_job):
    assert cpus.job_cpus() == 8
    plain_job.setenv("SLURM_CPUS_PER_TASK", "4")
    assert cpus.job_cpus() == 4
    plain_job.setenv("OMP_NUM_THREADS", "1")
    assert cpus.job_cpus() == 1
    plain_job.setenv("OMP_NUM_THREADS", "many")
    assert cpus.job_cpus() == 4


def test_cpus_of_a_control_group(tmp_path):
    (tmp_path / "cgroup").write_text("0::/job/step\n")
    (tmp_path / "job/step").mkdir(parents=True)
    (tmp_path / "job/step/cpu.max").write_text("max 100000\n")
    assert cpus._quota(tmp_path, tmp_path / "cgroup") is None
    (tmp_path / "job/cpu.max").write_text("250000 100000\n")
    assert cpus._quota(tmp_path, tmp_path / "cgroup") == 2
    (tmp_path / "job/step/cpu.max").write_text("50000 100000\n")
    assert cpus._quota(tmp_path, tmp_path / "cgroup") == 1
    assert cpus._quota(tmp_path, tmp_path / "absent") is None


def test_the_machine_sets_threads_and_names_the_job(plain_job):
    plain_job.setenv("SLURM_CPUS_PER_TASK", "2")
    plain_job.setenv("SLURM_JOB_ID", "42")
    machine = device.this_machine()
    assert machine.cpus == 2 == torch.get_num_threads()
    assert machine.torch == torch.device("cpu")
    assert str(machine).startswith("job 42 on ") and str(machine).endswith(": 2 CPUs, no GPU")


def test_an_emulated_gpu_says_so(plain_job):
    plain_job.setenv(device.GPU, "rtx2080ti")
    assert "asked for, but PyTorch sees none" in device.this_machine().gpu
    plain_job.setenv(device.EMULATED, "1")
    machine = device.this_machine()
    assert machine.gpu == "GPU rtx2080ti (emulated: no GPU on this machine)"
    assert machine.torch == torch.device("cpu")


def figures(photos):
    some = photos.iloc[:60]
    guess = np.full(len(some), 3.0)
    training = live.Live(some, epochs=2, batches=4)
    return {
        "faces": plots.faces_by_age(photos), "ages": plots.ages(some),
        "scatter": plots.predicted_against_true(some, guess), "worst": plots.worst(some, guess, 7),
        "saliency": plots.saliency(some.iloc[:2], np.random.default_rng(0).random((2, 8, 8))),
        "bands": plots.error_by_age(some, metrics.mae_by_age(guess, some["age_years"])), "curve": training.curve(),
    }


def labels(picture):
    return [text.get_text() for text in picture.figure.texts]


def test_every_figure_says_synthetic_and_only_then(photos):
    for name, picture in figures(photos).items():
        assert plots.SYNTHETIC_LABEL in labels(picture), name
    for name, picture in figures(photos.assign(synthetic=False)).items():
        assert plots.SYNTHETIC_LABEL not in labels(picture), name


def test_a_figure_is_a_png(photos):
    assert plots.ages(photos)._repr_png_().startswith(b"\x89PNG")


def test_worst_shows_the_worst_first(photos):
    some = photos.iloc[:20]
    guess = some["age_years"].to_numpy().copy()
    guess[13] += 9
    first = plots.worst(some, guess, 5).figure.axes[0].get_title()
    assert first == f"true {some['age_years'].iloc[13]:.1f}, predicted {guess[13]:.1f}"


def test_live_counts_epochs_and_redraws_at_most_twice_a_second(photos, monkeypatch, capsys):
    clock = iter(np.arange(0, 1000, 0.01))
    monkeypatch.setattr(live.time, "monotonic", lambda: float(next(clock)))
    shown = []
    monkeypatch.setattr(live._TextScreen, "show", lambda self, done, text, curve: shown.append((done, text)))
    with live.Live(photos, epochs=3, batches=50) as training:
        while training.goes_on():
            for _ in range(50):
                training.batch(2.0)
            training.epoch(1.5)
    assert training.done == 150 and training.progress == 1.0
    assert [epoch for epoch, _ in training.unseen] == [1.0, 2.0, 3.0]
    seconds = training.elapsed
    assert 3 <= len(shown) <= 2 * seconds + 2
    assert "error 1.50 years" in shown[-1][1]
    assert "done: 3 epochs" in capsys.readouterr().out


def test_live_stops_when_the_time_is_up(photos, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    with live.Live(photos, epochs=100, batches=1, seconds=10) as training:
        while training.goes_on():
            now[0] += 3
            training.batch(2.0)
            training.epoch(1.5)
    assert training.done == 3 and 0.8 < training.progress <= 1


def test_the_notebook_is_clean():
    path = Path(__file__).parents[3] / "course_notebooks/source/03_regression/mandrill_regression.ipynb"
    notebook = json.loads(path.read_text())
    assert notebook["metadata"]["kernelspec"] == {"display_name": "PyTorch", "language": "python", "name": "pytorch"}
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, cell["id"]
            compile("".join(cell["source"]), cell["id"], "exec")
