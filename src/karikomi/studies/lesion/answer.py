"""When an order is worse than random and when a drop is a cliff, and the answer of the lesion study in words."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from karikomi.statistics import ALPHA, Difference, hierarchical_difference
from karikomi.studies.healthy.settings import nulls_in_words
from karikomi.studies.lesion.arms import MATCHED, RANDOM, TARGETED, Arm
from karikomi.studies.lesion.paired import Orders, measured, paired
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.publications import LESION_CLAIMS
from karikomi.studies.verdict import NOT_SHOWN, Verdict, by_text
from karikomi.studies.words import headline, listed, plus_minus

Frames = Mapping[str, pd.DataFrame]

WORSE, BETTER = Verdict("worse than random", "bad"), Verdict("better than random", "good")
CLIFF, HOLDS, FAILS = Verdict("cliff", "bad"), Verdict("holds", "good"), Verdict("does not hold", "bad")
VERDICTS = by_text((WORSE, BETTER, CLIFF, HOLDS, FAILS))

ALMOST_NOTHING = 0.01
"""How much accuracy may go where a publication says that it stays."""

ARM = list(Arm._fields)
CLIFFS_NAMED = 3


def cliff_verdict(p: float) -> Verdict:
    """Whether the largest drop is shown to be larger than those of random orders."""
    return CLIFF if p < ALPHA else NOT_SHOWN


def judge(says: Literal["worse", "stays"], found: Difference) -> Verdict:
    """Whether a claim holds, by the interval of the difference.

    >>> str(judge("worse", Difference(-0.1, -0.2, -0.01, 0.01))), str(judge("stays", Difference(-0.01, -0.02, 0, 0.2)))
    ('holds', 'not shown')
    """
    margin = 0 if says == "worse" else ALMOST_NOTHING
    is_lower, is_higher = found.high < -margin, found.low > -margin
    if is_lower or is_higher:
        return HOLDS if is_lower == (says == "worse") else FAILS
    return NOT_SHOWN


def judge_claims(
    orders: Orders, arms: Sequence[Arm], settings: LesionSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Every published claim with the accuracy that it is about, the difference (mean, low, high, p) and the verdict.

    The difference is the accuracy minus that of random orders, or minus the healthy network's. Empty where the run does
    not repeat the published experiment.
    """
    repeated = {"network": "mlp-256-256", "data": "mnist", "ablation": "zero"}
    rows = []
    for claim in LESION_CLAIMS if settings.model_dump(include=set(repeated)) == repeated else ():
        arm = Arm(claim.criterion, claim.direction, "static")
        if arm not in arms:
            continue
        ours, random = paired(orders, arm, RANDOM, "accuracy_at_post")
        against = random if claim.says == "worse" else measured(orders, arm, TARGETED, "accuracy").to_numpy()
        found = hierarchical_difference(ours, against, rng)
        what = {**arm._asdict(), "says": claim.says, "published": claim.accuracy, "accuracy": ours.mean()}
        rows.append({**what, **found._asdict(), "verdict": judge(claim.says, found)})
    columns = [*ARM, "says", "published", "accuracy", *Difference._fields, "verdict"]
    return pd.DataFrame(rows, columns=columns)


def in_a_sentence(found: Frames) -> str:
    """The order along which accuracy declines earliest, or latest."""
    verdicts = found["verdicts"]
    if verdicts.empty:
        return "No order has been compared with random ones yet."
    if set(verdicts["verdict"]) == {NOT_SHOWN}:
        return "No order is shown to differ from random units of the same layers."
    differences = found["differences"]
    about = (differences["measure"] == "robustness") & (differences["against"] == MATCHED)
    robustness = differences[about].set_index(ARM)
    counts = verdicts["verdict"].value_counts()
    kind, word = (WORSE, "earliest") if WORSE in counts else (BETTER, "latest")
    shown = verdicts[verdicts["verdict"] == kind].set_index(ARM)
    ranked = robustness.loc[shown.index, "mean"].sort_values(ascending=kind == WORSE)
    strongest = robustness.loc[ranked.index[0]]
    order = order_name(dict(zip(ARM, ranked.index[0], strict=True)))
    parts = [
        f"accuracy declines {word} when units with the {order} are removed first"
        f" (R {plus_minus(strongest, 1, 3, '+')} against random)"
    ]
    others = [f"{counts[v]} {v}" for v in (WORSE, BETTER) if v in counts]
    return headline([*parts, f"{', '.join(others)} of {len(verdicts)} orders"])


