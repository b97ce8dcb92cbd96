"""Who was photographed, when: the rows of a synthetic set.

Ages follow the published distribution (`published.PHOTOS_BY_YEAR`) whatever the size of
the set. As in the field, an individual is met on some days only, and several photos are
taken each time; a few individuals have no known sex, and a few dates of birth are later
than the photo.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from ..published import PHOTOS_BY_YEAR

DAYS_PER_YEAR = 365.25
PHOTOS_PER_MEETING = 5           # on average
WANDER_YEARS = 0.9               # how far an individual's ages spread around their middle
UNKNOWN_SEX = 0.02               # of the individuals
BAD_BIRTH = 0.002                # of the photos: taken "before" the birth
LAST_DAY = date(2021, 12, 31)
FRONTAL = 0.91                   # of the photos, as published
QUALITY = (0.03, 0.12, 0.45, 0.40)  # 85 % at 2 or more, as published


@dataclass(frozen=True)
class Row:
    """One photo. `sex` is the label ("f", "m" or "" when unknown), `drawn_sex` what is drawn."""

    individual: int   # 0-based
    name: str         # of the folder and in the CSV
    photo: str        # file name
    sex: str
    drawn_sex: str
    born: date
    shot: date
    view: int
    quality: int
    age_years: float  # what is drawn; differs from shot - born where the birth is wrong


def age_at(quantile: np.ndarray) -> np.ndarray:
    """Ages in years at these quantiles (0 to 1) of the published distribution."""
    photos = np.array(PHOTOS_BY_YEAR, float)
    edges = np.concatenate([[0], np.cumsum(photos)]) / photos.sum()
    return np.interp(quantile, edges, np.arange(len(photos) + 1))


def draw_rows(photos: int, individuals: int, seed: int) -> list[Row]:
    """The rows of a set of `photos` photos of `individuals` individuals, always the same for a seed."""
    rng = np.random.default_rng([seed, 0])
    meeting_owner, meeting_size = _meetings(photos, individuals, rng)
    ages = _meeting_ages(meeting_owner, meeting_size, individuals, rng)
    people = _people(ages, meeting_owner, individuals, rng)
    rows, taken = [], {}
    for owner, size, age in zip(meeting_owner, meeting_size, ages):
        name, sex, drawn, born = people[owner]
        shot = born + timedelta(days=round(float(age) * DAYS_PER_YEAR))
        for _ in range(size):
            wrong = age < 0.3 and rng.random() < BAD_BIRTH / 0.12
            day = born - timedelta(days=int(rng.integers(1, 10))) if wrong else shot
            number = taken[name, day] = taken.get((name, day), 0) + 1
            photo = f"{day:%Y%m%d}_id{name}_{_class(sex, age)}_({number})_ORIGINAL.jpg"
            view = 1 if rng.random() < FRONTAL else 2
            quality = int(rng.choice(4, p=QUALITY))
            rows.append(Row(int(owner), name, photo, sex, drawn, born, day, view, quality, float(age)))
    return sorted(rows, key=lambda row: (int(row.name), row.shot, row.photo))


def _meetings(photos, individuals, rng):
    """Share the photos out: (owner, size) of every meeting, each individual at least once."""
    share = rng.lognormal(0, 0.6, individuals)
    counts = 1 + np.floor((photos - individuals) * share / share.sum()).astype(int)
    counts[np.argsort(-share)[: photos - counts.sum()]] += 1
    owners, sizes = [], []
    for owner, left in enumerate(counts):
        while left > 0:
            size = min(left, 1 + rng.poisson(PHOTOS_PER_MEETING - 1))
            owners.append(owner)
            sizes.append(int(size))
            left -= size
    return np.array(owners), np.array(sizes)


def _meeting_ages(owner, size, individuals, rng) -> np.ndarray:
    """An age (years) for each meeting: close together for an individual, as published overall."""
    photos = np.bincount(owner, size, individuals)
    line = rng.permutation(individuals)  # from the youngest to the oldest
    middle = np.empty(individuals)
    middle[line] = age_at((np.cumsum(photos[line]) - photos[line] / 2) / photos.sum())
    wanted = middle[owner] + rng.normal(0, WANDER_YEARS, len(owner))
    order = np.argsort(wanted, kind="stable")
    before = np.cumsum(size[order]) - size[order] / 2
    ages = np.empty(len(owner))
    ages[order] = age_at(before / size.sum())
    return ages


def _people(ages, owner, individuals, rng) -> list:
    """(name, labelled sex, drawn sex, born) of each individual."""
    youngest = np.array([ages[owner == i].min() for i in range(individuals)])
    oldest = np.array([ages[owner == i].max() for i in range(individuals)])
    unknown = set(np.argsort(oldest)[: max(1, round(UNKNOWN_SEX * individuals))].tolist())
    names = rng.permutation(np.arange(1, 2 * individuals + 1))[:individuals]
    people = []
    for i in range(individuals):
        # Young males are as frequent as females; older ones leave the group.
        drawn = "m" if rng.random() < (0.5 if youngest[i] < 6 else 0.38) else "f"
        latest = LAST_DAY - timedelta(days=int(oldest[i] * DAYS_PER_YEAR) + 1)
        born = latest - timedelta(days=int(rng.integers(0, 1 + int(max(1.0, 8 - oldest[i]) * 365))))
        people.append((str(names[i]), "" if i in unknown else drawn, drawn, born))
    return people


def _class(sex: str, age_years: float) -> str:
    """The class in a photo's name, such as "feminf" (female infant)."""
    stage = next(name for limit, name in ((1, "inf"), (4, "juv"), (7, "ado"), (99, "adu")) if age_years < limit)
    return {"f": "fem", "m": "mal", "": "ind"}[sex] + stage
