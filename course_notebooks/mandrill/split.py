"""Divide the photos into those to learn from and those to be judged on.

Both functions take the table of `faces.load`, and return (train, test) tables. The same
seed gives the same split.
"""

import numpy as np
import pandas as pd


def by_photo(faces: pd.DataFrame, test: float = 0.2, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a share `test` of the photos, whoever is on them. An individual may be on both sides."""
    _check(test, len(faces), "photos")
    order = np.random.default_rng(seed).permutation(len(faces))
    kept = min(max(1, round(test * len(faces))), len(faces) - 1)
    return faces.iloc[np.sort(order[kept:])], faces.iloc[np.sort(order[:kept])]


def by_individual(faces: pd.DataFrame, test: float = 0.2, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a share `test` of the individuals, with all their photos; nobody is on both sides.

    Individuals are drawn among those of a similar age, so that young and old are found
    on both sides.
    """
    ages = faces.groupby("individual")["age_years"].median()
    ages = ages.sort_index().sort_values(kind="stable")
    _check(test, len(ages), "individuals")
    rng = np.random.default_rng(seed)
    count = min(max(1, round(test * len(ages))), len(ages) - 1)
    chosen = [rng.choice(group) for group in np.array_split(ages.index.to_numpy(dtype=object), count)]
    judged = faces["individual"].isin(chosen)
    return faces[~judged], faces[judged]


def _check(test: float, count: int, what: str) -> None:
    if not 0 < test < 1:
        raise ValueError(f"test={test}: expected a share between 0 and 1, such as 0.2")
    if count < 2:
        raise ValueError(f"only {count} {what}: a split needs at least 2")
