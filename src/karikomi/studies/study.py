"""What a study is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from karikomi.registry import Entry, Registry, later
from karikomi.runs.folder import RunFolder
from karikomi.studies.settings import StudySettings

if TYPE_CHECKING:
    import pandas as pd

    from karikomi.report.life import Life
    from karikomi.studies.result import Result
    from karikomi.studies.setup import Setup
    from karikomi.studies.show import Answer
    from karikomi.studies.stage import Saved, Stage

FOREST = (
    "Every comparison: the difference paired by replicate with its 95 % interval. Filled marks are shown to differ from"
    " 0 (p < 0.05, Holm-corrected)."
)
"""The caption of :func:`karikomi.studies.comparisons.comparisons`, where it is one of a study's figures."""


class MeasureFormat(NamedTuple):
    """How a measure is written: its name, its unit, the factor to that unit, and digits after the point."""

    title: str
    unit: str
    factor: float
    digits: int

    @property
    def points(self) -> str:
        """The unit of a difference: percentages differ by points."""
        return "points" if self.unit == "%" else self.unit


class Way(NamedTuple):
    """The table that tells how networks fare step by step, as trackers draw it.

    Attributes:
        table: its name.
        step: the column of steps.
        by: the columns that tell conditions apart, as far as it has them.
        measures: the columns of what is measured.
        factor: from ``step`` to whole numbers: 100 of a share.
    """

    table: str
    step: str
    by: tuple[str, ...]
    measures: tuple[str, ...]
    factor: int = 1


@dataclass(frozen=True)
class Study:
    """One experiment: settings, stages of work, tables, answer, figures.

    Attributes:
        name: that of the command and the Python function.
        settings: what a user may set.
        prepare: loads and checks everything, before anything is written.
        stages: its work.
        tables: what a run folder holds, by name; ``table`` is the main one.
        saved: which networks a run folder holds.
        summarize: from tables and settings to the answer.
        by_replicate: from the tables the measures of every replicate: a row per replicate and condition, which are the
            index.
        compared: which of those tell two runs apart, and how they are written.
        figures: by name what draws a figure from a result (None where it has no meaning), with its caption.
        margin: whether verdicts depend on a margin of accuracy.
        life: from a result to what the viewer of its page plays, None where the run has not kept it; no viewer without.
        comparisons: from a result to its paired differences, as :func:`karikomi.studies.comparisons.every_comparison`
            gives them; None for a study that compares no two conditions.
        way: how its networks fare step by step; None for a study without steps.
    """

    name: str
    settings: type[StudySettings]
    prepare: Callable[..., Setup[Any]]
    stages: Callable[[Setup[Any]], list[Stage]]
    tables: Callable[[RunFolder], dict[str, pd.DataFrame]]
    saved: Callable[[RunFolder], list[Saved]]
    summarize: Callable[..., Answer]
    by_replicate: Callable[[Mapping[str, pd.DataFrame]], pd.DataFrame]
    compared: Mapping[str, MeasureFormat]
    figures: Registry[Entry]
    margin: bool = False
    life: Callable[[Result], Life | None] | None = None
    comparisons: Callable[[Result], pd.DataFrame] | None = None
    way: Way | None = None


def study(
    name: str,
    settings: type[StudySettings],
    *,
    compared: Mapping[str, MeasureFormat],
    captions: Mapping[str, str],
    prepare: str = "stages:prepare",
    saved: str = "tables:saved",
    margin: bool = False,
    life: bool = False,
    comparisons: bool = False,
    way: Way | None = None,
) -> Study:
    """The study in the folder ``karikomi/studies/<name>``; nothing of it is imported before it is needed.

    Its module ``stages`` holds ``stages``, and ``prepare`` unless that is elsewhere; ``tables`` holds ``tables`` and
    ``saved``; ``summary`` holds ``summarize`` and ``by_replicate``; ``pictures`` a function per figure; ``life`` the
    function ``life``, of a study whose page has a viewer. Of a study that compares conditions ``summary`` holds also
    ``comparisons``.
    """

    def within(where: str) -> Callable[..., Any]:
        return later(where if where.startswith("karikomi.") else f"karikomi.studies.{name}.{where}")

    drawn = {figure: Entry(within(f"pictures:{figure}"), caption) for figure, caption in captions.items()}
    return Study(
        name=name,
        settings=settings,
        prepare=within(prepare),
        stages=within("stages:stages"),
        tables=within("tables:tables"),
        saved=within(saved),
        summarize=within("summary:summarize"),
        by_replicate=within("summary:by_replicate"),
        compared=compared,
        figures=Registry("figure", drawn),
        margin=margin,
        life=within("life:life") if life else None,
        comparisons=within("summary:comparisons") if comparisons else None,
        way=way,
    )
