"""What the post saw once, in one network, and whether it holds over replicates."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from karikomi.statistics import Difference, hierarchical_difference
from karikomi.studies.lesion.arms import RANDOM, TARGETED, Arm
from karikomi.studies.lesion.paired import Orders, measured, paired
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.verdict import NOT_SHOWN

POST_SHARE = 200_000 / 269_322
"""The share of its parameters at which the post stopped to take units from 784-256-256-10."""

ALMOST_NOTHING = 0.01
"""How much accuracy may go where the post says that it stays."""

HOLDS, FAILS = "holds", "does not hold"


class Claim(NamedTuple):
    """What is said of an arm's accuracy at ``POST_SHARE``: it is ``worse`` than that of random orders, or ``stays``.

    ``accuracy`` is what the post saw, in percent.
    """

    arm: Arm
    says: Literal["worse", "stays"]
    accuracy: str


CLAIMS = (
    Claim(Arm("in-strength", "high", "static"), "worse", "81"),
    Claim(Arm("in-strength", "low", "static"), "stays", "97.5"),
    Claim(Arm("preactivation-mean", "low", "static"), "worse", "81"),
)


def judge_claims(
    orders: Orders, arms: Sequence[Arm], settings: LesionSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Every claim with the accuracy that it is about, the difference (mean, low, high, p) and whether it holds.

    The difference is the accuracy minus that of random orders, or minus the healthy network's. Empty where the run is
    not the post's experiment.
    """
    rows = []
    for claim in CLAIMS:
        if claim.arm not in arms or not _is_the_posts(settings):
            continue
        ours, random = paired(orders, claim.arm, RANDOM, "accuracy_at_post")
        against = random if claim.says == "worse" else measured(orders, claim.arm, TARGETED, "accuracy").to_numpy()
        found = hierarchical_difference(ours, against, rng)
        what = {**claim.arm._asdict(), "says": claim.says, "post": claim.accuracy, "accuracy": ours.mean()}
        rows.append({**what, **found._asdict(), "verdict": judge(claim.says, found)})
    columns = [*Arm._fields, "says", "post", "accuracy", *Difference._fields, "verdict"]
    return pd.DataFrame(rows, columns=columns)


def judge(says: Literal["worse", "stays"], found: Difference) -> str:
    """Whether a claim holds, by the interval of the difference.

    >>> judge("worse", Difference(-0.1, -0.2, -0.01, 0.01)), judge("stays", Difference(-0.01, -0.02, 0.0, 0.2))
    ('holds', 'not shown')
    """
    margin = 0 if says == "worse" else ALMOST_NOTHING
    is_lower, is_higher = found.high < -margin, found.low > -margin
    if is_lower or is_higher:
        return HOLDS if is_lower == (says == "worse") else FAILS
    return NOT_SHOWN


def _is_the_posts(settings: LesionSettings) -> bool:
    posts = {"network": "mlp-256-256", "data": "mnist", "ablation": "zero"}
    return settings.model_dump(include=set(posts)) == posts
