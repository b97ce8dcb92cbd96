"""Wrong answers to 03_regression."""

from .wrong_answers import wrong

BAND = """def error_between(predicted, true, low, high):
    wrong_by = [abs(guess - age) for guess, age in zip(predicted, true) if {which}]
    return {result}
"""
MEAN_OR_NONE = "sum(wrong_by) / len(wrong_by) if wrong_by else None"


WRONG = [
    # Too old and too young cancel out.
    wrong("mae", "def mean_absolute_error(predicted, true):\n    return abs(sum(predicted) - sum(true)) / len(true)",
          hidden="mae-check"),
    # The sum.
    wrong("mae", "def mean_absolute_error(predicted, true):\n"
          "    return sum(abs(p - t) for p, t in zip(predicted, true))", shown="mae-check"),
    # Looks at the exam.
    wrong("mean", "def always_the_mean(learnt_ages, exam_ages):\n"
          "    return [sum(exam_ages) / len(exam_ages)] * len(exam_ages)", hidden="mean-check"),
    # As many as were learnt.
    wrong("mean", "def always_the_mean(learnt_ages, exam_ages):\n"
          "    return [sum(learnt_ages) / len(learnt_ages)] * len(learnt_ages)", shown="mean-check"),
    # Best on what it knows by heart.
    wrong("epoch", "def best_epoch(learning, unseen):\n    return learning.index(min(learning)) + 1",
          shown="epoch-check"),
    # The last of two.
    wrong("epoch", "def best_epoch(learning, unseen):\n    return len(unseen) - unseen[::-1].index(min(unseen))",
          hidden="epoch-check"),
    # Counts from 0.
    wrong("epoch", "def best_epoch(learning, unseen):\n    return unseen.index(min(unseen))", shown="epoch-check"),
    # The upper end counts twice.
    wrong("band", BAND.format(which="low <= age <= high", result=MEAN_OR_NONE), hidden="band-check"),
    # The predicted age.
    wrong("band", BAND.format(which="low <= guess < high", result=MEAN_OR_NONE), hidden="band-check"),
    # Divides by nothing.
    wrong("band", BAND.format(which="low <= age < high", result="sum(wrong_by) / len(wrong_by)"), shown="band-empty"),
]
