"""From the tables to the answer: robustness, differences from random orders, cliffs, published claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from karikomi import seeds
from karikomi.statistics import Difference, Drop, compare_drops, hierarchical_difference
from karikomi.statistics.frames import Question, differences, intervals, with_holm
from karikomi.studies.lesion import answer_tables
from karikomi.studies.lesion.answer import (
    ARM,
    BETTER,
    WORSE,
    cliff_verdict,
    explanation,
    in_a_sentence,
    judge_claims,
    order_name,
)
from karikomi.studies.lesion.arms import MATCHED, RANDOM, Arm, targeted_arms
from karikomi.studies.lesion.paired import Orders, by_kind, paired
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.result import Result
from karikomi.studies.show import Answer
from karikomi.studies.verdict import signed

MEASURES = ("robustness", "loss_rise", "f50", "accuracy_at_half", "drop", "drop_at")
COMPARED = (("robustness", MATCHED), ("robustness", RANDOM), ("loss_rise", MATCHED))


@dataclass(frozen=True, repr=False)
class LesionSummary(Answer):
    """What a lesion run says. Intervals are 95 %.

    Attributes:
        arms: per arm, control and measure the mean over replicates (the orders of a replicate are averaged first) with
            Student's interval: criterion, direction, timing, control, measure, mean, low, high, replicates.
        differences: per targeted arm, measure and ``against`` (random, layer-matched, a null network's order) targeted
            minus that, paired by replicate, by hierarchical bootstrap: mean, low, high, p, and p_holm (Holm over the
            arms).
        verdicts: per targeted arm whether its robustness is shown to differ from that of layer-matched orders.
        cliffs: per targeted arm its largest drop by one removal (0 … 1: size, size_low, size_high), the share of the
            units that is removed then (place, place_low, place_high), the mean largest drop of layer-matched orders
            (random), the test against them (p, and p_holm over the arms) and the verdict.
        claims: what a publication reports, and whether it holds; empty for another experiment than its own.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    verdicts: pd.DataFrame
    cliffs: pd.DataFrame
    claims: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: LesionSettings) -> LesionSummary:
    """Summarize the tables of a lesion run."""
    orders, rng = by_kind(tables["table"]), seeds.stream(settings.seed, "bootstrap")
    # An unfinished run may lack some, or have no replicate yet with both kinds of order.
    arms = [arm for arm in targeted_arms(settings) if len(paired(orders, arm, MATCHED, "robustness")[0])]
    differences = _differences(orders, arms, (*COMPARED, *(("robustness", null) for null in settings.null)), rng)
    found = {
        "arms": intervals(by_replicate(tables).reset_index(), [*ARM, "control"], MEASURES),
        "differences": differences,
        "verdicts": _verdicts(differences),
        "cliffs": _cliffs(orders, arms, rng),
        "claims": judge_claims(orders, arms, settings, rng),
    }
    return LesionSummary(
        headline=in_a_sentence(found),
        explanation=explanation(found, settings),
        tables=answer_tables.main_tables(found),
        details=answer_tables.detail_tables(found),
        **found,
    )


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by arm, control and replicate; the orders of a replicate are averaged."""
    return tables["table"].groupby([*ARM, "control", "replicate"], sort=False)[list(MEASURES)].mean()


def comparisons(result: Result) -> pd.DataFrame:
    """Targeted orders minus random ones, whose mean stands for a replicate: by Student's t, where the answer's
    intervals are by bootstrap, of the random orders too. Those from one control are one family."""
    orders, questions = by_kind(result.table), list[Question]()
    for measure, against in COMPARED:
        for arm in targeted_arms(result.settings):
            ours, theirs = (pd.Series(values) for values in _means(orders, arm, against, measure))
            words = {"comparison": f"{order_name(arm._asdict())} minus {against}", "at": "", "family": against}
            questions.append(Question({**words, "measure": measure}, ours, theirs))
    return differences(questions, ["comparison", "at", "family", "measure"], family=["family", "measure"])


def _means(orders: Orders, arm: Arm, against: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """What an arm's orders and the random ones come to in each replicate that has both."""
    ours, theirs = paired(orders, arm, against, measure)
    return ours, theirs.mean(axis=1) if theirs.size else np.empty(0)


def _differences(
    orders: Orders, arms: Sequence[Arm], compared: Sequence[tuple[str, str]], rng: np.random.Generator
) -> pd.DataFrame:
    rows = [
        {**arm._asdict(), "measure": measure, "against": against}
        | hierarchical_difference(*paired(orders, arm, against, measure), rng)._asdict()
        for measure, against in compared
        for arm in arms
    ]
    columns = [*ARM, "measure", "against", *Difference._fields]
    return with_holm(pd.DataFrame(rows, columns=columns), family=["measure", "against"])


def _verdicts(differences: pd.DataFrame) -> pd.DataFrame:
    judged = differences.query("measure == 'robustness' and against == @MATCHED")
    verdicts = [signed(mean, p, WORSE, BETTER) for mean, p in zip(judged["mean"], judged["p_holm"], strict=True)]
    return judged[ARM].assign(verdict=verdicts)


def _cliffs(orders: Orders, arms: Sequence[Arm], rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for arm in arms:
        size, random = paired(orders, arm, MATCHED, "drop")
        share = paired(orders, arm, MATCHED, "drop_at")[0]
        cliff = compare_drops(Drop(size, share), random, rng)
        place = dict(zip(("place", "place_low", "place_high"), cliff.step, strict=True))
        sizes = dict(zip(("size", "size_low", "size_high"), cliff.size, strict=True))
        rows.append({**arm._asdict(), **sizes, **place, "random": random.mean(), "p": cliff.p})
    columns = [*ARM, "size", "size_low", "size_high", "place", "place_low", "place_high", "random", "p"]
    cliffs = with_holm(pd.DataFrame(rows, columns=columns), family=[])
    return cliffs.assign(verdict=[cliff_verdict(p) for p in cliffs["p_holm"]])
