"""The report: one HTML file with its charts and everything that draws them; it needs no network."""

import functools
import importlib.resources
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jinja2
import vl_convert
from markupsafe import Markup

from karikomi.figures.save import VEGA_LITE
from karikomi.language import DEFAULT, Language, translate, translate_cell
from karikomi.report.charts import arms_of, prepared, width_of
from karikomi.report.life import Life, payload
from karikomi.report.translated import chart_in, life_in
from karikomi.report.typeset import NUMBER
from karikomi.report.words import words

PAGE = ("page.css", "charts.css", "page.js")
VIEWER = ("life.css", "frames.js", "network.js", "panels.js", "unit.js", "life.js")
"""What is in every page, and in one with a viewer, in this order; the scripts are one module."""

TAIL = re.compile(r" ± \S+$| \(\D+ \S+\)$")
"""What may follow a number: half its interval, an uncorrected p-value."""

HALF = 600
"""A chart at most about so wide, in pixels, stands beside another."""


class Table(Protocol):
    """A table of finished words: a title (may be empty), column names and rows of text.

    A cell with a ``tone`` (good, bad, open) is a verdict.
    """

    @property
    def title(self) -> str: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[Any]]: ...


@dataclass(frozen=True)
class Figure:
    """A chart, as its ``to_dict()``, and the sentence under it."""

    chart: Mapping[str, Any]
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the page: plain text (empty lines part paragraphs), then tables, then figures."""

    heading: str
    text: str = ""
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


def build(
    title: str,
    lead: str,
    sections: Sequence[Section],
    facts: Mapping[str, Mapping[str, object]],
    command: str = "",
    life: Life | None = None,
    language: Language = DEFAULT,
) -> str:
    """The page as HTML.

    All text is escaped. Verdicts become badges in the colour of their tone; columns of numbers are set to the right.

    Args:
        title: the heading of the page.
        lead: the answer in a sentence or two.
        sections: in the order of the page.
        facts: what belongs to the record but not to the story, folded away: per group (settings, environment …)
            names and values.
        command: what repeats the run; "" if no command does.
        life: what the viewer plays; None for a page without.
        language: that the page is in; what is given is in English.
    """

    def said(text: str) -> str:
        return translate(text, language)

    sections = [replace(section, figures=_side_by_side(section.figures)) for section in sections]
    places, charts = itertools.count(), itertools.count()
    shown = [
        {
            "number": next(places),
            "heading": said(section.heading),
            "paragraphs": _paragraphs(said(section.text)),
            "tables": [_table(table, language) for table in section.tables],
            "figures": [(next(charts), said(figure.caption), _is_wide(figure)) for figure in section.figures],
        }
        for section in sections
    ]
    figures = [
        Figure(chart_in(language, figure.chart), said(figure.caption))
        for section in sections
        for figure in section.figures
    ]
    parts, life = PAGE + VIEWER if life else PAGE, life and life_in(language, life)
    arms, texts = arms_of([figure.chart for figure in figures]), words(language)
    # What a screen reader says of a chart is its description.
    specs = [{"description": figure.caption, **prepared(figure.chart, arms)} for figure in figures]
    return _template("page.html").render(
        language=language,
        words=texts,
        title=said(title),
        lead=_paragraphs(said(lead)),
        sections=shown,
        facts={said(group): {name: _fact(value) for name, value in values.items()} for group, values in facts.items()},
        command=command,
        arms=arms,
        style=_joined(parts, ".css"),
        script=_joined(parts, ".js"),
        life=life,
        viewer_part=life and _viewer_part(life, texts, said(f"{life.about.capitalize()}.")),
        data=_script_json({"words": texts, "life": life and payload(life)}),
        charts=_script_json(specs),
        viewer=_viewer() if specs else None,
        draw=Markup(_part("charts.js")),
    )


def _viewer_part(life: Life, words: Mapping[str, str], about: str) -> Markup:
    return Markup(_template("life.html").render(words=words, life=life, layers=list(life.layers), about=about))


def _side_by_side(figures: Sequence[Figure]) -> list[Figure]:
    """Figures in an order in which no half of a row stays empty, as long as there is one to fill it."""
    left, placed = list(figures), list[Figure]()
    while left:
        placed.append(left.pop(0))
        if not _is_wide(placed[-1]):
            beside = next((place for place, figure in enumerate(left) if not _is_wide(figure)), None)
            placed += [] if beside is None else [left.pop(beside)]
    return placed


def _is_wide(figure: Figure) -> bool:
    return width_of(figure.chart) > HALF


def _paragraphs(text: str) -> list[str]:
    whole = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return [part.strip() for part in re.split(r"\n\s*\n", whole) if part.strip()]


def _table(table: Table, language: Language) -> dict[str, object]:
    rows = [
        [(translate_cell(str(cell), language, table.title), getattr(cell, "tone", None)) for cell in row]
        for row in table.rows
    ]
    columns = [[text for text, _ in column] for column in zip(*rows, strict=True)] or [[] for _ in table.columns]
    is_number = [any(column) and all(not text or NUMBER.fullmatch(text) for text in column) for column in columns]
    pads = zip(*map(_pads, columns, is_number), strict=True)
    # Over the numbers, not over the notes behind some of them.
    to_the_right = [n and not any(t.endswith(")") for t in texts) for n, texts in zip(is_number, columns, strict=True)]
    names = (translate(name, language) for name in table.columns)
    return {
        "title": translate(table.title, language),
        "columns": list(zip(names, to_the_right, strict=True)),
        "rows": [
            [(text, number, tone, pad) for (text, tone), number, pad in zip(row, is_number, pad_row, strict=True)]
            for row, pad_row in zip(rows, pads, strict=True)
        ],
    }


def _pads(column: Sequence[str], is_number: bool) -> list[str]:
    """What is to stand unseen behind each cell of a column, so that numbers end where what may follow them begins."""
    ends = [TAIL.search(text) for text in column]
    tails = [found[0] if found else "" for found in ends]
    longest = max(tails, key=len, default="")
    return [longest[len(tail) :] if is_number and text else "" for text, tail in zip(column, tails, strict=True)]


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_fact, value))
    return str(value)


def _script_json(value: object) -> Markup:
    # Inside a script element only "<" can end it early ("</script", "<!--"); JSON can spell it as an escape.
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


@functools.cache
def _viewer() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, from vl-convert."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # In strings and regular expressions, where alone these can stand, the backslash changes nothing.
    return Markup(bundle.replace("</script", r"<\/script").replace("<!--", r"<\!--"))


def _joined(parts: Sequence[str], ending: str) -> Markup:
    return Markup("\n".join(_part(name) for name in parts if name.endswith(ending)))


@functools.cache
def _part(name: str) -> str:
    """A file of this folder."""
    return importlib.resources.files("karikomi.report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_part(name))
