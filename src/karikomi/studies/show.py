"""Display tables: written once, shown on a terminal, in a notebook and on the page."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from karikomi.language import DEFAULT, Language, translate, translate_cell
from karikomi.studies.verdict import Verdict

STYLES = {"good": "green", "open": "yellow", "bad": "red"}
COLOURS = {"good": "#00664a", "open": "#4d4d4d", "bad": "#8f3d00"}

PROSE = 40
"""A cell that is wider, in letters, is a sentence, which may break into lines on a terminal."""


@dataclass(frozen=True)
class DisplayTable:
    """A table of finished words: a title, column names (a name may occur twice) and rows of text and verdicts."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich__(self) -> Table:
        table = Table(
            title=self.title, title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False
        )
        for position, column in enumerate(self.columns):
            cells = [row[position] for row in self.rows]
            prose = any(cell_len(cell) > PROSE for cell in cells)
            numbers = any(cell[:1] in "0123456789+-–<" for cell in cells)
            table.add_column(column, justify="right" if numbers and not prose else "left", no_wrap=not prose)
        for row in self.rows:
            table.add_row(*(Text(cell, STYLES[cell.tone] if isinstance(cell, Verdict) else "") for cell in row))
        return table

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body = "".join("<tr>" + "".join(_html(cell) for cell in row) + "</tr>" for row in self.rows)
        return f"<table><caption>{escape(self.title)}</caption><tr>{head}</tr>{body}</table>"


@dataclass(frozen=True, repr=False)
class Answer:
    """The answer of a study: a sentence, what its terms mean, and tables; shown on a terminal and in a notebook."""

    headline: str
    explanation: str
    tables: Sequence[DisplayTable]
    details: Sequence[DisplayTable]

    def __str__(self) -> str:
        text = Console(width=200, color_system=None, highlight=False, file=io.StringIO())
        with text.capture() as captured:
            text.print(self)
        return captured.get()

    __repr__ = __str__

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in (*self.details, *self.tables):
            yield table
            yield ""
        yield Text(self.headline, style="bold")
        yield Text(self.explanation, style="dim")

    def _repr_html_(self) -> str:
        tables = "".join(table._repr_html_() for table in (*self.tables, *self.details))
        return f"<p><b>{escape(self.headline)}</b></p>{tables}<p><small>{escape(self.explanation)}</small></p>"


AnswerT = TypeVar("AnswerT", bound=Answer)


def answer_in(language: Language, answer: AnswerT) -> AnswerT:
    """An answer, which is in English, in a language; its data frames stay as they are."""
    if language == DEFAULT:
        return answer
    return replace(
        answer,
        headline=translate(answer.headline, language),
        explanation=translate(answer.explanation, language),
        tables=[table_in(language, table) for table in answer.tables],
        details=[table_in(language, table) for table in answer.details],
    )


def table_in(language: Language, table: DisplayTable) -> DisplayTable:
    """A table, which is in English, in a language."""
    columns = [translate(name, language) for name in table.columns]
    rows = [[_cell_in(language, cell, table.title) for cell in row] for row in table.rows]
    return DisplayTable(translate(table.title, language), columns, rows)


def _cell_in(language: Language, cell: str, title: str) -> str:
    said = translate_cell(cell, language, title)
    return Verdict(said, cell.tone) if isinstance(cell, Verdict) else said


def _html(cell: str) -> str:
    if not isinstance(cell, Verdict):
        return f"<td>{escape(cell)}</td>"
    return f'<td style="color: {COLOURS[cell.tone]}">{escape(cell)}</td>'
