"""The interface in another language than English: a gettext catalogue for each, one language an instance.

After a change of texts: `make translations` brings every catalogue up to date (update.py); fill in the new ones.
"""

from __future__ import annotations

import gettext
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).parent


def speak(language: str) -> None:
    """Make this the language of all that the hub says. Nothing is loaded for English."""
    if language == "en":
        return
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.numbers import get_decimal_symbol

    from spawner_profiles import words

    compiled = BytesIO()
    with (HERE / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    words.speak(language, gettext.GNUTranslations(compiled), get_decimal_symbol(language))
