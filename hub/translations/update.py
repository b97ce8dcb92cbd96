"""Bring the catalogues up to date with the source: `make translations`.

A catalogue is <language>.po, in gettext's own format. New texts are added empty, those that are gone are taken out, and
nothing is guessed. JupyterLab reads its part, the texts of spawner_profiles/lab, from a JSON file, written here too:
https://jupyterlab.readthedocs.io/en/stable/extension/internationalization.html
"""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from hub.install import LOCALES, SOURCE
from hub.translations import HERE

FOLDERS = ("hub", "spawner_profiles")
LAB = "spawner_profiles/lab/static/remoteEntry.js"
TEMPLATES = "hub/pages/templates/**.html"
#: Files and the extractor of each, as in Babel's mapping files.
METHODS = [(TEMPLATES, "jinja2.ext:babel_extract"), (LAB, "javascript"),
           *((f"{folder}/**.py", "python") for folder in FOLDERS)]
OPTIONS = {TEMPLATES: {"trimmed": "true", "silent": "false"}}
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2), "gettext": None, "__": None}


def _searched(path: str) -> bool:
    return Path(path).relative_to(SOURCE).parts[:1] in [(), *((folder,) for folder in FOLDERS)]


def extract() -> Catalog:
    """All texts of the source, untranslated, by the files that have them."""
    catalog = Catalog(charset="utf-8")
    for file, _, text, comments, context in extract_from_dir(
            SOURCE, METHODS, OPTIONS, KEYWORDS, directory_filter=_searched):
        catalog.add(text, None, [(file, 0)], auto_comments=comments, context=context)
    return catalog


def read(language: str) -> Catalog:
    with (HERE / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> str:
    """The text of a catalogue as it should be now."""
    catalog = read(language)
    catalog.update(extract(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    text = BytesIO()
    # Without line numbers, which would change with every edit of the source.
    write_po(text, catalog, width=110, sort_by_file=True, include_lineno=False)
    return text.getvalue().decode()


def lab_file(language: str) -> Path:
    """Where JupyterLab's server looks, by the entry point ``jupyterlab.locale`` of pyproject.toml."""
    return SOURCE / f"spawner_profiles/locale/{LOCALES[language]}/LC_MESSAGES/mandrillhub.json"


def for_lab(language: str) -> str:
    """The texts of JupyterLab's extension, as it reads them: Jed's format."""
    catalog = read(language)
    # Its server says fr_FR, its pages look for fr-FR.
    head = {"domain": "mandrillhub", "language": LOCALES[language].replace("_", "-"),
            "plural_forms": catalog.plural_forms}
    texts = {message.id: [message.string] for message in catalog if LAB in {file for file, _ in message.locations}}
    return json.dumps({"": head} | texts, ensure_ascii=False, indent=1) + "\n"


def _strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, (tuple, list)) else (message.string,)


def main() -> None:
    for language in LOCALES:
        (HERE / f"{language}.po").write_text(updated(language), encoding="utf-8")
        lab_file(language).parent.mkdir(parents=True, exist_ok=True)
        lab_file(language).write_text(for_lab(language), encoding="utf-8")
        missing = [message.id for message in read(language) if not all(_strings(message))]
        print(f"{language}: {len(missing)} not translated" + "".join(f"\n  {text}" for text in missing))
        if missing:
            sys.exit(1)


if __name__ == "__main__":
    main()
