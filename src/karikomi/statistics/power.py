"""How many replicates a paired t-test needs, by the noncentral t distribution."""

from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, nctdtr, stdtrit

from karikomi.statistics.intervals import ALPHA, CONFIDENCE

MOST = 1_000_000
"""No more replicates than these are planned."""


class Deviation(NamedTuple):
    """A standard deviation with its confidence interval."""

    value: float
    low: float
    high: float


def power(replicates: int, effect: float, alpha: float = ALPHA) -> float:
    """The probability that a two-sided paired t-test shows a mean difference of ``effect`` standard deviations.

    P(\\|T\\| > t) for a noncentral T with n − 1 degrees of freedom and noncentrality effect · √n (Cohen 1988).

    >>> round(power(34, 0.5), 3)
    0.808
    """
    if not np.isfinite(effect):
        return 1.0 if effect == np.inf else np.nan
    critical, noncentrality = stdtrit(replicates - 1, 1 - alpha / 2), effect * np.sqrt(replicates)
    right, wrong = (nctdtr(replicates - 1, side * noncentrality, -critical) for side in (-1, 1))
    # Below about 1e-7 SciPy's series gives up on the tail of the wrong sign.
    return float(right + np.nan_to_num(wrong))


def replicates_for(effect: float, wanted: float, alpha: float = ALPHA) -> float:
    """The least number of replicates, 2 or more, with at least the wanted power; infinite above ``MOST``.

    >>> replicates_for(0.5, 0.8)
    34.0
    """
    if np.isnan(effect):
        return np.nan
    enough, short = 2, 1
    while power(enough, effect, alpha) < wanted:
        short, enough = enough, 2 * enough
        if short >= MOST:
            return np.inf
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if power(middle, effect, alpha) >= wanted else (middle, enough)
    return float(enough)


def effect_shown(replicates: int, wanted: float, alpha: float = ALPHA) -> float:
    """The least mean difference, in standard deviations, that so many replicates show with the wanted power.

    NaN for fewer than two.

    >>> round(effect_shown(34, 0.8), 3)
    0.495
    """
    if replicates < 2:
        return np.nan
    low, high = 0.0, 1.0
    while power(replicates, high, alpha) < wanted:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if power(replicates, middle, alpha) >= wanted else (middle, high)
    return high


def deviation(half: float, replicates: int) -> Deviation:
    """The standard deviation of the differences behind a 95 % interval by Student's t, with its own by χ².

    s = half · √n / t, and s √((n − 1) / χ²) at both ends. NaN for fewer than two replicates.

    Args:
        half: half of the interval's width.
        replicates: how many differences, n.

    >>> deviation(2.484, 3)
    Deviation(value=0.999..., low=0.520..., high=6.28...)
    """
    if replicates < 2 or np.isnan(half):
        return Deviation(np.nan, np.nan, np.nan)
    freedom = replicates - 1
    value = half * np.sqrt(replicates) / stdtrit(freedom, (1 + CONFIDENCE) / 2)
    # chdtri inverts the upper tail: the largest χ² gives the smallest deviation.
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = (value * np.sqrt(freedom / chdtri(freedom, tail)) for tail in tails)
    return Deviation(float(value), float(low), float(high))
