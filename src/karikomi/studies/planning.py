"""How many replicates would show a difference, from the spread of a run's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from karikomi.errors import InputError, unknown
from karikomi.language import DEFAULT, Language
from karikomi.statistics import ALPHA
from karikomi.statistics.power import MOST, deviation, effect_shown, replicates_for
from karikomi.studies import POWER
from karikomi.studies.comparisons import every_comparison
from karikomi.studies.result import Result
from karikomi.studies.show import Answer, DisplayTable, answer_in
from karikomi.studies.study import MeasureFormat
from karikomi.studies.words import number


@dataclass(frozen=True, repr=False)
class Plan(Answer):
    """How many replicates each comparison of a run needs; shows itself in a notebook.

    Attributes:
        comparisons: a row per comparison and condition (at): replicates (the present number), deviation,
            deviation_low, deviation_high (of the paired differences, 95 % by χ²), needed, needed_low, needed_high
            (replicates, from these; infinite above a million), tests (of the comparison's family), needed_holm (at
            0.05 / tests), shown and shown_holm (the difference that the present number shows, in the measure's unit as
            in the run's tables).
    """

    comparisons: pd.DataFrame


def plan(
    result: Result,
    difference: float | None = None,
    power: float = POWER,
    measure: str | None = None,
    language: Language = DEFAULT,
) -> Plan:
    """Plan the replicates of a study from a run of it; see :func:`karikomi.plan`."""
    formats = result.study.compared
    name = measure or next(iter(formats))
    if name not in formats:
        raise unknown("measure", name, formats)
    shown = formats[name]
    wanted = 10.0 ** (1 - shown.digits) if difference is None else difference
    if not 0 < wanted < np.inf:
        raise InputError(f"difference must be above 0, in {shown.points}; it is {difference}")
    if not ALPHA < power < 1:
        raise InputError(f"power must lie between {ALPHA} and 1; it is {power}")
    rows = every_comparison(result).query("measure == @name")
    rows = pd.concat([group for _, group in rows.groupby("comparison", sort=False)] or [rows])
    if rows.empty:
        raise InputError(f"the run compares nothing by {name}; it compares {', '.join(_known(result)) or 'nothing'}")
    if not (rows["replicates"] > 1).any():
        raise InputError("a spread needs two replicates; the run has one")
    tests = rows.groupby("family")["p"].transform("count")
    asked = rows.assign(tests=tests).to_dict("records")
    found = pd.DataFrame([_planned(row, wanted / shown.factor, power) for row in asked])
    what = f"{wanted:g} {shown.points}"
    planned = Plan(
        headline=_headline(found, what, shown),
        explanation=_explanation(result, shown, what, power),
        tables=[DisplayTable(f"Replicates for {what}: {shown.title}", COLUMNS, list(_rows(found, shown)))],
        details=[],
        comparisons=found,
    )
    return answer_in(language, planned)


def _known(result: Result) -> list[str]:
    return list(every_comparison(result)["measure"].unique())


def _planned(row: Mapping[str, Any], difference: float, power: float) -> dict[str, Any]:
    spread = deviation((row["high"] - row["low"]) / 2, row["replicates"])
    effect, least, most = (difference / s if s != 0 else np.inf for s in (spread.value, spread.high, spread.low))
    corrected = ALPHA / max(row["tests"], 1)
    shown = (spread.value * effect_shown(row["replicates"], power, alpha) for alpha in (ALPHA, corrected))
    return {
        **{name: row[name] for name in ("comparison", "at", "measure", "replicates")},
        **dict(zip(("deviation", "deviation_low", "deviation_high"), spread, strict=True)),
        "needed": replicates_for(effect, power),
        "needed_low": replicates_for(most, power),
        "needed_high": replicates_for(least, power),
        "tests": row["tests"],
        "needed_holm": replicates_for(effect, power, corrected),
        **dict(zip(("shown", "shown_holm"), shown, strict=True)),
    }


COLUMNS = (
    "",
    "at",
    "spread",
    "replicates",
    "from",
    "to",
    "Holm's factor",
    "replicates, Holm",
    "now",
    "shows",
    "shows, Holm",
)


def _rows(found: pd.DataFrame, shown: MeasureFormat) -> Iterator[tuple[str, ...]]:
    for row in found.to_dict("records"):
        spread, now, holm = (
            number(shown.factor * row[name], shown.digits) for name in ("deviation", "shown", "shown_holm")
        )
        needed, low, high, corrected = (
            _count(row[name]) for name in ("needed", "needed_low", "needed_high", "needed_holm")
        )
        many = f"{row['replicates']:,}"
        yield row["comparison"], row["at"], spread, needed, low, high, f"{row['tests']}", corrected, many, now, holm


def _count(replicates: float) -> str:
    return f"> {MOST:,}" if replicates == np.inf else number(replicates, 0)


def _headline(found: pd.DataFrame, what: str, shown: MeasureFormat) -> str:
    """Of the comparison that needs most."""
    worst = found.loc[found["needed"].fillna(-1).idxmax()]
    now = number(shown.factor * worst["shown"], shown.digits)
    return (
        f"{what} would be shown in every comparison by {_count(worst['needed'])} replicates, with Holm's correction by"
        f" {_count(found['needed_holm'].max())}; the present {worst['replicates']} show {now}."
    )


def _explanation(result: Result, shown: MeasureFormat, what: str, power: float) -> str:
    return (
        f"Spread: the standard deviation of the differences paired by replicate, in {shown.points}, of the run"
        f" {result.folder.path.name}. Replicates: the least number by which a two-sided paired t-test at {ALPHA} shows"
        f" a true difference of {what} with probability {power:g} (noncentral t); from, to: the same at both ends of"
        " the spread's 95 % interval (χ²), which few replicates leave wide. Holm's factor: the tests of the"
        f" comparison's family; the smallest p of so many must be below {ALPHA} over it, the strictest step, for which"
        " the columns of Holm plan. Shows: the true difference that the present number shows with that probability."
    )
