"""The pretrained network: where its weights are looked for, what is refused, what it predicts."""

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

import numpy as np
import torch
from mandrill import backbone, baselines, metrics, split


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as torchvision publishes it, of a network that nobody has trained."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / backbone.FILE
    torch.save(resnet18(weights=None).state_dict(), path)
    return path


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without weights."""
    monkeypatch.delenv(backbone.VARIABLE, raising=False)
    monkeypatch.setenv("MANDRILL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path


def put(weights, folder):
    folder.mkdir(parents=True)
    (folder / backbone.FILE).symlink_to(weights)
    return folder / backbone.FILE


def test_the_file_is_the_one_that_torchvision_publishes():
    from torchvision.models import ResNet18_Weights

    published = ResNet18_Weights.IMAGENET1K_V1
    assert published.url in backbone.__doc__ and published.url.endswith(f"/{backbone.FILE}")
    assert published.transforms().mean == list(backbone._MEAN) and published.transforms().std == list(backbone._SPREAD)


def test_weights_are_found_by_the_variable_then_beside_the_photos_then_in_torch_hub(weights, bare, monkeypatch):
    hub = put(weights, bare / "torch/hub/checkpoints")
    assert backbone.find()[0] == hub
    beside = put(weights, bare / "data/weights")
    assert backbone.find()[0] == beside
    monkeypatch.setenv(backbone.VARIABLE, str(weights.parent))
    assert backbone.find()[0] == weights
    monkeypatch.setenv(backbone.VARIABLE, str(weights))
    path, told = backbone.find()
    assert path == weights and told.startswith("Pretrained: ResNet-18") and str(weights) in told


def test_a_machine_without_weights_says_where_it_looked(bare, monkeypatch):
    monkeypatch.setenv(backbone.VARIABLE, str(bare / "nowhere"))
    path, told = backbone.find()
    assert path is None and told.startswith("From scratch only")
    for place in ("nowhere", f"data/weights/{backbone.FILE}", f"torch/hub/checkpoints/{backbone.FILE}"):
        assert f"no {bare / place}" in told


def test_the_network_is_frozen_and_may_come_with_any_last_layer(weights, tmp_path):
    network = backbone.load(weights)
    assert not network.training and not any(value.requires_grad for value in network.parameters())
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 512)
    without = {name: value for name, value in torch.load(weights).items() if not name.startswith("fc.")}
    torch.save(without, tmp_path / "headless.pth")
    pictures = torch.rand(2, 3, 64, 64)
    assert torch.equal(network(pictures), backbone.load(tmp_path / "headless.pth")(pictures))


def test_a_file_that_is_no_resnet18_is_named_with_the_next_step(weights, tmp_path):
    from torchvision.models import resnet34

    larger, torn, text = tmp_path / "resnet34.pth", tmp_path / "torn.pth", tmp_path / "text.pth"
    torch.save(resnet34(weights=None).state_dict(), larger)
    torn.write_bytes(weights.read_bytes()[:100_000])
    text.write_text("<html>not found</html>")
    for path in (larger, torn, text):
        with pytest.raises(backbone.WeightsError, match=f"{path} does not hold.*expected {backbone.FILE}"):
            backbone.load(path)


def test_a_file_of_weights_runs_no_code(tmp_path):
    class Bad:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save(Bad(), tmp_path / "bad.pth")
    with pytest.raises(backbone.WeightsError):
        backbone.load(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_features_do_not_depend_on_the_batch_and_show_progress(weights, photos, capsys):
    network, some = backbone.load(weights), photos.iloc[:20]
    small = backbone.features(network, some, size=64, batch=3)
    assert small.shape == (20, 512)
    assert small == pytest.approx(backbone.features(network, some, size=64, batch=20), abs=1e-4)
    assert "looking at photos: 100%" in capsys.readouterr().out


def test_even_untrained_filters_beat_the_mean_by_individual(weights, photos):
    train, test = split.by_individual(photos, test=0.2, seed=1)
    predicted, learnt = backbone.predict(weights, train, test, seconds=float("inf"))
    assert learnt == len(train) and predicted.shape == (len(test),)
    assert np.isfinite(predicted).all() and predicted.min() >= 0
    mean = metrics.mae(baselines.predict_mean(train, test), test["age_years"])
    assert metrics.mae(predicted, test["age_years"]) < 0.85 * mean


def test_a_busy_machine_learns_from_fewer_photos_but_predicts_all(weights, photos):
    train, test = split.by_individual(photos, test=0.1, seed=1)
    predicted, learnt = backbone.predict(weights, train, test, seconds=0)
    assert learnt == 64 and predicted.shape == (len(test),)
