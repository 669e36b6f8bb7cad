"""What a claim is measured by: a number per replicate, from the tables of runs."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from karikomi.claims.claim import Aggregate, Measure, Selection
from karikomi.errors import InputError, unknown
from karikomi.statistics.frames import REPLICATE
from karikomi.studies.result import Result

MEASURES = "measures"
"""The table by which ``karikomi compare`` tells runs of a study apart."""

# A value that is missing in a replicate is not averaged away.
AGGREGATES: Mapping[Aggregate, Callable[[pd.Series], float]] = {
    "mean": lambda values: values.mean(skipna=False),
    "min": lambda values: values.min(skipna=False),
    "max": lambda values: values.max(skipna=False),
    "sum": lambda values: values.sum(skipna=False),
    "last": lambda values: values.iloc[-1],
}


def values(measure: Measure, results: Mapping[str, Result]) -> pd.Series:
    """The measure by replicate; of two selections, for the replicates that both have. Nothing over 0 is NaN.

    Raises:
        InputError: for a table or a column that a run does not have, or rows that match nothing.
    """
    first, *others = (_selected(selection, results) for selection in measure.selections)
    for other in others:
        first, other = first.align(other, join="inner")
        if first.empty:
            raise InputError("no replicate has both of what is compared")
        first = first - other if measure.minus is not None else first / other.replace(0, np.nan)
    return measure.times * first + measure.plus


def _selected(selection: Selection, results: Mapping[str, Result]) -> pd.Series:
    name, column = selection.table, selection.column
    rows = _table(results[selection.run], name)
    for asked in (column, *selection.where):
        if asked not in rows:
            raise unknown(f"column of the table {name}", asked, map(str, rows.columns))
    for asked, wanted in selection.where.items():
        matching = rows[rows[asked].isin(wanted if isinstance(wanted, list) else [wanted])]
        if matching.empty:
            known = ", ".join(map(str, rows[asked].unique()))
            raise InputError(f"no row of the table {name} has {asked} {wanted!r}; there are: {known}")
        rows = matching
    if not pd.api.types.is_numeric_dtype(rows[column]):
        raise InputError(f"the column {column} of the table {name} holds no numbers")
    return rows.groupby(REPLICATE)[column].agg(AGGREGATES[selection.aggregate]).astype(float)


def _table(result: Result, name: str) -> pd.DataFrame:
    if name == MEASURES:
        return result.study.by_replicate(result.tables).reset_index()
    if name not in result.tables:
        raise unknown("table", name, (*result.tables, MEASURES))
    return result.tables[name]
