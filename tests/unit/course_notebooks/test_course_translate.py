"""Catalogues of translated prose: complete, up to date, and nothing but prose changes."""

import json
import subprocess
import sys

import pytest
import translate

NOTEBOOK = {"cells": [
    {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# Hello\n", "you"]},
    {"cell_type": "code", "id": "start", "metadata": {}, "source": ["print()"], "outputs": []},
    {"cell_type": "markdown", "id": "answer", "metadata": {"nbgrader": {"solution": True}}, "source": ["Because."]}]}


def catalogue(tmp_path, text):
    path = tmp_path / "one.md"
    path.write_text(text)
    return path


def test_prose_is_replaced_and_nothing_else(tmp_path):
    path = catalogue(tmp_path, f"<!-- title {translate.digest('# Hello' + chr(10) + 'you')} -->\n# Bonjour\n\nvous\n")
    french = translate.translated(NOTEBOOK, path)
    assert french["cells"][0]["source"] == ["# Bonjour\n", "\n", "vous"]
    assert french["cells"][1:] == NOTEBOOK["cells"][1:]


@pytest.mark.parametrize("text, complaint", [
    ("", "title: not translated"),
    ("<!-- title 00000000 -->\n# Bonjour\n", "title: the English text has changed"),
    ("<!-- titel 00000000 -->\n# Bonjour\n", "titel: no such cell"),
    ("<!-- start 00000000 -->\nprint()\n", "start: no such cell"),
])
def test_what_does_not_fit_is_named(tmp_path, text, complaint):
    with pytest.raises(translate.CatalogueError, match=complaint):
        translate.translated(NOTEBOOK, catalogue(tmp_path, text))


def test_french_marks_stay_on_their_line_and_code_as_it_is(tmp_path):
    folder = tmp_path / "fr"
    folder.mkdir()
    text = "Prêt ? « Non » : `a ? b : c` compte.\n\n    vous : « ici »\n\n| : | fin |\n`x` : 29 495\n"
    path = catalogue(folder, f"<!-- title {translate.digest('# Hello' + chr(10) + 'you')} -->\n{text}")
    french = "".join(translate.translated(NOTEBOOK, path)["cells"][0]["source"])
    assert french.replace("\xa0", "_") == ("Prêt_? «_Non_»_: `a ? b : c` compte.\n\n    vous : « ici »\n\n"
                                           "| : | fin |\n`x`_: 29_495")


@pytest.mark.parametrize("path", sorted((translate.HERE / "translations").rglob("*.md")), ids=lambda path: path.stem)
def test_each_catalogue_fits_its_notebook_and_keeps_its_code(path):
    place, pattern = f"source/{path.stem}", "*.ipynb"
    if path.stem.startswith("bonus_"):
        place, pattern = "bonus", path.stem.removeprefix("bonus_") + ".ipynb"
    (source,) = (translate.HERE / place).glob(pattern)
    notebook = json.loads(source.read_text())
    other = translate.translated(notebook, path)
    for cell, english in zip(other["cells"], notebook["cells"]):
        old, new = "".join(english["source"]), "".join(cell["source"])
        assert old.count("<details>") == new.count("<details>"), cell["id"]
        assert old.count("\n## ") == new.count("\n## "), cell["id"]


def test_the_command_writes_all_assignments(tmp_path):
    command = [sys.executable, translate.__file__, "fr", tmp_path / "source"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Exercice 1" in (tmp_path / "source/00_prerequisites/prerequisites.ipynb").read_text()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1 and "translate: " in again.stderr


def test_the_command_writes_all_bonus_notebooks(tmp_path):
    command = [sys.executable, translate.__file__, "fr", tmp_path / "bonus", "--bonus"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "all translated\n"), result.stderr
    names = {path.name for path in (translate.HERE / "bonus").glob("*.ipynb")}
    assert names and {path.name for path in (tmp_path / "bonus").iterdir()} == names
    for name in names:
        assert "**Temps :**" in (tmp_path / "bonus" / name).read_text().replace("\xa0", " ")
