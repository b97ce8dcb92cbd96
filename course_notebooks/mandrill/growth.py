"""How the mass of a female mandrill grows: a law, made-up weighings that follow it, and their figure.

The law is Gompertz's, for animals since Winsor (1932, PNAS 18:1): each kilogram grows by RATE * ln(ADULT / mass) a
year. Its numbers are round ones near the published: females have their adult mass at 7 years, a 3.4th of the males'
(Setchell, Lee, Wickings & Dixson 2001, doi 10.1002/ajpa.1091), who weigh 30 to 35 kg (Wickings & Dixson 1992, on the
colony of Franceville). With RATE and BIRTH_KG, which nobody published, the law reaches 95 % of ADULT_KG at 7 years.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from .plots import BLUE, GREY, RED, Picture

ADULT_KG = 9.5
BIRTH_KG = 0.7
RATE = 0.55      # a year
END_YEARS = 12
LABEL = "made-up weighings"


@dataclass(frozen=True)
class Weighings:
    """Ages in years and masses in kg, arrays of the same length."""

    ages: np.ndarray
    masses: np.ndarray

    def __str__(self) -> str:
        return "\n".join(f"{age:4.1f} years  {mass:4.1f} kg" for age, mass in zip(self.ages, self.masses))


def mass_at(ages) -> np.ndarray:
    """Mass in kg at these ages in years: the solution of the law."""
    return ADULT_KG * np.exp(np.log(BIRTH_KG / ADULT_KG) * np.exp(-RATE * np.asarray(ages, float)))


def weigh(count: int = 8, first: float = 0.5, last: float = 3.0, error: float = 0.05, seed: int = 0) -> Weighings:
    """Weigh `count` times between the ages `first` and `last`, on a scale wrong by the share `error`."""
    if count < 2 or not 0 <= first < last <= END_YEARS:
        raise ValueError(f"count={count}, first={first}, last={last}: expected at least 2 weighings, at ages that rise "
                         f"from 0 to {END_YEARS} years at most")
    ages = np.linspace(first, last, count)
    return Weighings(ages, mass_at(ages) * np.exp(error * np.random.default_rng(seed).standard_normal(count)))


def errors(weighings: Weighings, predict) -> tuple[float, float]:
    """Mean error in kg of `predict` (ages to masses): at the ages that were weighed, and at all other ages."""
    ages = np.linspace(0, END_YEARS, 20 * END_YEARS + 1)
    wrong = np.abs(predict(ages) - mass_at(ages))
    seen = (ages >= weighings.ages.min()) & (ages <= weighings.ages.max())
    return float(wrong[seen].mean()), float(wrong[~seen].mean())


def picture(weighings: Weighings, **predictions) -> Picture:
    """The weighings, the true curve and up to two predicted ones (functions of ages, by name; `_` is a space)."""
    figure = Figure(figsize=(7, 3.6), dpi=96, layout="constrained")
    figure.supxlabel(LABEL, x=0.995, ha="right", fontsize=9, style="italic", color=GREY)
    axis = figure.subplots()
    ages = np.linspace(0, END_YEARS, 20 * END_YEARS + 1)
    axis.axvspan(weighings.ages.min(), weighings.ages.max(), color=GREY, alpha=0.12, linewidth=0)
    axis.plot(ages, mass_at(ages), color=GREY, linewidth=1.5, linestyle="--", label="truth")
    for (name, predict), colour in zip(predictions.items(), (RED, BLUE)):
        axis.plot(ages, predict(ages), color=colour, linewidth=2, label=name.replace("_", " "))
    axis.scatter(weighings.ages, weighings.masses, color="black", s=22, zorder=3, label="weighings")
    axis.set(xlim=(0, END_YEARS), ylim=(0, 1.5 * ADULT_KG), xlabel="age (years)", ylabel="mass (kg)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)
    return Picture(figure)
