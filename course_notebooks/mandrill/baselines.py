"""What a model must beat: predictions that need no network.

Each function takes a table to learn from and a table to predict (from `faces.load`), and
returns predicted ages in years, a float array of shape (photos to predict,).
"""

import numpy as np
import pandas as pd

from .dataset import read_photo


def predict_mean(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """The mean age of `train`, whatever the photo."""
    return np.full(len(test), train["age_years"].mean())


def linear(train: pd.DataFrame, test: pd.DataFrame, side: int = 12, penalty: float = 3.0) -> np.ndarray:
    """A weighted sum of the pixels of a small thumbnail (ridge regression).

    `side` is the thumbnail's side in pixels; `penalty` keeps the weights small. Ages below
    0 are set to 0.
    """
    return ridge(thumbnails(train, side), train["age_years"].to_numpy(), thumbnails(test, side), penalty)


def ridge(known: np.ndarray, ages: np.ndarray, new: np.ndarray, penalty: float) -> np.ndarray:
    """Ages of `new`: a weighted sum of its columns, the weights learnt from `known`, one row a photo in both.

    `penalty` keeps the weights small. Ages below 0 are set to 0.
    """
    centre, middle = known.mean(axis=0), ages.mean()
    spread = known.std(axis=0) + 1e-6
    x = (known - centre) / spread
    weights = np.linalg.solve(x.T @ x + penalty * len(x) / 100 * np.eye(x.shape[1]), x.T @ (ages - middle))
    return np.clip((new - centre) / spread @ weights + middle, 0, None)


def most_similar(train: pd.DataFrame, test: pd.DataFrame, side: int = 16) -> np.ndarray:
    """The age of the photo of `train` whose thumbnail is closest: learning by heart."""
    known, new = _normalise(thumbnails(train, side)), _normalise(thumbnails(test, side))
    closest = np.argmax(new @ known.T, axis=1)
    return train["age_years"].to_numpy()[closest]


def thumbnails(faces: pd.DataFrame, side: int) -> np.ndarray:
    """The photos reduced to `side` x `side` pixels: float64 of shape (photos, side * side * 3) in 0 to 1."""
    return np.stack([read_photo(path, side).ravel() for path in faces["photo"]]) / 255.0


def _normalise(pixels: np.ndarray) -> np.ndarray:
    """Brightness and contrast taken out, so that the light of the day matters less."""
    pixels = pixels - pixels.mean(axis=1, keepdims=True)
    return pixels / (np.linalg.norm(pixels, axis=1, keepdims=True) + 1e-9)
