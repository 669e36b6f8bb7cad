"""Statistics of whole tables: the rows of one replicate are a sample, the replicates are the units."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from karikomi.statistics.corrections import holm
from karikomi.statistics.intervals import Difference, Interval, mean_interval, paired_difference

REPLICATE = "replicate"
"""The column, or the level of an index, that tells replicates apart."""


class Question(NamedTuple):
    """Whether a measure differs between two conditions, paired by replicate.

    Attributes:
        labels: what the answer's row says of the question, by column.
        ours: a value per replicate, indexed by it.
        theirs: the values to compare with.
    """

    labels: Mapping[str, Any]
    ours: pd.Series
    theirs: pd.Series


def intervals(table: pd.DataFrame, by: Sequence[str], measures: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % interval (Student's t) of every measure in every group of rows.

    Args:
        table: a row per replicate and group, with the columns ``by`` and ``measures``.
        by: the columns that tell groups apart; none: all rows are one group.
        measures: the columns to summarize.

    Returns:
        A row per group and measure, in the order of the table: ``by``, measure, mean, low, high, replicates. All NaN
        where a value is missing: what is not defined for a replicate is not averaged away.

    >>> table = pd.DataFrame({"arm": ["a", "a", "b"], "accuracy": [0.9, 1.0, 0.5]})
    >>> intervals(table, ["arm"], ["accuracy"])[["arm", "mean", "replicates"]].values.tolist()
    [['a', 0.95, 2], ['b', 0.5, 1]]
    """
    groups = table.groupby(list(by), sort=False, dropna=False) if by else [((), table)] if len(table) else []
    rows = [
        {
            **dict(zip(by, key, strict=True)),
            "measure": measure,
            **mean_interval(group[measure])._asdict(),
            "replicates": len(group),
        }
        for key, group in groups
        for measure in measures
    ]
    return pd.DataFrame(rows, columns=[*by, "measure", *Interval._fields, "replicates"])


def differences(questions: Sequence[Question], labels: Sequence[str], family: Sequence[str]) -> pd.DataFrame:
    """The answers to many questions: paired differences, Holm-corrected within each family of them.

    Args:
        questions: what is compared; replicates that only one side has do not count.
        labels: the columns of the questions' labels, also for a table without any row.
        family: those of the labels that tell families apart; none: all questions are one family.

    Returns:
        A row per question: ``labels``, mean, low, high, p (paired t-test, two-sided), p_holm, replicates.

    >>> ours, theirs = (pd.Series(values, index=[0, 1, 2]) for values in ([3.0, 4, 5], [1.0, 2, 4]))
    >>> round(differences([Question({"measure": "loss"}, ours, theirs)], ["measure"], [])["mean"].item(), 3)
    1.667
    """
    rows = []
    for question in questions:
        ours, theirs = question.ours.align(question.theirs, join="inner")
        answer = paired_difference(ours.to_numpy(float), theirs.to_numpy(float))
        rows.append({**question.labels, **answer._asdict(), "replicates": len(ours)})
    found = pd.DataFrame(rows, columns=[*labels, *Difference._fields, "replicates"])
    return with_holm(found, family)


def with_holm(found: pd.DataFrame, family: Sequence[str]) -> pd.DataFrame:
    """The table with a column p_holm behind p: Holm's correction within every family, told apart by those columns."""
    p = found["p"].astype(float)
    families = p.groupby([found[name] for name in family], sort=False) if family else None
    corrected = families.transform(lambda each: holm(each.to_numpy())) if families else pd.Series(holm(p), p.index)
    found = found.copy()
    found.insert(found.columns.get_loc("p") + 1, "p_holm", corrected)
    return found