def _in_detail(found: Frames) -> str:
    """Every order by its verdict, and the cliffs."""
    verdicts = found["verdicts"]
    if verdicts.empty:
        return ""
    texts = {
        WORSE: "Accuracy declines earlier than with random units of the same layers when the {} are removed first.",
        BETTER: "It declines later when the {} are.",
        NOT_SHOWN: "Inconclusive: the {}.",
    }
    parts = [
        text.format(_together(verdicts[verdicts["verdict"] == kind]))
        for kind, text in texts.items()
        if (verdicts["verdict"] == kind).any()
    ]
    return " ".join([*parts, _cliffs_in_words(found)])


def _cliffs_in_words(found: Frames) -> str:
    cliffs, arms = found["cliffs"], found["arms"]
    random = arms[arms["control"] == RANDOM].set_index("measure")["mean"]
    usual = f"The largest drop by one unit is {_drop(random['drop'], random['drop_at'])} in random orders on average"
    shown = cliffs[cliffs["verdict"] == CLIFF].sort_values("size", ascending=False)
    if shown.empty:
        return f"{usual}; no cliff, a larger drop, is shown for any order."
    named = [
        f"{order_name(row)} ({_drop(row['size'], row['place'])})" for _, row in shown.head(CLIFFS_NAMED).iterrows()
    ]
    more = [f"{len(shown) - len(named)} more"] if len(shown) > len(named) else []
    return f"{usual}; larger ones, cliffs, are shown for the {listed([*named, *more])}."


def _drop(size: float, place: float) -> str:
    return f"{100 * size:.1f} points with {100 * place:.0f} % of the units removed"


def explanation(found: Frames, settings: LesionSettings) -> str:
    """The findings in full, and what the numbers mean."""
    s = settings
    scope = (
        "Layers lose their units in proportion, so orders differ in which units are removed, not in which layers."
        if s.scope == "layer"
        else "Units of all layers compete, so against random orders it counts, too, which layer loses units first."
    )
    return f"{_in_detail(found)}\n\n" + (
        "R is the share of the accuracy above chance that is left, its mean over all removals (Schneider et al. 2011):"
        " 1 if nothing is ever lost; f50 is the share of the units without which half of it is lost. ± is half a 95 %"
        " interval: of means Student's t over replicates, of differences a bootstrap of replicates and of their"
        f" {s.orders} random orders. p is Holm-corrected over the orders; verdicts need p < {ALPHA} against"
        f" layer-matched random orders, which take a random unit of the same layer at every step. {scope} A cliff is a"
        " largest drop by one unit that layer-matched orders do not show (a Monte Carlo test in each replicate,"
        " combined by Fisher's method). Units are scored on training examples; accuracy is that of the test set"
        f" (ablation: {s.ablation}).{nulls_in_words(s.null)}"
    )


def order_name(arm: Mapping[str, str]) -> str:
    """What is removed first: lowest taylor; lowest adaptive taylor."""
    adaptive = "adaptive " if arm["timing"] == "adaptive" else ""
    return f"{arm['direction']}est {adaptive}{arm['criterion']}"


def _together(arms: pd.DataFrame) -> str:
    """What is removed first in several arms: highest taylor and knock-out, and lowest taylor."""
    alike = arms.groupby(["direction", "timing"], sort=False)["criterion"]
    groups = [order_name({"direction": d, "timing": t, "criterion": listed(list(names))}) for (d, t), names in alike]
    return listed(groups, ", and the ")
