"""Wrong answers to 02_data."""

from .wrong_answers import wrong

BATCHES = """def batches(things, size):
    batch = []
    for thing in {things}:
        batch.append(thing)
        if len(batch) == size:
            yield batch
            batch = []
    {rest}
"""
TAR = """def photos_of(path):
    with tarfile.open(path) as tar:
        return {found}
"""


WRONG = [
    # A library's guess: month first.
    wrong("day", "def parse_day(text):\n    return pd.to_datetime(text).date()", hidden="day-first"),
    # One way of writing only.
    wrong("day", "def parse_day(text):\n    return date.fromisoformat(text)", shown="day-check day-first"),
    # Whole years.
    wrong("age", "def age_years(born, shot):\n    days = (shot - born).days\n"
          "    return None if days < 0 else days // 365.25", hidden="age-check"),
    # The newborn is thrown away.
    wrong("age", "def age_years(born, shot):\n    days = (shot - born).days\n"
          "    return days / 365.25 if days > 0 else None", hidden="age-impossible"),
    # Negative ages.
    wrong("age", "def age_years(born, shot):\n    return (shot - born).days / 365.25", shown="age-impossible"),
    # More than 2.
    wrong("keep", 'def keep(photos):\n    return photos[(photos["view"] == 1) & (photos["quality"] > 2)]',
          hidden="keep-check"),
    # Unknown sex is thrown away.
    wrong("keep", 'def keep(photos):\n    photos = photos[photos["sex"] != "unknown"]\n'
          '    return photos[(photos["view"] == 1) & (photos["quality"] >= 2)]', hidden="keep-others"),
    # Changes what it was given.
    wrong("keep", 'def keep(photos):\n    bad = (photos["view"] != 1) | (photos["quality"] < 2)\n'
          '    photos.drop(photos.index[bad], inplace=True)\n    return photos',
          shown="keep-others", hidden="keep-check"),
    # Counts photos, not individuals.
    wrong("both", 'def on_both_sides(train, test):\n    return int(test["individual"].isin(train["individual"]).sum())',
          hidden="both-check"),
    # Compares parts of names.
    wrong("both", 'def on_both_sides(train, test):\n    known = " ".join(train["individual"])\n'
          '    return sum(name in known for name in set(test["individual"]))', hidden="both-check"),
    # The last, shorter batch is lost.
    wrong("batches", BATCHES.format(things="things", rest=""), hidden="batches-check"),
    # An empty batch at the end.
    wrong("batches", BATCHES.format(things="things", rest="yield batch"), shown="batches-check"),
    # Takes everything first.
    wrong("batches", BATCHES.format(things="list(things)", rest="if batch:\n        yield batch"),
          hidden="batches-few"),
    # The mean of the means.
    wrong("mean", "def mean_of(batches):\n    means = [sum(batch) / len(batch) for batch in batches]\n"
          "    return sum(means) / len(means)", hidden="mean-check"),
    # Twice through the batches.
    wrong("mean", "def mean_of(batches):\n    return sum(map(sum, batches)) / sum(map(len, batches))",
          shown="mean-check"),
    # Texts, too.
    wrong("tar", TAR.format(found="[(m.name, tar.extractfile(m).read()) for m in tar if m.isfile()]"),
          hidden="tar-check"),
    # In the order of the names.
    wrong("tar", TAR.format(found="[(n, tar.extractfile(n).read()) for n in sorted(tar.getnames()) "
                                  "if n.endswith('.jpg')]"), shown="tar-check"),
    # Only in increasing order.
    wrong("hdf5", "def lines_of(table, numbers):\n    return table[numbers]", hidden="hdf5-any"),
    # In another order than asked for.
    wrong("hdf5", "def lines_of(table, numbers):\n    return table[sorted(set(numbers))]", hidden="hdf5-any"),
    # All of it in memory.
    wrong("hdf5", "def lines_of(table, numbers):\n    return table[:][numbers]", hidden="hdf5-any"),
    # Numbers, no lines.
    wrong("hdf5", "def lines_of(table, numbers):\n    return numbers", shown="hdf5-check hdf5-any"),
]
