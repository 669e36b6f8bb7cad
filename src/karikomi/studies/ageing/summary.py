"""From the tables to the answer: does it hold, by what, and does it matter who dies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from karikomi.statistics.frames import Question, differences, intervals
from karikomi.studies.ageing import answer_tables
from karikomi.studies.ageing.answer import (
    HIGHER,
    LOWER,
    MARGIN,
    explanation,
    held,
    in_a_sentence,
    judge_claims,
    unnamed,
)
from karikomi.studies.ageing.lives import HEALTHY, NO_PATTERN, Life, lives
from karikomi.studies.ageing.protocol import AFTER, BEFORE
from karikomi.studies.ageing.settings import LINK_PATTERNS, RANDOM, RETRAIN, SCRATCH, SHAM, AgeingSettings
from karikomi.studies.result import Result
from karikomi.studies.show import Answer
from karikomi.studies.verdict import signed
from karikomi.studies.words import check_margin

MEASURES = ("final", "lowest", "highest", "life", "recovered", "loss", "dormant", "cka", "norm")
END, WHOLE = "final", "life"


class Compared(NamedTuple):
    """A life compared with another, by the measures in question."""

    name: str
    life: Life
    against: Life
    measures: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class AgeingSummary(Answer):
    """What an ageing run says. Intervals are 95 % (Student's t over replicates).

    Attributes:
        lives: per arm, pattern and measure the mean and interval: final (accuracy after the last cycle), lowest and
            highest (accuracy over all cycles), life (its mean over them: the area under the life curve), recovered
            (accuracy after minus before, mean over cycles); loss, dormant, cka and norm after the last cycle.
        differences: paired by replicate, for every question and measure: question (healthy, arms, scratch, patterns),
            arm, pattern, against_arm, against_pattern, measure, mean, low, high, p, p_holm (Holm over the comparisons
            of a question and measure) and verdict.
        claims: what a publication reports, and whether it holds; empty for another experiment than its own.
    """

    lives: pd.DataFrame
    differences: pd.DataFrame
    claims: pd.DataFrame


def summarize(
    tables: Mapping[str, pd.DataFrame], settings: AgeingSettings, *, accuracy_margin: float = MARGIN
) -> AgeingSummary:
    """Summarize the tables of an ageing run; of an unfinished one, up to the last cycle that all replicates have.

    Accuracy *holds* if it is shown to be no more than the margin below the healthy network's, and *falls* if it is
    shown to be below that: by the 95 % interval of the difference paired by replicate.
    """
    check_margin(accuracy_margin)
    last, measures = _last_cycle(tables["table"]), by_replicate(tables)
    found = {
        "lives": _lives(measures, settings),
        "differences": _differences(measures, settings, accuracy_margin),
        "claims": judge_claims(measures, settings),
    }
    return AgeingSummary(
        headline=in_a_sentence(found, last),
        explanation=explanation(found, settings, accuracy_margin),
        tables=answer_tables.main_tables(found),
        details=answer_tables.detail_tables(found),
        **found,
    )


def _last_cycle(table: pd.DataFrame) -> int:
    """The last one that all replicates have."""
    return int(table.groupby("replicate")["cycle"].max().min())


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The measures of every life, by arm, pattern and replicate."""
    last, life = _last_cycle(tables["table"]), ["arm", "pattern", "replicate"]
    table = tables["table"].query("cycle <= @last")
    wide = table.pivot(index=[*life, "cycle"], columns="when", values="accuracy").reindex(columns=[BEFORE, AFTER])
    by_life = wide.groupby(level=life)
    end = table[(table["when"] == AFTER) & (table["cycle"].isin([last]) | (table["arm"] == HEALTHY.arm))]
    end = end.set_index(life)[["accuracy", "loss", "dormant", "cka", "norm"]].rename(columns={"accuracy": END})
    over = by_life[AFTER].agg(["min", "max", "mean"]).set_axis(["lowest", "highest", WHOLE], axis=1)
    recovered = (wide[AFTER] - wide[BEFORE]).groupby(level=life).mean()
    return over.assign(recovered=recovered).join(end, how="inner")


def comparisons(result: Result) -> pd.DataFrame:
    """The paired differences; those that answer one question are one family."""
    found = unnamed(result.summary().differences)
    pairs = [answer_tables.pair(row) for _, row in found.iterrows()]
    return found.assign(comparison=pairs, family=found["question"], at="")


def _lives(each: pd.DataFrame, settings: AgeingSettings) -> pd.DataFrame:
    scratch = [Life(SCRATCH, pattern) for pattern in settings.drawn]
    there = [life for life in (HEALTHY, *lives(settings), *scratch) if life in each.index]
    table = pd.concat([each.xs(life, level=("arm", "pattern"), drop_level=False) for life in there]) if there else each
    return intervals(table.reset_index(), [*Life._fields], MEASURES)


def _differences(each: pd.DataFrame, settings: AgeingSettings, margin: float) -> pd.DataFrame:
    asked = []
    for question in _questions(settings):
        if question.life not in each.index or question.against not in each.index:
            continue  # arms that were not run, and what an unfinished run does not have yet
        ours, theirs = each.loc[question.life], each.loc[question.against]
        names = {**question.life._asdict(), **{f"against_{k}": v for k, v in question.against._asdict().items()}}
        for measure in question.measures:
            where = {"question": question.name, **names, "measure": measure}
            asked.append(Question(where, ours[measure], theirs[measure]))
    labels = ["question", "arm", "pattern", "against_arm", "against_pattern", "measure"]
    found = differences(asked, labels, family=["question", "measure"])
    verdicts = [
        held(row, margin) if row.question == "healthy" else signed(row.mean, row.p_holm, LOWER, HIGHER)
        for row in found.itertuples()
    ]
    return found.assign(verdict=verdicts)


def _questions(s: AgeingSettings) -> Iterator[Compared]:
    """Of arms that were not run, too."""
    for life in lives(s):
        yield Compared("healthy", life, HEALTHY, (END,))
    for pattern in s.drawn:
        ours = Life(RETRAIN, pattern)
        for arm in ("none", "homeostasis", "regrowth"):
            yield Compared("arms", ours, Life(arm, pattern), (END, WHOLE))
        yield Compared("arms", ours, Life(SHAM, NO_PATTERN), (END, WHOLE))
        yield Compared("scratch", ours, Life(SCRATCH, pattern), (END,))
    for first, second in _pairs(s):
        for arm in ("none", RETRAIN, "homeostasis", "regrowth"):
            yield Compared("patterns", Life(arm, first), Life(arm, second), (END, WHOLE))


def _pairs(s: AgeingSettings) -> Iterator[tuple[str, str]]:
    """The patterns that are compared: local with long-range ones, each with its control or else with random deaths."""
    if set(LINK_PATTERNS) <= set(s.patterns):
        yield "local", "long-range"
    yield from s.controls.items()
    if RANDOM in s.patterns and not s.controls:
        yield from ((pattern, RANDOM) for pattern in s.chosen if pattern != RANDOM)
