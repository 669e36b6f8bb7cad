"""Effects of size, depth, dropout and normalization, paired by replicate."""

from collections.abc import Iterator, Sequence

import pandas as pd

from karikomi.statistics.frames import Question, differences
from karikomi.studies.architectures.conditions import FACTORS

MEASURES = ("accuracy", "robustness", "within_rate", "beyond_rate", "f50", "drop", "aged", "retrained", "recovered")


def completed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what retraining gives back, ``recovered``: accuracy retrained minus without training."""
    return table.assign(recovered=table["retrained"] - table["aged"]) if len(table) else table


def main_effects(table: pd.DataFrame) -> pd.DataFrame:
    """Each level of a factor minus its first level, a mean over all other factors, paired by replicate.

    Of the layers also at each number of parameters. Holm-corrected over the contrasts of a measure.

    Args:
        table: of the perceptrons, :func:`completed`.

    Returns:
        A row per contrast and measure: factor, level, against, at (the number of parameters, 0: all), measure, mean,
        low, high, p, p_holm, replicates.
    """
    labels = ["factor", "level", "against", "at", "measure"]
    return differences(list(_questions(table)), labels, family=["measure"])


def _questions(table: pd.DataFrame) -> Iterator[Question]:
    sizes = table["parameters"].drop_duplicates().tolist() if len(table) else []
    for factor, at in [*((factor, 0) for factor in FACTORS), *(("layers", size) for size in sizes if len(sizes) > 1)]:
        chosen = table[table["parameters"] == at] if at else table
        means = chosen.groupby([factor, "replicate"], sort=False)[list(MEASURES)].mean() if len(chosen) else chosen
        first, *others = chosen[factor].drop_duplicates().tolist() if len(chosen) else [None]
        for level in others:
            where = {"factor": factor, "level": level, "against": first, "at": at}
            for measure in MEASURES:
                yield Question({**where, "measure": measure}, means.loc[level][measure], means.loc[first][measure])


def variance_shares(table: pd.DataFrame, measures: Sequence[str] = MEASURES) -> pd.DataFrame:
    """η², the share of the variance between the conditions' means that each factor explains alone; the rest is theirs
    together (interactions). NaN where all means are equal.

    Args:
        table: of the perceptrons, every level of a factor with every one of the others.

    Returns:
        A row per factor of several levels, and one ``together``; a column per measure, 0 … 1.
    """
    if table.empty:
        return pd.DataFrame(columns=["factor", *measures])
    cells = table.groupby(list(FACTORS), sort=False)[list(measures)].mean()
    total = ((cells - cells.mean()) ** 2).sum()
    rows = []
    for factor in FACTORS:
        if cells.index.get_level_values(factor).nunique() > 1:
            level_means = cells.groupby(level=factor).transform("mean")
            rows.append({"factor": factor, **((level_means - cells.mean()) ** 2).sum().div(total.where(total > 0))})
    alone = pd.DataFrame(rows, columns=["factor", *measures])
    rest = 1 - alone[list(measures)].sum(skipna=False) if rows else pd.Series(1.0, list(measures))
    return pd.concat([alone, pd.DataFrame([{"factor": "together", **rest}])], ignore_index=True)
