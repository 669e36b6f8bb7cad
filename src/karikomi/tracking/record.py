"""What a tracker gets of a run; all of it is made from the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from karikomi.figures.theme import percent
from karikomi.language import DEFAULT
from karikomi.report.typeset import markdown
from karikomi.statistics.frames import REPLICATE, intervals
from karikomi.studies.result import Result
from karikomi.studies.words import worded
from karikomi.studies.written import FORMATS, named_tables, sheet

ROUND, STEP = "round", "step"


class Line(NamedTuple):
    """A measure of one condition, step by step.

    Attributes:
        measure: a column of the run's tables.
        condition: what tells it from other conditions: ticket, 21.1 %.
        unit: what a step is: iteration, round.
        points: a row per step, in order: step, mean, low, high (a 95 % interval over replicates, or NaN).
    """

    measure: str
    condition: tuple[str, ...]
    unit: str
    points: pd.DataFrame

    @property
    def name(self) -> str:
        """
        >>> Line("accuracy", ("ticket", "21.1 %"), "iteration", pd.DataFrame()).name
        'accuracy/ticket/21.1 %'
        """
        return "/".join([self.measure, *self.condition])

    def values(self) -> Iterator[tuple[str, int, float]]:
        """``mean``, ``low`` or ``high``, step and value; what is not a number is left out."""
        for side in ("mean", "low", "high"):
            for step, value in zip(self.points[STEP], self.points[side], strict=True):
                if np.isfinite(value):
                    yield side, int(step), float(value)


@dataclass(frozen=True)
class Record:
    """A run as trackers are told of it."""

    result: Result

    @property
    def name(self) -> str:
        return self.result.folder.path.name

    @property
    def tags(self) -> dict[str, str]:
        """Which run it is, of what, and its answer."""
        folder = self.result.folder
        own = {"study": folder.study, "identity": folder.identity, "version": version("karikomi")}
        return {**own, "answer": self.result.summary().headline}

    @property
    def times(self) -> dict[str, Any]:
        """When it was ``started`` and ``finished``."""
        return self.result.folder.environment

    @property
    def settings(self) -> dict[str, Any]:
        """Numbers as they are, lists as on the command line."""
        given = self.result.folder.settings.items()
        return {name: worded(value) if isinstance(value, list) else value for name, value in given}

    @property
    def note(self) -> str:
        """The answer, what its terms mean, and the command, in Markdown."""
        answer = self.result.summary()
        return f"**{answer.headline}**\n\n{answer.explanation}\n\n```sh\n{self.result.command}\n```\n"

    @property
    def answers(self) -> dict[str, str]:
        """The tables of the answer in Markdown, by title."""
        return {table.title: markdown(sheet(table.title, table)) for table in self.result.summary().tables}

    @property
    def page(self) -> Path:
        return self.result.page

    @property
    def images(self) -> list[Path]:
        """The figures."""
        return sorted(self.result.folder.figures.glob("*.png"))

    def write_tables(self, folder: Path) -> None:
        """Every table of the run as CSV."""
        # Named in English, whatever the summary is in.
        tables = named_tables(replace(self.result, language=DEFAULT))
        for name, entry in tables.items():
            (folder / f"{name}.csv").write_text(FORMATS[".csv"](name, entry.function()), encoding="utf-8")

    @property
    def lines(self) -> list[Line]:
        """How the networks fared on the way, and the measures by which runs are compared."""
        study, tables, way = self.result.study, self.result.tables, self.result.study.way
        measures = study.by_replicate(tables)
        levels = [name for name in measures.index.names if name not in (ROUND, REPLICATE)]
        by = [name for name in way.by if name in levels] if way else levels
        measures = measures.reset_index()
        rounds = measures.get(ROUND, pd.Series(0, measures.index))
        found = list(_lines(measures.assign(step=rounds), ROUND, by, list(study.compared)))
        if way and len(table := tables[way.table]):
            by = [name for name in way.by if name in table]
            steps = (way.factor * table[way.step]).round().astype(int)
            found += _lines(table.assign(step=steps), way.step, by, way.measures)
        # Where both have a name, what is compared is where the line begins.
        return list({line.name: line for line in found}.values())


def _lines(table: pd.DataFrame, unit: str, by: list[str], measures: Sequence[str]) -> Iterator[Line]:
    """The lines of every condition and measure; what a replicate has several times is averaged first."""
    named = table.assign(**{name: _worded(table, name) for name in by})
    each = named.groupby([*by, STEP, REPLICATE], sort=False)[list(measures)].mean().reset_index()
    found = intervals(each.sort_values(STEP, kind="stable"), [*by, STEP], measures)
    for (measure, *condition), points in found.groupby(["measure", *by], sort=False):
        yield Line(str(measure), tuple(filter(None, condition)), unit, points[[STEP, "mean", "low", "high"]])


def _worded(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of conditions in words: a density, also of a round, in percent; a number with what it is."""
    column = table[name]
    if name == ROUND and "density" in table:
        column, name = table.groupby(ROUND)["density"].transform("mean"), "density"
    if name == "density":
        return column.map(percent)
    if pd.api.types.is_numeric_dtype(column):
        return column.map(lambda value: f"{name} {worded(value)}")
    return column.astype(str)
