"""What a synthetic mandrill looks like: its own traits, and how they follow age and sex.

Two steps, so that a person is recognisable for life yet ages like the others:

- `Traits`: drawn once for an individual (ridge pattern, colours, spots, ears);
- `Look`: the traits at one age, as the numbers that `face.py` paints.

Lengths are in face units: the face spans about -1 to 1 on both axes, y points down.
Colours are RGB in 0 to 1. Nothing here was fitted to real mandrills: growth and
colour curves only follow what a visitor would notice (the muzzle grows, males turn red
and blue, the old turn grey).
"""

from dataclasses import dataclass, field

import numpy as np

GROOVES = 7  # the most grooves that a side of the muzzle may show


@dataclass
class Traits:
    """What one individual keeps for life."""

    sex: str                     # "f" or "m": how it is drawn, even where its label is unknown
    tempo: float                 # how fast it grows up; 1 is typical
    muzzle: float                # muzzle length, a factor
    face_width: float            # a factor
    nose_width: float            # a factor
    eye_gap: float               # a factor
    eye_size: float              # a factor
    iris: np.ndarray             # colour
    red: np.ndarray              # the nose's own red
    blue: np.ndarray             # the ridges' own blue
    fur: np.ndarray              # crown
    cheek: np.ndarray            # cheek hair
    beard: np.ndarray
    skin: np.ndarray             # around the eyes
    grooves: int                 # on each side of the muzzle
    groove_depth: np.ndarray     # (2, GROOVES), left and right
    groove_bend: list      # (2,)
    ear_size: list         # (2,) factors
    ear_height: float
    ear_notch: list        # (2,) angle of a torn edge in radians, nan for none
    brow: float                  # how thick the brow is, a factor
    crest: float                 # how pointed the crown is
    stripe: float                # a dark (-) or pale (+) stripe on the crown
    spots: list = field(repr=False)  # of (along the muzzle 0-1, across -1 to 1, radius, darkness)
    greying: float = 1.0         # how fast it turns grey, a factor


def draw_traits(rng: np.random.Generator, sex: str) -> Traits:
    """Draw an individual. The same generator state gives the same individual."""
    def near(value, spread):
        return np.clip(np.asarray(value) + rng.normal(0, spread, np.shape(value)), 0.02, 1)

    male = sex == "m"
    notch = np.where(rng.random(2) < 0.25, rng.uniform(-1.2, 1.2, 2), np.nan)
    spots = np.column_stack([
        rng.uniform(0.05, 0.95, 9), rng.uniform(-1.25, 1.25, 9),
        rng.uniform(0.012, 0.034, 9), rng.choice([-0.35, 0.55, 0.75], 9),
    ])[: rng.integers(2, 10)]
    ochre = rng.uniform(0, 1)
    pale = rng.normal(0, 0.05)  # some are paler than others at any age
    return Traits(
        sex=sex,
        tempo=float(np.exp(rng.normal(0, 0.07))),
        muzzle=float(np.clip(rng.normal(1, 0.05), 0.88, 1.12)),
        face_width=float(np.clip(rng.normal(1, 0.06), 0.85, 1.15)),
        nose_width=float(np.clip(rng.normal(1, 0.16), 0.65, 1.4)),
        eye_gap=float(np.clip(rng.normal(1, 0.09), 0.8, 1.2)),
        eye_size=float(np.clip(rng.normal(1, 0.08), 0.8, 1.2)),
        iris=near((0.62, 0.36, 0.10), 0.07),
        red=near((0.86, 0.13, 0.12) if male else (0.80, 0.32, 0.30), 0.05),
        blue=near((0.26, 0.44, 0.88) if male else (0.42, 0.52, 0.78), 0.06),
        fur=near(np.array([0.37, 0.31, 0.18]) + pale, 0.032),
        cheek=near(np.array([0.62, 0.56, 0.45]) + pale, 0.05),
        beard=(1 - ochre) * np.array([0.93, 0.68, 0.22]) + ochre * np.array([0.78, 0.66, 0.47]),
        skin=near((0.27, 0.21, 0.22), 0.04),
        grooves=int(rng.integers(3, GROOVES + 1)),
        groove_depth=rng.uniform(0.25, 1.0, (2, GROOVES)),
        groove_bend=rng.uniform(-0.25, 0.35, 2).tolist(),
        ear_size=(np.clip(rng.normal(1, 0.14), 0.7, 1.35) * rng.uniform(0.9, 1.1, 2)).tolist(),
        ear_height=float(rng.uniform(-0.10, 0.12)),
        ear_notch=notch.tolist(),
        brow=float(rng.uniform(0.75, 1.35)),
        crest=float(rng.uniform(0, 1)),
        stripe=float(rng.normal(0, 0.10)),
        spots=spots.tolist(),
        greying=float(np.exp(rng.normal(0, 0.15))),
    )


