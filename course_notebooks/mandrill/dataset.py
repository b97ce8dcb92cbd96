"""Feed photos to a model batch by batch, so that memory does not grow with the data.

Photos travel as bytes (uint8, a quarter of the size of floats) and become floats only in
the batch, on the device that computes.
"""

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class PhotoError(Exception):
    """A photo of the table can't be read; the message names it."""


def read_photo(path: str, size: int) -> np.ndarray:
    """The photo as a uint8 array of shape (size, size, 3), RGB."""
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (size, size))  # large JPEGs are decoded smaller, which is quicker
            picture = picture.convert("RGB")
    except OSError as error:
        raise PhotoError(f"photo {path} can't be read: {error}") from None
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(picture)


class FaceDataset(Dataset):
    """Photos and ages of a table from `faces.load`.

    An item is (photo, age): a uint8 tensor of shape (3, size, size), and a float32 age in
    years. Photos are read when they are asked for.
    """

    def __init__(self, faces: pd.DataFrame, size: int = 64):
        self.paths = faces["photo"].tolist()
        self.ages = torch.tensor(faces["age_years"].to_numpy(), dtype=torch.float32)
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        photo = torch.from_numpy(read_photo(self.paths[index], self.size).copy())
        return photo.permute(2, 0, 1), self.ages[index]


class Batches:
    """Go through a table of photos once, in batches ready for a model.

    Yields (photos, ages) on `device`: float32 of shape (n, 3, size, size) in 0 to 1, and
    float32 of shape (n,) in years. With `learning=True` the order is drawn anew each time
    and each batch is randomly mirrored, shifted and relit, so that a model can't learn
    the photos by heart.
    """

    def __init__(self, faces: pd.DataFrame, size: int = 64, batch: int = 64, device="cpu",
                 learning: bool = False, seed: int = 0, workers: int = 0):
        self.learning, self.device = learning, torch.device(device)
        self.random = torch.Generator().manual_seed(seed)
        self.loader = DataLoader(
            FaceDataset(faces, size), batch_size=batch, shuffle=learning, generator=self.random,
            num_workers=workers, persistent_workers=workers > 0, pin_memory=self.device.type == "cuda",
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self):
        for photos, ages in self.loader:
            photos = photos.to(self.device, non_blocking=True).float().div_(255)
            if self.learning:
                photos = self._vary(photos)
            yield photos, ages.to(self.device, non_blocking=True)

    def _vary(self, photos: torch.Tensor) -> torch.Tensor:
        """Mirror half of the photos; shift them all by the same few pixels; relight and tint each a little."""
        count, reach = len(photos), max(1, photos.shape[-1] // 20)
        mirrored = (torch.rand(count, generator=self.random) < 0.5).to(photos.device)
        photos = torch.where(mirrored[:, None, None, None], photos.flip(-1), photos)
        down, right = torch.randint(-reach, reach + 1, (2,), generator=self.random).tolist()
        photos = photos.roll((down, right), (-2, -1))
        light = 1 + 0.15 * torch.randn(count, 1, 1, 1, generator=self.random)
        colour = 1 + 0.07 * torch.randn(count, 3, 1, 1, generator=self.random)
        return (photos * (light * colour).to(photos.device)).clamp_(0, 1)
