"""Charts and lives in another language: titles, legends, tooltips, and the names in their data."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from karikomi.language import DEFAULT, Language, translate
from karikomi.report.life import Life

TEXTS, LISTS = ("title", "text"), ("domain", "sort", "values")
"""Keys of a chart under which text is shown, and those of lists of names that data hold."""

CODE = ("filter", "test", "expr", "labelExpr", "calculate")
"""Keys of expressions, which compare data with names."""

# The name of a field, or a string: datum['arm'] === 'no training'.
_QUOTED = re.compile(r"(\[(?:'[^']*'|\"[^\"]*\")\])|'([^']*)'|\"([^\"]*)\"")


def chart_in(language: Language, chart: Mapping[str, Any]) -> dict[str, Any]:
    """A chart, as its ``to_dict()``, in a language: the same data with the same numbers."""
    return dict(chart) if language == DEFAULT else _part(chart, language)


def life_in(language: Language, life: Life) -> Life:
    """A life in a language."""
    if language == DEFAULT:
        return life

    def said(text: str) -> str:
        return translate(text, language)

    strands = [replace(each, name=said(each.name), group=said(each.group)) for each in life.strands]
    curves = [replace(each, name=said(each.name), arm=said(each.arm), group=said(each.group)) for each in life.curves]
    return replace(
        life,
        steps=[said(step) for step in life.steps],
        layers={said(name): units for name, units in life.layers.items()},
        strands=strands,
        curves=curves,
        measure=said(life.measure),
    )


def _part(part: Any, language: Language, shown: bool = False) -> Any:
    if isinstance(part, str):
        return _said(part, language) if shown else part
    if isinstance(part, Mapping):
        return {key: _value(key, value, language) for key, value in part.items()}
    if isinstance(part, list):
        return [_part(each, language, shown) for each in part]
    return part


def _value(key: str, value: Any, language: Language) -> Any:
    if key in CODE and isinstance(value, str):
        return _QUOTED.sub(lambda found: found[1] or _quoted(found[0], language), value)
    if key == "tooltip" and isinstance(value, list):
        # Without a title Vega shows the field's name.
        named = ({"title": each["field"], **each} if "field" in each else each for each in value)
        return [_part(each, language) for each in named]
    if key == "datasets":
        return {name: [_row(row, language) for row in rows] for name, rows in value.items()}
    if key == "bind" and isinstance(value, Mapping):
        return _row(value, language)
    return _part(value, language, key in TEXTS or (key in LISTS and isinstance(value, list)))


def _row(row: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return {field: _said(value, language) if isinstance(value, str) else value for field, value in row.items()}


def _quoted(text: str, language: Language) -> str:
    return text[0] + _said(text[1:-1], language) + text[-1]


def _said(text: str, language: Language) -> str:
    """Texts of controls end with a space, and images are no text."""
    if text.startswith("data:"):
        return text
    core = text.strip()
    return text.replace(core, translate(core, language), 1) if core else text