@dataclass
class Look:
    """An individual at one age: numbers ready to be painted."""

    traits: Traits
    head: float          # the head's size in the frame, a factor
    eye_line: float      # y of the eyes
    muzzle_length: float
    muzzle_width: float  # half width at the swelling
    eye_radius: float
    ridge: float         # 0 smooth to 1 deep grooves
    red: np.ndarray
    blue: np.ndarray
    fur: np.ndarray
    cheek: np.ndarray
    skin: np.ndarray
    ear: np.ndarray      # colour
    beard: float         # 0 none to 1 full
    brow: float          # thickness
    wrinkles: float      # 0 to 1


def _rise(age: float, middle: float, width: float) -> float:
    """From 0 to 1 around the age `middle` (years)."""
    return float(1 / (1 + np.exp(-(age - middle) / width)))


def _mix(a, b, t: float) -> np.ndarray:
    return (1 - t) * np.asarray(a) + t * np.asarray(b)


def look_at(traits: Traits, age_years: float) -> Look:
    """The individual `traits` at `age_years` (years; a negative age looks newborn)."""
    male = traits.sex == "m"
    age = max(age_years, 0.0)
    grown = age * traits.tempo
    # Growth: quick at first, and for longer in males.
    growth = 1 - np.exp(-grown / (4.6 if male else 3.4))
    baby = float(np.exp(-grown / 0.75))
    # Colour comes at puberty and fades a little in the old.
    colour = _rise(grown, 5.6, 1.1) if male else 0.55 * _rise(grown, 4.2, 1.1)
    fade = 0.30 * _rise(age, 15.5, 1.8)
    colour = (0.10 + 0.90 * colour) * (1 - fade)
    grey = float(np.clip((age - 6) / 15 * traits.greying, 0, 1))

    pink, dark = np.array([0.74, 0.55, 0.50]), np.array([0.36, 0.27, 0.28])
    young = _mix(dark, pink, min(1.0, baby + 0.15))
    fur = _mix(traits.fur, (0.12, 0.10, 0.09), 0.85 * baby)
    return Look(
        traits=traits,
        head=0.86 + 0.14 * growth,
        eye_line=-0.14 - 0.22 * growth,
        muzzle_length=(0.36 + (0.72 if male else 0.52) * growth) * traits.muzzle,
        muzzle_width=(0.185 + (0.135 if male else 0.075) * growth) * traits.face_width,
        eye_radius=(0.088 - 0.034 * growth) * traits.eye_size,
        ridge=float(np.clip((1.0 if male else 0.6) * growth**1.6, 0.0, 1)),
        red=_mix(young, traits.red, colour),
        blue=_mix(_mix(young, (0.40, 0.42, 0.55), 0.5 * growth), traits.blue, colour),
        fur=_mix(fur, (0.60, 0.59, 0.58), 0.65 * grey),
        cheek=_mix(_mix(traits.cheek, (0.50, 0.42, 0.36), 0.6 * baby), (0.80, 0.80, 0.79), 0.65 * grey),
        skin=_mix(_mix(traits.skin, pink, 0.85 * baby), (0.45, 0.41, 0.42), 0.4 * grey),
        ear=_mix((0.42, 0.32, 0.31), (0.80, 0.57, 0.52), baby),
        beard=float(np.clip(0.08 + growth * (1.0 if male else 0.7), 0, 1)),
        brow=(0.05 + 0.05 * growth * (1.25 if male else 1)) * traits.brow,
        wrinkles=float(np.clip((age - 5) / 13, 0, 1)),
    )
