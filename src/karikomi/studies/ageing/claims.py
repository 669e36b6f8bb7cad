"""What the post saw in one run, and whether it holds over replicates."""

from typing import NamedTuple

import pandas as pd

from karikomi.statistics import Interval, mean_interval
from karikomi.studies.ageing.settings import NONE, RANDOM, RETRAIN, AgeingSettings
from karikomi.studies.ageing.verdict import NOT_SHOWN

ROUNDING = 0.0005
"""The post writes three decimals."""

TRUE, FALSE = "holds", "does not hold"


class Claim(NamedTuple):
    """What the post says of a measure of an arm: it is between ``low`` and ``high``."""

    arm: str
    measure: str
    text: str
    low: float
    high: float


CLAIMS = (
    Claim(RETRAIN, "lowest", "retrained, never below 97.8 %", 0.978, 1.0),
    Claim(RETRAIN, "highest", "retrained, never above 98.3 %", 0.0, 0.983),
    Claim(NONE, "final", "without training down to 96 %", 0.955, 0.967),
)


def judge_claims(each: pd.DataFrame, settings: AgeingSettings) -> pd.DataFrame:
    """Every claim with what it is about (mean, low, high) and whether it holds; none if it is another experiment.

    Args:
        each: by arm, pattern and replicate the measures of a life.
        settings: those of the run.
    """
    rows = []
    for claim in CLAIMS if _is_the_posts(settings) else ():
        if (claim.arm, RANDOM) in each.index:
            found = mean_interval(each.loc[(claim.arm, RANDOM), claim.measure])
            rows.append({"claim": claim.text, **found._asdict(), "verdict": judge(claim, found)})
    return pd.DataFrame(rows, columns=["claim", *Interval._fields, "verdict"])


def judge(claim: Claim, found: Interval) -> str:
    """Whether the claim holds: the whole interval is where it says, or none of it.

    >>> judge(CLAIMS[0], Interval(0.979, 0.978, 0.98)), judge(CLAIMS[0], Interval(0.976, 0.974, 0.978))
    ('holds', 'not shown')
    """
    low, high = claim.low - ROUNDING, claim.high + ROUNDING
    if low <= found.low and found.high <= high:
        return TRUE
    return FALSE if found.high < low or found.low > high else NOT_SHOWN


def _is_the_posts(settings: AgeingSettings) -> bool:
    free = {"replicates", "seed", "arms", "engine", "patterns", "scratch_at", "homeostasis", "optimizer_state"}
    return settings.model_dump(exclude=free) == AgeingSettings().model_dump(exclude=free)
