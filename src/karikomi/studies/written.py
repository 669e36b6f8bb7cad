"""Tables of a run as files: what it has measured, the statistics behind its answer, and the answer's tables."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karikomi.errors import InputError
from karikomi.language import DEFAULT
from karikomi.registry import Entry, Registry
from karikomi.report.typeset import Sheet, latex, markdown
from karikomi.runs.files import write_given
from karikomi.studies.result import Result
from karikomi.studies.show import Answer, DisplayTable, table_in
from karikomi.studies.words import number, p_value

Content = pd.DataFrame | DisplayTable
P_VALUES = re.compile(r"(.*_)?[pq](_holm|_.*_holm)?|p_\w+")
"""Names of columns of p-values."""
INTERVAL = ["mean", "low", "high"]


def named_tables(result: Result) -> Registry[Entry]:
    """The tables of a run by name: those that it has measured, the statistics, and the tables of its answer.

    ``function()`` of an entry gives the data frame, or the finished words of a table of the answer, in the result's
    language. Names and meanings are in English.
    """
    answer = replace(result, language=DEFAULT).summary()
    found: dict[str, tuple[str, Content]] = {}
    for name, frame in result.tables.items():
        found[name] = (f"measured: {_columns(frame)}", frame)
    for name, frame in _frames(answer):
        found[f"statistics-{name}" if name in found else name] = (f"statistics: {_columns(frame)}", frame)
    for name, table in _displayed(answer).items():
        found[name] = (f"table of the answer: {table.title}", table_in(result.language, table))
    return Registry("table", {name: Entry(lambda it=it: it, meaning) for name, (meaning, it) in found.items()})


def write_table(result: Result, name: str, to: Path) -> None:
    """Write a table to a file, whole or not at all; its ending decides what it is.

    Raises:
        InputError: for a name or an ending that there is not, or a folder that there is not.
    """
    write, content = check(to), named_tables(result).find(name).function()
    write_given(to, write(name, content).encode())


def check(to: Path) -> Callable[[str, Content], str]:
    """What writes such a file; an InputError if there is no such ending."""
    if to.suffix.lower() not in FORMATS:
        raise InputError(f"a table is written as {', '.join(FORMATS)}; the file is called {to.name}")
    return FORMATS[to.suffix.lower()]


def _frames(answer: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """The data frames of a summary, and of the summaries in it."""
    for field in fields(answer):
        value = getattr(answer, field.name)
        if isinstance(value, pd.DataFrame) and len(value):
            yield field.name, value
        elif is_dataclass(value):
            yield from _frames(value)


def _displayed(answer: Answer) -> dict[str, DisplayTable]:
    """The tables of an answer by what their titles begin with, or by all of it where they begin alike."""
    tables = [*answer.tables, *answer.details]
    short = [_slug(re.split(r"[:(,]", table.title)[0]) for table in tables]
    return {
        name if short.count(name) == 1 else _slug(table.title): table for name, table in zip(short, tables, strict=True)
    }


def _slug(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def _columns(frame: pd.DataFrame) -> str:
    return f"{len(frame):,} rows of {', '.join(map(str, frame.columns))}"


def sheet(name: str, content: Content) -> Sheet:
    """A table in words; of a data frame the mean, low and high in one column, as mean ± half the interval."""
    if isinstance(content, DisplayTable):
        return Sheet(content.title, content.columns, content.rows)
    frame, columns = content.reset_index(drop=True), dict[str, pd.Series]()
    for column in map(str, frame.columns):
        if column == "mean" and set(INTERVAL) <= set(frame):
            columns[column] = _plus_minus(frame)
        elif column not in INTERVAL or "mean" not in frame:
            shown = p_value if P_VALUES.fullmatch(column) else _plain
            columns[column] = frame[column].map(shown)
    return Sheet(name, list(columns), list(zip(*columns.values(), strict=True)))


def _plus_minus(frame: pd.DataFrame) -> pd.Series:
    """Means of one measure have as many digits as leave half of its interval about two."""
    half = (frame["high"] - frame["low"]) / 2
    measure = frame["measure"] if "measure" in frame else pd.Series(0, frame.index)
    usual = half.where(half > 0).groupby(measure, dropna=False).transform("median")
    digits = (1 - np.floor(np.log10(usual))).clip(0, 12).fillna(4).astype(int)
    return pd.Series(
        [
            number(mean, places) + ("" if np.isnan(h) else f" ± {h:.{places}f}")
            for mean, h, places in zip(frame["mean"], half, digits, strict=True)
        ],
        frame.index,
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "–" if np.isnan(value) else f"{value:.6g}"
    return str(value)


def _csv(name: str, content: Content) -> str:
    shown = isinstance(content, DisplayTable)
    frame = pd.DataFrame(content.rows, columns=pd.Index(content.columns)) if shown else content
    return frame.to_csv(index=False, lineterminator="\n")


FORMATS: Mapping[str, Callable[[str, Content], str]] = {
    ".tex": lambda name, content: latex(sheet(name, content)),
    ".md": lambda name, content: markdown(sheet(name, content)),
    ".csv": _csv,
}
"""By ending; a CSV file has all digits of a data frame."""
