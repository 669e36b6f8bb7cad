"""The language of what a user reads: summaries and pages. English is the source, a catalog per language the rest."""

import re
from functools import cache
from typing import Literal, get_args

from karikomi.errors import unknown
from karikomi.language.catalog import CELLS, catalog, phrase

Language = Literal["en", "ja"]
LANGUAGES = get_args(Language)
DEFAULT: Language = "en"

_ENDS = re.compile(r"(?<=\.) |\n+")


def translate(text: str, language: Language) -> str:
    """A text in a language, sentence by sentence. A name stays as it is; a sentence without a template stays English.

    >>> translate("Tickets with 12.5 % of the links are lost.", "ja")
    '結合の 12.5 % を残したくじは外れです。'
    >>> translate("fc1.weight", "ja")
    'fc1.weight'
    """
    return text if language == DEFAULT else "".join(found or kept for kept, found in parts(text, language))


@cache
def parts(text: str, language: Language) -> list[tuple[str, str | None]]:
    """The sentences of a text, and what they are in a language: None where the catalog has no template for one."""
    found, start = [], 0
    while start < len(text):
        ends = [(end.start(), end.end()) for end in _ENDS.finditer(text, start)] + [(len(text), len(text))]
        # A stop need not end a sentence: "Guo et al. 2017".
        tried = ((end, after, _sentence(text[start:end], language)) for end, after in ends)
        end, after, said = next((each for each in tried if each[2] is not None), (*ends[0], None))
        gap = text[end:after]
        if said is None:
            found.append((text[start:after], None))
        else:
            found.append((text[start:after], said + (gap if "\n" in gap or not said.endswith("。") else "")))
        start = after
    return found


def translate_cell(cell: str, language: Language, title: str = "") -> str:
    """A cell of the table of that title. One word is a name and stays, but for those in ``cells.toml``."""
    if language == DEFAULT:
        return cell
    words = catalog(language, CELLS)
    known = words.get(f"{title}: {cell}", words.get(cell))
    return known or (translate(cell, language) if " " in cell else cell)


def check_language(language: str) -> None:
    """Raise an InputError for a language that there is not."""
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)


def _sentence(text: str, language: Language) -> str | None:
    if not text.strip():
        return text
    if text.endswith("."):
        said = phrase(text[:-1], language)
        return said and f"{said}。"
    return phrase(text, language)
