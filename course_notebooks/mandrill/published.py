"""What was published on the Mandrillus Face Database, to compare with.

Source of every figure: the predictions published with the database (Zenodo record
7467318; Dryad, doi 10.5061/dryad.gtht76hqb), from which the errors below were computed
again. Protocol: five folds by individual, frontal photos, a date of birth known within 15
days, quality of at least 1 in validation. Model: DINOv2-large at 224 pixels.
"""

SOURCE = "Mandrillus Face Database, Zenodo 7467318 (doi 10.5061/dryad.gtht76hqb)"

MAE_YEARS = 0.594          # ages 0 to 30, 25,503 photos of 283 individuals
PREDICT_MEAN_YEARS = 3.42  # the error of always predicting the mean age, same photos

BANDS = (0, 1, 2, 3, 5, 8, 12, 16, float("inf"))  # years; the last band has no upper end
MAE_BY_BAND = (0.11, 0.24, 0.38, 0.46, 0.70, 1.59, 2.34, 2.29)  # years, one a band

# Photos in each year of age from 0 (25,503 photos, 283 individuals).
PHOTOS_BY_YEAR = (6664, 3670, 1805, 2402, 2375, 2583, 1593, 760, 704, 464, 302, 170,
                  56, 126, 174, 208, 232, 232, 199, 372, 182, 150, 51, 29)


# (ages in years, photos, individuals, error in years, error of predicting the mean)
RESULTS = (
    ("0-3", 12139, 231, 0.127, 0.69),
    ("0-12", 23492, 277, 0.368, 2.34),
    ("0-30", 25503, 283, MAE_YEARS, PREDICT_MEAN_YEARS),
)


def band_names() -> list[str]:
    """The names of `BANDS`: "<1", "1-2", ... "16+" (years)."""
    middle = [f"{low}-{high}" for low, high in zip(BANDS[1:-2], BANDS[2:-1])]
    return [f"<{BANDS[1]}", *middle, f"{BANDS[-2]}+"]
