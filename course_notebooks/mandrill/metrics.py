"""How far predictions are from the truth. Ages and errors are in years."""

import numpy as np
import pandas as pd

from .published import BANDS, MAE_BY_BAND, band_names


def mae(predicted, true) -> float:
    """Mean absolute error in years; ValueError when the lengths differ or nothing is given."""
    predicted, true = _pair(predicted, true)
    return float(np.abs(predicted - true).mean())


def mae_by_age(predicted, true) -> pd.DataFrame:
    """The error in each published band of true ages.

    One row a band: age (its name), photos (how many), mae (years, nan for an empty
    band), published (the published error for that band, years).
    """
    predicted, true = _pair(predicted, true)
    band = np.digitize(true, BANDS[1:-1])
    errors = np.abs(predicted - true)
    rows = [
        (name, int((band == i).sum()), float(errors[band == i].mean()) if (band == i).any() else float("nan"), known)
        for i, (name, known) in enumerate(zip(band_names(), MAE_BY_BAND))
    ]
    return pd.DataFrame(rows, columns=["age", "photos", "mae", "published"])


def _pair(predicted, true) -> tuple[np.ndarray, np.ndarray]:
    predicted, true = np.asarray(predicted, float).ravel(), np.asarray(true, float).ravel()
    if len(predicted) != len(true) or not len(true):
        raise ValueError(f"{len(predicted)} predictions for {len(true)} true ages: expected as many, and at least one")
    return predicted, true
