"""The course's figures. Each says so when its faces are synthetic.

Functions take the table of `faces.load` and return a `Picture`, which a notebook shows
when it is the last line of a cell.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .dataset import read_photo
from .faces import is_synthetic
from .metrics import mae
from .picture import BLUE, GREY, RED, SYNTHETIC_LABEL, Picture

AGES = (0, 1, 2, 4, 7, 12, 30)  # years: the columns of the grid


def new_figure(faces: pd.DataFrame, width: float, height: float) -> Figure:
    """An empty figure (inches) for these faces, labelled when any of them is synthetic."""
    figure = Figure(figsize=(width, height), dpi=96, layout="constrained")
    if is_synthetic(faces):
        figure.supxlabel(SYNTHETIC_LABEL, x=0.995, ha="right", fontsize=9, style="italic", color=GREY)
    return figure


def faces_by_age(faces: pd.DataFrame, seed: int = 0) -> Picture:
    """Faces in columns of ages, two rows a sex; of different individuals where there are enough."""
    rng = np.random.default_rng(seed)
    columns = list(zip(AGES, AGES[1:]))
    figure = new_figure(faces, 1.5 * len(columns), 6.6)
    axes = figure.subplots(4, len(columns))
    shown: set[str] = set()
    for row, sex in enumerate("ffmm"):
        for column, (low, high) in enumerate(columns):
            axis = axes[row, column]
            _no_ticks(axis)
            if row == 0:
                axis.set_title(f"{low}-{high} years" if high < AGES[-1] else f"over {low}", fontsize=10)
            if column == 0:
                axis.set_ylabel({"f": "female", "m": "male"}[sex], fontsize=10)
            some = faces[(faces["sex"] == sex) & faces["age_years"].between(low, high, inclusive="left")]
            some = _wanted_if_any(some, (some["view"] == 1) & (some["quality"] >= 3))
            some = _wanted_if_any(some, ~some["individual"].isin(shown))
            if len(some):
                chosen = some.iloc[rng.integers(len(some))]
                shown.add(chosen["individual"])
                axis.imshow(read_photo(chosen["photo"], 128))
            else:
                axis.text(0.5, 0.5, "none", ha="center", va="center", color=GREY)
    return Picture(figure)


def ages(faces: pd.DataFrame) -> Picture:
    """How many photos there are in each year of age."""
    figure = new_figure(faces, 7, 2.8)
    axis = figure.subplots()
    axis.hist(faces["age_years"], bins=range(0, int(faces["age_years"].max()) + 2), color=BLUE, edgecolor="white")
    _tidy(axis, "age (years)", "photos")
    return Picture(figure)


def predicted_against_true(faces: pd.DataFrame, predicted) -> Picture:
    """Each photo of `faces` as a point: true age, predicted age (years). Good points lie on the line."""
    true = faces["age_years"].to_numpy()
    figure = new_figure(faces, 5.4, 5)
    axis = figure.subplots()
    end = float(max(true.max(), np.max(predicted))) + 0.5
    axis.plot([0, end], [0, end], color=GREY, linewidth=1)
    for sex, name, colour in (("f", "females", RED), ("m", "males", BLUE), ("unknown", "unknown sex", GREY)):
        of_sex = (faces["sex"] == sex).to_numpy()
        if of_sex.any():
            axis.scatter(true[of_sex], np.asarray(predicted)[of_sex], s=9, alpha=0.5, color=colour, label=name,
                         linewidths=0)
    axis.set(xlim=(0, end), ylim=(0, end), aspect="equal")
    for side in (axis.xaxis, axis.yaxis):
        side.get_major_locator().set_params(integer=True)
    axis.set_title(f"mean absolute error {mae(predicted, true):.2f} years", fontsize=11)
    axis.legend(frameon=False, fontsize=9, markerscale=2)
    _tidy(axis, "true age (years)", "predicted age (years)")
    return Picture(figure)


def error_by_age(faces: pd.DataFrame, table: pd.DataFrame) -> Picture:
    """Bars of `metrics.mae_by_age`: your error beside the published one, in each band of ages."""
    figure = new_figure(faces, 7, 3.2)
    axis = figure.subplots()
    place = np.arange(len(table))
    axis.bar(place - 0.2, table["mae"], 0.4, color=BLUE, label="your model")
    axis.bar(place + 0.2, table["published"], 0.4, color=GREY, label="published (real faces, another model)")
    names = [f"{age}\n{photos} photos" for age, photos in zip(table["age"], table["photos"])]
    axis.set_xticks(place, names, fontsize=8)
    axis.legend(frameon=False, fontsize=9)
    _tidy(axis, "true age (years)", "error (years)")
    return Picture(figure)


def worst(faces: pd.DataFrame, predicted, count: int = 10) -> Picture:
    """The `count` photos whose predicted age is furthest from the true one."""
    predicted = np.asarray(predicted)
    order = np.argsort(-np.abs(predicted - faces["age_years"].to_numpy()))[:count]
    columns = 5
    rows = -(-len(order) // columns)
    figure = new_figure(faces, 1.75 * columns, 2.0 * rows + 0.25)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, index in zip(axes, order):
        row = faces.iloc[index]
        axis.imshow(read_photo(row["photo"], 128))
        axis.set_title(f"true {row['age_years']:.1f}, predicted {predicted[index]:.1f}", fontsize=8.5)
    return Picture(figure)


def row(faces: pd.DataFrame, count: int = 6) -> Picture:
    """The first photos of the table side by side, with individual and day."""
    some = faces.iloc[:count]
    figure = new_figure(faces, 1.6 * count, 2.1)
    for axis, (_, photo) in zip(np.atleast_1d(figure.subplots(1, count)), some.iterrows()):
        _no_ticks(axis)
        axis.imshow(read_photo(photo["photo"], 128))
        axis.set_title(f"{photo['individual']}, {photo['shot']}", fontsize=8.5)
    return Picture(figure)


def saliency(faces: pd.DataFrame, importance: np.ndarray) -> Picture:
    """Photos above, and below them how much each dot counts: `importance`, of shape (photos, height, width)."""
    figure = new_figure(faces, 1.6 * len(faces), 3.7)
    axes = np.reshape(figure.subplots(2, len(faces)), (2, len(faces)))
    for column, (path, weights) in enumerate(zip(faces["photo"], importance)):
        axes[0, column].imshow(read_photo(path, 128))
        axes[1, column].imshow(weights, cmap="inferno", vmax=np.quantile(weights, 0.99))
    for axis in axes.ravel():
        _no_ticks(axis)
    return Picture(figure)


def bars(values: dict[str, float], label: str) -> Picture:
    """One horizontal bar a name."""
    figure = Figure(figsize=(6.4, 0.5 + 0.4 * len(values)), dpi=96, layout="constrained")
    axis = figure.subplots()
    drawn = axis.barh(list(values), list(values.values()), color=BLUE)
    axis.bar_label(drawn, fmt="{:,.0f}", padding=3, fontsize=9)
    axis.invert_yaxis()
    _tidy(axis, label, "")
    return Picture(figure)


def speed(sizes, seconds: dict) -> Picture:
    """Time (seconds, one list a name) against the size of the work, both axes logarithmic."""
    figure = Figure(figsize=(6.4, 3), dpi=96, layout="constrained")
    axis = figure.subplots()
    for (name, values), colour in zip(seconds.items(), (BLUE, RED, GREY)):
        axis.plot(sizes, [1000 * value for value in values], marker="o", markersize=4, color=colour, label=name)
    axis.set(xscale="log", yscale="log")
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.yaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.legend(frameon=False, fontsize=9)
    _tidy(axis, "side of the square of numbers", "time (milliseconds)")
    return Picture(figure)


def _wanted_if_any(rows: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """The wanted rows, or all of them where none is wanted."""
    return rows[wanted] if wanted.any() else rows


def _no_ticks(axis) -> None:
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set_visible(False)


def _tidy(axis, x: str, y: str) -> None:
    axis.set(xlabel=x, ylabel=y)
    axis.spines[["top", "right"]].set_visible(False)
