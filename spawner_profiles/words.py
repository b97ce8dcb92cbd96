"""What people read, in the language of the hub. Without :func:`speak`: as it stands in the source, in English.

``_`` and ``ngettext`` are gettext's; ``N_`` marks a text that is translated later, where it is used. Texts with
something to fill in have ``{names}`` for str.format. The catalogue is the hub's: hub/translations.
"""

from __future__ import annotations

import gettext

_translations = gettext.NullTranslations()
_decimal_mark = "."
#: As in BCP 47.
language = "en"


def speak(code: str, translations: gettext.NullTranslations, decimal_mark: str) -> None:
    """From here on, whoever asks gets this language. Called once, before the hub shows anything."""
    global language, _translations, _decimal_mark
    language, _translations, _decimal_mark = code, translations, decimal_mark


def _(text: str) -> str:
    """The text in the hub's language; as it is if the catalogue does not have it."""
    return _translations.gettext(text) if text else ""  # gettext's "" is the head of the catalogue


def ngettext(one: str, many: str, number: int) -> str:
    """The one of two texts that ``number`` asks for."""
    return _translations.ngettext(one, many, number)


def N_(text: str) -> str:
    return text


def decimal(value: float) -> str:
    """'2' or '1.5', with the language's decimal mark."""
    return f"{value:g}".replace(".", _decimal_mark)
