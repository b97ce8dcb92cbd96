"""The same photos as many small files, as one tar and as one HDF5 file, to compare reading them."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from .dataset import read_photo

CHUNK = 64  # photos that a compressed HDF5 file packs together


class Watched:
    """An HDF5 table that counts the lines that are read from it, in `read`."""

    def __init__(self, table: h5py.Dataset):
        self.table, self.shape, self.dtype, self.read = table, table.shape, table.dtype, 0

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, wanted) -> np.ndarray:
        lines = self.table[wanted]
        self.read += 1 if lines.ndim < len(self.shape) else len(lines)
        return lines


def write_tar(paths: Iterable[str], place: str | Path) -> Path:
    """Put the files into a new tar, one after the other, named 000000.jpg, 000001.jpg, ..."""
    with tarfile.open(place, "w") as tar:
        for number, path in enumerate(paths):
            tar.add(path, arcname=f"{number:06}.jpg")
    return Path(place)


def write_hdf5(paths: list[str], place: str | Path, size: int = 96, gzip: bool = False) -> Path:
    """Decode the photos into a new HDF5 file: its `photos` is uint8 of shape (photos, size, size, 3).

    `gzip` compresses `CHUNK` photos together, which makes a small file that is slow to read at random.
    """
    shape = (len(paths), size, size, 3)
    packed = {"chunks": (min(CHUNK, len(paths)), *shape[1:]), "compression": "gzip"} if gzip else {}
    with h5py.File(place, "w") as file:
        photos = file.create_dataset("photos", shape, "uint8", **packed)
        for first in range(0, len(paths), CHUNK):
            some = paths[first:first + CHUNK]
            photos[first:first + len(some)] = np.stack([read_photo(path, size) for path in some])
    return Path(place)


def read_files(paths: Iterable[str], size: int = 96) -> Iterator[np.ndarray]:
    """Each photo, decoded: one file to open for each."""
    for path in paths:
        yield read_photo(path, size)


def read_tar(place: str | Path, size: int = 96) -> Iterator[np.ndarray]:
    """Each photo of a tar, decoded, in the tar's order: one file to open for all."""
    with tarfile.open(place) as tar:
        for member in tar:
            picture = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")
            yield np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def read_hdf5(place: str | Path, batch: int = 1, seed: int | None = None) -> Iterator[np.ndarray]:
    """Each photo of an HDF5 file, read `batch` at a time; with a `seed` the batches come in random order."""
    with h5py.File(place) as file:
        photos = file["photos"]
        firsts = np.arange(0, len(photos), batch)
        if seed is not None:
            np.random.default_rng(seed).shuffle(firsts)
        for first in firsts:
            yield from photos[first:first + batch]
