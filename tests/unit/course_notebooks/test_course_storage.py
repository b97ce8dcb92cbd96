"""Tar and HDF5, the pretended GPU, and the memory that a process has."""

import time

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

import h5py
import numpy as np
import torch
from mandrill import memory, plots, storage
from mandrill.dataset import read_photo
from mandrill.pretend import PretendGPU


def test_all_ways_give_the_same_photos(photos, tmp_path):
    paths = list(photos["photo"].iloc[:70])
    wanted = np.stack([read_photo(path, 32) for path in paths])
    tar = storage.write_tar(paths, tmp_path / "photos.tar")
    plain = storage.write_hdf5(paths, tmp_path / "photos.h5", size=32)
    packed = storage.write_hdf5(paths, tmp_path / "packed.h5", size=32, gzip=True)
    assert packed.stat().st_size < plain.stat().st_size
    for found in (storage.read_files(paths, 32), storage.read_tar(tar, 32), storage.read_hdf5(plain),
                  storage.read_hdf5(packed, batch=32)):
        assert np.array_equal(np.stack(list(found)), wanted)
    shuffled = list(storage.read_hdf5(plain, seed=1))
    assert not np.array_equal(np.stack(shuffled), wanted)
    assert sorted(map(bytes, shuffled)) == sorted(map(bytes, wanted))


def test_a_watched_table_counts_the_lines_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["lines"] = np.arange(20).reshape(10, 2)
        watched = storage.Watched(file["lines"])
        assert watched[3].tolist() == [6, 7] and watched[[1, 4]].shape == (2, 2) and len(watched[2:6]) == 4
        assert watched.read == 7 and len(watched) == 10


def test_a_pretended_gpu_returns_at_once_and_takes_its_time():
    gpu = PretendGPU(seconds=0.1, first=0.5, slow=(2,))
    for least, most in ((0.5, 0.9), (0.1, 0.4), (0.5, 0.9), (0.1, 0.4)):
        begin = time.perf_counter()
        gpu.work()
        assert time.perf_counter() - begin < 0.09
        gpu.wait()
        assert least <= time.perf_counter() - begin < most
    assert gpu.pieces == 4


def test_memory_grows_with_a_tensor():
    before = memory.used_mb(torch.device("cpu"))
    kept = torch.ones(20_000_000)
    assert 60 < memory.used_mb(torch.device("cpu")) - before < 120
    del kept


def test_figures_are_pictures(photos):
    for picture in (plots.row(photos, 3), plots.bars({"a": 1.0, "b": 20.0}, "photos a second"),
                    plots.speed([64, 128], {"CPU": [0.001, 0.002], "GPU": [0.001, 0.001]})):
        assert picture._repr_png_().startswith(b"\x89PNG")
    assert plots.SYNTHETIC_LABEL in [text.get_text() for text in plots.row(photos, 3).figure.texts]
