"""Figures of faces that a network made. Each says so, and what the network had learnt from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .faces import is_synthetic
from .plots import BLUE, GREY, SYNTHETIC_LABEL, Picture


def grid(faces: pd.DataFrame, pictures: np.ndarray, rows: Sequence[str] = (), columns: Sequence[str] = (),
         how: str = "made by a network") -> Picture:
    """Pictures made from `faces`: floats of shape (rows, columns, height, width, 3) in 0 to 1.

    `rows` and `columns` are the names beside and above them, if any; `how` they were made stands below.
    """
    down, across = pictures.shape[:2]
    figure = _figure(faces, 0.3 + 1.1 * across, 0.4 + 1.1 * down, how)
    axes = np.reshape(figure.subplots(down, across), (down, across))
    for axis, picture in zip(axes.ravel(), pictures.reshape(-1, *pictures.shape[2:])):
        axis.imshow(np.clip(picture, 0, 1), interpolation="bilinear")
        axis.set(xticks=[], yticks=[])
        for side in axis.spines.values():
            side.set_visible(False)
    for axis, name in zip(axes[:, 0], rows):
        axis.set_ylabel(name, fontsize=9)
    for axis, name in zip(axes[0], columns):
        axis.set_title(name, fontsize=9)
    return Picture(figure)


def judged(faces: pd.DataFrame, asked, guessed) -> Picture:
    """Each generated face as a point: the age it was asked for, the age that a judge sees in it (years)."""
    figure = _figure(faces, 5.2, 3.6, "made by a network")
    axis = figure.subplots()
    end = float(max(np.max(asked), np.max(guessed))) + 0.5
    axis.plot([0, end], [0, end], color=GREY, linewidth=1)
    axis.scatter(asked, guessed, s=12, alpha=0.6, color=BLUE, linewidths=0)
    axis.set(xlim=(0, end), ylim=(0, end), xlabel="age asked for (years)", ylabel="age that the judge sees (years)")
    axis.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def _figure(faces: pd.DataFrame, width: float, height: float, how: str) -> Figure:
    figure = Figure(figsize=(width, height), dpi=96, layout="constrained")
    label = f"{how}, from {SYNTHETIC_LABEL if is_synthetic(faces) else 'photos'}"
    figure.supxlabel(label, x=0.995, ha="right", fontsize=9, style="italic", color=GREY)
    return figure
