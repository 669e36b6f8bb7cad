"""Fonts of figures as files: which are on this machine, and which languages they can write."""

import re
from collections.abc import Mapping
from typing import Any

import vl_convert

from karikomi.errors import InputError
from karikomi.figures.theme import FONTS
from karikomi.language import Language

TWO_LETTERS: Mapping[Language, str] = {"en": "ab", "ja": "精度"}
"""Without a font for them both look the same: boxes, or nothing."""


def families(language: Language, font: str | None = None) -> str:
    """The families that a figure in a language is set in, the first that is here: ``font``, then the usual ones.

    Raises:
        InputError: for a font that is not on this machine, or without any that has the language's letters.
    """
    if font is not None and not _is_known(font):
        raise InputError(f"there is no font {font!r} on this machine; give the name of a family that is installed")
    if not has_font(language):
        raise InputError(
            f"no font on this machine has the letters of {language}; install one, such as Noto Sans CJK JP or"
            " IPAexGothic (on Debian: apt install fonts-noto-cjk, or fonts-ipaexfont-gothic, which is small)"
        )
    return ", ".join(filter(None, (font, FONTS[language])))


def has_font(language: Language) -> bool:
    """Whether this machine has a font with the letters of a language."""
    return len({_drawn(letter, FONTS[language]) for letter in TWO_LETTERS[language]}) == 2


def set_in(chart: Mapping[str, Any], font: str) -> dict[str, Any]:
    """A chart, as its ``to_dict()``, in other families."""
    return {**chart, "config": {**chart.get("config", {}), "font": font}}


def _is_known(font: str) -> bool:
    """Whether text in that font looks otherwise than in what takes the place of an unknown one, whichever that is."""
    text = "Karikomi 0123 gjßÅ"
    return bool(re.fullmatch(r"[\w .-]+", font)) and any(
        _drawn(text, f"'{font}', {other}") != _drawn(text, other) for other in ("monospace", "serif")
    )


def _drawn(text: str, font: str) -> bytes:
    return vl_convert.svg_to_png(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="40"><text y="30" font-size="24"'
        f' font-family="{font}">{text}</text></svg>'
    )
