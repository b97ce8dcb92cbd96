"""Dates as the different versions of the database write them."""

import re
from datetime import date

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ][\d:.+Z-]*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: [\d:.]*)?")


def parse_date(text: str) -> date:
    """Read d/m/Y, Y/m/d or ISO (with a time or without); ValueError for anything else.

    Day first when the year is last: 03/04/2014 is 3 April 2014.
    """
    text = text.strip()
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day = map(int, match.groups())
    elif match := _DAY_FIRST.fullmatch(text):
        day, month, year = map(int, match.groups())
    else:
        raise ValueError(f"{text!r} is not a date; expected day/month/year, year/month/day or year-month-day")
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"{text!r} is not a date: there is no month {month} with a day {day} in {year}") from None
