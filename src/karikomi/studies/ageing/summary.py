"""From the tables to the answer: does it hold, by what, and does it matter who dies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from karikomi.statistics import Difference, holm, mean_interval, paired_difference
from karikomi.studies.ageing import wording
from karikomi.studies.ageing.claims import judge_claims
from karikomi.studies.ageing.lives import HEALTHY, NO_PATTERN, Life, lives
from karikomi.studies.ageing.protocol import AFTER, BEFORE
from karikomi.studies.ageing.settings import LINK_PATTERNS, RANDOM, RETRAIN, SCRATCH, SHAM, AgeingSettings
from karikomi.studies.ageing.verdict import compared, held
from karikomi.studies.show import Answer

MEASURES = ("final", "lowest", "highest", "life", "recovered", "loss", "dormant", "cka", "norm")
END, WHOLE = "final", "life"


class Question(NamedTuple):
    """A life compared with another, by the measures in question."""

    name: str
    life: Life
    against: Life
    measures: tuple[str, ...]


@dataclass(frozen=True)
class AgeingSummary(Answer):
    """What an ageing run says. Intervals are 95 % (Student's t over replicates).

    Attributes:
        lives: per arm, pattern and measure the mean and interval: final (accuracy after the last cycle), lowest and
            highest (accuracy over all cycles), life (its mean over them: the area under the life curve), recovered
            (accuracy after minus before, mean over cycles); loss, dormant, cka and norm after the last cycle.
        differences: paired by replicate, for every question and measure: question (healthy, arms, scratch, patterns),
            arm, pattern, against_arm, against_pattern, measure, mean, low, high, p, p_holm (Holm over the comparisons
            of a question and measure) and verdict.
        claims: what the post saw once, and whether it holds; empty for another experiment than the post's.
    """

    lives: pd.DataFrame
    differences: pd.DataFrame
    claims: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: AgeingSettings) -> AgeingSummary:
    """Summarize the tables of an ageing run; of an unfinished one, up to the last cycle that all replicates have."""
    table = tables["table"]
    last = int(table.groupby("replicate")["cycle"].max().min())
    each = _each(table[table["cycle"] <= last], last)
    found = {"lives": _lives(each), "differences": _differences(each, settings), "claims": judge_claims(each, settings)}
    return AgeingSummary(
        headline=wording.headline(found, settings, last),
        explanation=wording.explanation(settings),
        tables=wording.main_tables(found),
        details=wording.detail_tables(found),
        **found,
    )


def _each(table: pd.DataFrame, last: int) -> pd.DataFrame:
    """The measures of every life, a row per arm, pattern and replicate."""
    life = ["arm", "pattern", "replicate"]
    wide = table.pivot(index=[*life, "cycle"], columns="when", values="accuracy").reindex(columns=[BEFORE, AFTER])
    by_life = wide.groupby(level=life)
    end = table[(table["when"] == AFTER) & (table["cycle"].isin([last]) | (table["arm"] == HEALTHY.arm))]
    end = end.set_index(life)[["accuracy", "loss", "dormant", "cka", "norm"]].rename(columns={"accuracy": END})
    over = pd.DataFrame(
        {
            "lowest": by_life[AFTER].min(),
            "highest": by_life[AFTER].max(),
            WHOLE: by_life[AFTER].mean(),
            "recovered": (wide[AFTER] - wide[BEFORE]).groupby(level=life).mean(),
        }
    )
    return over.join(end, how="inner")


def _lives(each: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {"arm": arm, "pattern": pattern, "measure": measure, **mean_interval(group[measure])._asdict()}
        | {"replicates": len(group)}
        for (arm, pattern), group in each.groupby(level=["arm", "pattern"], sort=False)
        for measure in MEASURES
    ]
    return pd.DataFrame(rows)


def _differences(each: pd.DataFrame, settings: AgeingSettings) -> pd.DataFrame:
    rows = []
    for question in _questions(settings):
        if question.life not in each.index or question.against not in each.index:
            continue  # an unfinished run has not everything yet
        ours, theirs = each.loc[question.life], each.loc[question.against]
        names = {**question.life._asdict(), **{f"against_{k}": v for k, v in question.against._asdict().items()}}
        for measure in question.measures:
            found = paired_difference(ours[measure], theirs.loc[ours.index, measure])
            rows.append({"question": question.name, **names, "measure": measure, **found._asdict()})
    columns = ["question", "arm", "pattern", "against_arm", "against_pattern", "measure", *Difference._fields]
    differences = pd.DataFrame(rows, columns=columns)
    families = differences.groupby(["question", "measure"], sort=False)["p"]
    differences["p_holm"] = families.transform(lambda p: holm(p.to_numpy()))
    return differences.assign(verdict=[_verdict(row) for _, row in differences.iterrows()])


def _verdict(row: pd.Series) -> str:
    if row["question"] == "healthy":
        return held(Difference(*(row[field] for field in Difference._fields)))
    return compared(row["mean"], row["p_holm"])


def _questions(s: AgeingSettings) -> Iterator[Question]:
    for life in lives(s):
        yield Question("healthy", life, HEALTHY, (END,))
    for pattern in s.drawn:
        for arm in s.arms:
            if arm not in (RETRAIN, SHAM, SCRATCH):
                yield Question("arms", Life(RETRAIN, pattern), Life(arm, pattern), (END, WHOLE))
        yield Question("arms", Life(RETRAIN, pattern), Life(SHAM, NO_PATTERN), (END, WHOLE))
        yield Question("scratch", Life(RETRAIN, pattern), Life(SCRATCH, pattern), (END,))
    for first, second in _pairs(s):
        for arm in s.arms:
            if arm not in (SHAM, SCRATCH):
                yield Question("patterns", Life(arm, first), Life(arm, second), (END, WHOLE))


def _pairs(s: AgeingSettings) -> Iterator[tuple[str, str]]:
    """The patterns that are compared: each with its control, or with random deaths; local with long-range ones."""
    yield from s.controls.items()
    if set(LINK_PATTERNS) <= set(s.patterns):
        yield LINK_PATTERNS
    if RANDOM in s.patterns and not s.controls:
        yield from ((pattern, RANDOM) for pattern in s.chosen if pattern != RANDOM)
