"""Read the Mandrillus Face Database, or a synthetic set of the same layout.

    MANDRILL_DATA/anything.csv
    MANDRILL_DATA/Images/[parent_folder/]Id/Photo_Name

Both published variants of the CSV are understood: the public one (Id, Photo_Name, Sex,
dob, Shootdate, FaceView, FaceQual) and the authors' lowercase one (with parent_folder,
face_view, face_qual, error_dob, and #N/D for a missing value).
"""

import csv
import io
import os
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from .dates import parse_date

VARIABLE = "MANDRILL_DATA"
MARKER = "SYNTHETIC.json"
PUBLIC_COLUMNS = ("Id", "Photo_Name", "Sex", "dob", "Shootdate", "FaceView", "FaceQual")
DAYS_PER_YEAR = 365.25
FRONTAL = 1   # the view of a face seen from the front
UNKNOWN = -1  # a view, quality or birth error that is not given

_REQUIRED = {"id": "Id", "photoname": "Photo_Name", "sex": "Sex", "dob": "dob",
             "shootdate": "Shootdate", "faceview": "FaceView", "facequal": "FaceQual"}
_MISSING = {"", "#n/d", "#n/a", "na", "n/a", "nan", "none", "null"}
_SEXES = {"f": "f", "female": "f", "fem": "f", "m": "m", "male": "m", "mal": "m",
          "u": "unknown", "unknown": "unknown", "?": "unknown", "i": "unknown", "ind": "unknown"}


class DataError(Exception):
    """The data can't be found or read; the message says where and what to do."""


def find(where: str | Path | None = None) -> Path:
    """The CSV of the database: in the folder `where`, else in the one that MANDRILL_DATA names.

    `where` may also be the CSV itself. Raises DataError with the next step.
    """
    given = where or os.environ.get(VARIABLE)
    next_step = (f"Set {VARIABLE} to the folder that holds the CSV and Images/, "
                 "or draw a synthetic one: python -m mandrill.synthetic FOLDER")
    if not given:
        raise DataError(f"No data: {VARIABLE} is not set. {next_step}.")
    path = Path(given).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"No data: {path} is not a folder. {next_step}.")
    tables = [file for file in sorted(path.glob("*.csv")) if _columns_missing(_header(file)) == []]
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise DataError(f"No data: no CSV in {path} has the columns {', '.join(_REQUIRED.values())}. {next_step}.")
    names = ", ".join(file.name for file in tables)
    raise DataError(f"{path} holds several tables ({names}): name the one to read.")


def load(where: str | Path | None = None) -> pd.DataFrame:
    """Find the data (see `find`) and read it (see `read`)."""
    return read(find(where))


def read(table: str | Path) -> pd.DataFrame:
    """Read the CSV `table`: one row a photo whose age is known, in the file's order.

    Columns: photo (path, str), individual (str), sex (f, m or unknown), age_years
    (float, (Shootdate - dob) / 365.25 days), shot (date), view (1 frontal, -1 unknown),
    quality (0 to 3, -1 unknown), error_dob (days, -1 unknown), synthetic (bool).
    Rows without a date and rows with a negative age are left out and counted in
    `.attrs["dropped"]`, a dict. Raises DataError naming file, line and column.
    """
    table = Path(table)
    images, synthetic = table.parent / "Images", (table.parent / MARKER).exists()
    rows, dropped = [], Counter({"no date of birth or of the photo": 0, "negative age": 0})
    for cell in _lines(table):
        born, shot = cell("dob", _date), cell("shootdate", _date)
        individual, name = cell("id", _text), cell("photoname", _text)
        row = {
            "photo": os.path.join(images, cell("parentfolder", str) or "", individual, name),
            "individual": individual,
            "sex": cell("sex", _sex) or "unknown",
            "age_years": (shot - born).days / DAYS_PER_YEAR if born and shot else None,
            "shot": shot,
            "view": cell("faceview", _whole, UNKNOWN),
            "quality": cell("facequal", _whole, UNKNOWN),
            "error_dob": cell("errordob", _whole, UNKNOWN),
            "synthetic": synthetic,
        }
        if row["age_years"] is None:
            dropped["no date of birth or of the photo"] += 1
        elif row["age_years"] < 0:
            dropped["negative age"] += 1
        else:
            rows.append(row)
    if not rows:
        raise DataError(f"{table}: no photo with a known age ({sum(dropped.values())} rows left out)")
    faces = pd.DataFrame(rows)
    faces.attrs["dropped"] = dict(dropped)
    return faces


def is_synthetic(faces: pd.DataFrame) -> bool:
    """Whether any of these photos was drawn rather than taken."""
    return bool(faces["synthetic"].any())


def _lines(table: Path):
    """Yield, for each line, cell, where cell(column, convert, default) reads one value of the line."""
    try:
        text = table.read_bytes()
    except OSError as error:
        raise DataError(f"{table}: can't be read ({error.strerror})") from None
    try:
        text = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = text.decode("latin-1")
    first = text.split("\n", 1)[0].rstrip("\r")
    header = _split_header(first)
    if missing := _columns_missing(header):
        raise DataError(f"{table}, line 1: no column {', '.join(missing)}; found {', '.join(header) or 'nothing'}")
    place = {_key(name): (number, name) for number, name in enumerate(header)}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first))
    next(reader)
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        where = f"{table}, line {reader.line_num}"
        if len(values) != len(header):
            raise DataError(f"{where}: {len(values)} values, but {len(header)} columns")

        def cell(column, convert, default=None, values=values, where=where):
            if column not in place:
                return default
            number, name = place[column]
            value = values[number].strip()
            try:
                if value.lower() in _MISSING:
                    return _needed() if convert is _text else default
                return convert(value)
            except ValueError as error:
                raise DataError(f"{where}, column {name}: {error}") from None

        yield cell


def _header(table: Path) -> list[str]:
    try:
        with table.open(encoding="utf-8-sig", errors="replace") as file:
            return _split_header(file.readline().rstrip("\r\n"))
    except OSError as error:
        raise DataError(f"{table}: can't be read ({error.strerror})") from None


def _split_header(line: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line], delimiter=_delimiter(line)), [])]


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _key(name: str) -> str:
    """FaceView, face_view and Face View are one column."""
    return re.sub(r"[\s_]", "", name).lower()


def _columns_missing(header: list[str]) -> list[str]:
    there = {_key(name) for name in header}
    return [name for key, name in _REQUIRED.items() if key not in there]


def _needed():
    raise ValueError("is empty, but every photo needs it")


def _text(value: str) -> str:
    if "/" in value or value in (".", ".."):
        raise ValueError(f"{value!r} can't be part of a path")
    return value


def _date(value: str):
    return parse_date(value)


def _sex(value: str) -> str:
    if value.lower() not in _SEXES:
        raise ValueError(f"{value!r} is not a sex; expected f, m or nothing")
    return _SEXES[value.lower()]


def _whole(value: str) -> int:
    number = float(value)
    if number != int(number):
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)
