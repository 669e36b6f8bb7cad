"""A language's catalog: English templates with named places, and what they are in that language.

``"tickets with {share} of the links" = "結合の {share} を残したくじ"``. What stands in a place is translated, too, by
the templates that it is made of; a number stays, and so does one word, which is a name. In a place ``{unit:term}`` one
word is looked up as well; ``{criteria:list}`` holds a list of single words, ``{value:names}`` words that all stay,
``{points:number}`` no letters, ``{message:quoted}`` anything, as it is. Of the templates that match the longest counts.
"""

import re
import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

TERM, LIST, NAMES, NUMBER, QUOTED = "term", "list", "names", "number", "quoted"
"""The kinds of places."""

BETWEEN_PARTS = ("", "; ", "")
"""What parts a sentence: nothing else may reach over it that need not."""

CELLS = "cells"
"""The file with what single words are in tables."""


class Template(NamedTuple):
    """A template taken apart: the literals, the places between them with their kinds, and the translation."""

    literals: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    translation: str


@cache
def catalog(language: str, name: str = "") -> Mapping[str, str]:
    """Templates and their translations: those of a file, or of all files but ``cells.toml``."""
    found: dict[str, str] = {}
    for file in sorted(files(__spec__.parent).joinpath(language).iterdir(), key=lambda file: file.name):
        if file.name == f"{name}.toml" or (not name and file.name != f"{CELLS}.toml"):
            found |= tomllib.loads(file.read_text(encoding="utf-8"))
    return found


@cache
def phrase(text: str, language: str) -> str | None:
    """What a phrase is in a language; None if no template tells. A number or a single word stands for itself."""
    known = catalog(language)
    lower = text[:1].lower() + text[1:]
    for same in (text, lower):
        if same in known:
            return known[same]
    if not any(map(str.isalpha, text)) or " " not in text.strip():
        return text
    # A sentence begins with a capital, a template may not.
    cases = dict.fromkeys((lower, text))
    return next((said for t in _templates(language) for same in cases if (said := _read(same, t, language))), None)


def _read(text: str, template: Template, language: str) -> str | None:
    for found in splits(template.literals, text):
        places = zip(template.places, found, strict=True)
        said = {name: _place(part, language, kind) for (name, kind), part in places}
        if None not in said.values():
            return template.translation.format_map(said)
    return None


def _place(text: str, language: str, kind: str) -> str | None:
    if kind == QUOTED:
        return text
    if kind == NAMES:
        return None if set(text) & set(",;()") else text
    if kind == NUMBER and any(map(str.isalpha, text)):
        return None
    if kind == LIST and any(" " in item for item in re.split(", | and ", text)):
        return None
    return phrase(text, language) if " " in text or kind == TERM else text


@cache
def _templates(language: str) -> list[Template]:
    made = [_template(english, translation) for english, translation in catalog(language).items()]
    with_places = (template for template in made if template.places)
    return sorted(with_places, key=lambda t: (t.literals != BETWEEN_PARTS, -sum(map(len, t.literals))))


def _template(english: str, translation: str) -> Template:
    literals, places = [""], list[tuple[str, str]]()
    for literal, name, kind, _ in string.Formatter().parse(english):
        literals[-1] += literal
        if name is not None:
            places.append((name, kind or ""))
            literals.append("")
    return Template(tuple(literals), tuple(places), translation)


def splits(literals: Sequence[str], text: str) -> Iterator[list[str]]:
    """Every way to read a text as these literals, with something between each two of them.

    >>> list(splits(("", " and ", ""), "a and b and c"))
    [['a', 'b and c'], ['a and b', 'c']]
    """
    first, *rest = literals
    if not text.startswith(first) or not text.endswith(literals[-1]):
        return
    text = text[len(first) :]
    if len(rest) == 1:
        if len(text) > len(rest[0]) and text.endswith(rest[0]):
            yield [text[: len(text) - len(rest[0])]]
        return
    at = text.find(rest[0], 1)
    while at > 0:
        for more in splits(rest, text[at:]):
            yield [text[:at], *more]
        at = text.find(rest[0], at + 1)
