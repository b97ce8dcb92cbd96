"""The notebooks in another language: their Markdown cells replaced by those of a catalogue.

    python course_notebooks/translate.py fr INTO            the assignments
    python course_notebooks/translate.py fr INTO --bonus    the bonus notebooks

A catalogue is translations/<language>/<assignment>.md or bonus_<notebook>.md. Each cell begins with a line that names
it, and the digest of the English text that it translates, so that a text which has changed since is found:

    <!-- title 0a1b2c3d -->

A notebook without a catalogue stays in English. Code, tests and model answers are the same in all languages.
"""

import argparse
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
_CELL = re.compile(r"^<!-- (\S+) ([0-9a-f]{8}) -->\n", re.MULTILINE)
# French puts a blank before these marks, where a line must not break. Catalogues have plain blanks, easy to type.
_CODE_OR_BLANK = re.compile(r"`[^`]*`|^    .*$|(?<=[^\s|]) (?=[:;?!»])|(?<=«) |(?<=\d) (?=\d{3})", re.MULTILINE)


class CatalogueError(Exception):
    """A catalogue does not fit its notebook; the message names file and cells."""


def digest(text: str) -> str:
    """What a catalogue notes of the English text: 8 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def prose(notebook: dict) -> dict[str, str]:
    """The Markdown cells to translate, by id: all but model answers."""
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]
            if cell["cell_type"] == "markdown" and not cell["metadata"].get("nbgrader", {}).get("solution")}


def read(catalogue: Path) -> dict[str, tuple[str, str]]:
    """(digest of the English text, translation) of each cell."""
    parts = _CELL.split(catalogue.read_text(encoding="utf-8"))
    return {cell: (mark, text.strip("\n")) for cell, mark, text in zip(parts[1::3], parts[2::3], parts[3::3])}


def unbroken(text: str) -> str:
    """The text with no-break spaces where French typography has them; code stays as it is."""
    return _CODE_OR_BLANK.sub(lambda found: found[0] if found[0] != " " else "\N{NO-BREAK SPACE}", text)


def translated(notebook: dict, catalogue: Path) -> dict:
    """The notebook in the catalogue's language. CatalogueError unless all cells are there and up to date."""
    english, found = prose(notebook), read(catalogue)
    wrong = [f"{cell}: not translated" for cell in english if cell not in found]
    wrong += [f"{cell}: no such cell" for cell in found if cell not in english]
    wrong += [f"{cell}: the English text has changed, its digest is {digest(english[cell])}"
              for cell, (mark, _) in found.items() if cell in english and mark != digest(english[cell])]
    if wrong:
        raise CatalogueError(f"{catalogue}: " + "; ".join(wrong))
    typeset = unbroken if catalogue.parent.name == "fr" else str
    cells = [cell | {"source": typeset(found[cell["id"]][1]).splitlines(keepends=True)}
             if cell["id"] in english else cell for cell in notebook["cells"]]
    return notebook | {"cells": cells}


def translate(language: str, into: Path, bonus: bool = False) -> list[str]:
    """Write all assignments, or all bonus notebooks, to the new folder `into`; the names of those left in English."""
    shutil.copytree(HERE / ("bonus" if bonus else "source"), into)
    english = []
    for path in sorted(into.rglob("*.ipynb")):
        name = f"bonus_{path.stem}" if bonus else path.parent.name
        catalogue = HERE / "translations" / language / f"{name}.md"
        if not catalogue.exists():
            english.append(name)
            continue
        notebook = translated(json.loads(path.read_text(encoding="utf-8")), catalogue)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return english


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=sorted(path.name for path in (HERE / "translations").iterdir()))
    parser.add_argument("into", type=Path, metavar="INTO", help="a folder that does not exist yet")
    parser.add_argument("--bonus", action="store_true", help="the bonus notebooks instead of the assignments")
    asked = parser.parse_args()
    try:
        left = translate(asked.language, asked.into, asked.bonus)
    except (CatalogueError, OSError) as error:
        sys.exit(f"translate: {error}")
    print("in English: " + ", ".join(left) if left else "all translated")
