"""How good are these predictions? Reads a CSV of them, prints the errors beside what is known.

    python -m mandrill.evaluate predictions.csv

Columns, in any order: y_pred and y_true (ages in days), id (the individual), photo_path. The separator is a comma, a
semicolon (then numbers may have a decimal comma) or a tab. This is the layout of the predictions that were published
with the Mandrillus Face Database (see published.py). Errors are printed in years.
"""

import csv
import io
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from .faces import DAYS_PER_YEAR, DataError
from .metrics import mae, mae_by_age
from .published import PREDICT_MEAN_YEARS, RESULTS, SOURCE

COLUMNS = ("y_pred", "y_true", "id", "photo_path")
OLDEST_YEARS = 60  # no mandrill lives so long: such an age is in another unit
SHOWN = 5          # individuals with the largest errors


def read(table: str | Path) -> pd.DataFrame:
    """Read the CSV `table`: predicted and true (ages in years, float), individual and photo (str), one row a photo.

    Raises DataError naming file, line and column.
    """
    text = _text(Path(table))
    first = text.split("\n", 1)[0].rstrip("\r")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [name.strip().lower() for name in next(reader, [])]
    if missing := [name for name in COLUMNS if header.count(name) != 1]:
        raise DataError(f"{table}, line 1: expected the columns {', '.join(COLUMNS)} once each; no single "
                        f"{', '.join(missing)} in: {', '.join(header) or 'nothing'}")
    place = [header.index(name) for name in COLUMNS]
    rows = []
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        where = f"{table}, line {reader.line_num}"
        if len(values) != len(header):
            more = "; a decimal comma needs ';' between the columns" if delimiter == "," else ""
            raise DataError(f"{where}: {len(values)} values, but {len(header)} columns{more}")
        predicted, true, individual, photo = (values[number].strip() for number in place)
        row = (_years(predicted, delimiter, f"{where}, column y_pred"),
               _years(true, delimiter, f"{where}, column y_true"), individual, photo)
        if not 0 <= row[1] <= OLDEST_YEARS:
            raise DataError(f"{where}, column y_true: {true} is no mandrill's age; expected days, 0 to "
                            f"{OLDEST_YEARS * DAYS_PER_YEAR:.0f}")
        if not individual:
            raise DataError(f"{where}, column id: is empty; expected the individual")
        rows.append(row)
    if not rows:
        raise DataError(f"{table}: no prediction below the header")
    return pd.DataFrame(rows, columns=["predicted", "true", "individual", "photo"])


def mae_by_individual(predictions: pd.DataFrame) -> pd.DataFrame:
    """One row an individual, the largest error first: individual, photos (how many), mae (years)."""
    errors = (predictions["predicted"] - predictions["true"]).abs()
    table = errors.groupby(predictions["individual"]).agg(photos="count", mae="mean")
    return table.sort_values("mae", ascending=False).reset_index()


def report(predictions: pd.DataFrame) -> str:
    """The errors of `predictions` (from `read`) as text: overall, by age, by individual, beside what is known."""
    predicted, true = predictions["predicted"].to_numpy(), predictions["true"].to_numpy()
    animals = mae_by_individual(predictions)
    lines = [f"{len(predictions)} photos of {len(animals)} individuals. Mean absolute errors in years:", "",
             "overall                         yours  published",
             _row("these predictions", mae(predicted, true), RESULTS[-1][3]),
             _row("always the mean age", mae(np.full(len(true), true.mean()), true), PREDICT_MEAN_YEARS),
             _row("always the median age", mae(np.full(len(true), np.median(true)), true), math.nan), "",
             "by true age, years     photos   yours  published"]
    lines += [f"{row.age:<20}{row.photos:9}{_number(row.mae):>8}{_number(row.published):>11}"
              for row in mae_by_age(predicted, true).itertuples()]
    lines += ["", "by individual           photos   yours", _row("mean of individuals", animals["mae"].mean()),
              _row("median of individuals", animals["mae"].median()), f"the {min(SHOWN, len(animals))} hardest:"]
    lines += [f"  {row.individual:<20}{row.photos:7}{_number(row.mae):>8}" for row in animals.head(SHOWN).itertuples()]
    lines += ["", f"Published: {SOURCE}", "  ages      photos  individuals   error  always the mean"]
    lines += [f"  {ages:<8}{photos:8}{individuals:13}{_number(error):>8}{_number(mean):>17}"
              for ages, photos, individuals, error, mean in RESULTS]
    if true.max() * DAYS_PER_YEAR < 40:
        lines += ["", "Every true age is below 40 days. Are they in years? y_true and y_pred are to be in days."]
    return "\n".join(lines)


def main(words: list[str]) -> int:
    """The command line; exit status 1 with a message when the file can't be read, 2 when none is named."""
    if len(words) != 1 or words[0].startswith("-"):
        print(__doc__.strip(), file=sys.stdout if words in (["-h"], ["--help"]) else sys.stderr)
        return 0 if words in (["-h"], ["--help"]) else 2
    try:
        print(report(read(words[0])))
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _row(name: str, yours: float, known: float | None = None) -> str:
    return f"{name:<29}{_number(yours):>8}" + (f"{_number(known):>11}" if known is not None else "")


def _number(years: float) -> str:
    return "-" if math.isnan(years) else f"{years:.3f}"


def _text(table: Path) -> str:
    try:
        return table.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{table}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object[:error.start].count(b"\n") + 1
        raise DataError(f"{table}, line {line}: is not UTF-8 text") from None


def _years(value: str, delimiter: str, where: str) -> float:
    """A number of days, as years."""
    try:
        days = float(value.replace(",", ".") if delimiter == ";" else value)
    except ValueError:
        days = math.nan
    if not math.isfinite(days):
        raise DataError(f"{where}: {value!r} is not a number; expected days")
    return days / DAYS_PER_YEAR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
