"""Intervals for orders within replicates, by a bootstrap of both levels."""

import numpy as np
from scipy.special import ndtri, stdtrit

from karikomi.errors import InputError
from karikomi.statistics.intervals import CONFIDENCE, Difference

RESAMPLES = 10_000


def hierarchical_interval(values: np.ndarray, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> Difference:
    """The mean over replicates and their orders, its 95 % interval, and the two-sided p-value of its being 0.

    Replicates are drawn with replacement, then orders within each of them, so that many orders never pass for many
    replicates (Saravanan et al. 2020). The interval is made of percentiles of the resampled means, each of them
    stretched away from the mean by √(R / (R − 1)) t / z, with Student's and the normal quantile of its rank: the two
    factors by which percentiles of R values are too narrow (Hesterberg 2015). BCa (Efron 1987) mends skewness, and
    with so few values not this. p is the rank of 0 among the stretched means, so it agrees with the interval.

    Percentage of 95 % intervals that held the truth, in 4,000 simulations with 30 orders each, by the standard
    deviation between replicates : within them. Where replicates hardly differ it is too wide, as the spread within
    them counts twice; Student's interval of the R means is there to compare.

    ==========  ===============  ===========  ===  ====  =========
    replicates  deviations       percentiles  BCa  this  Student's
    ==========  ===============  ===========  ===  ====  =========
    5           1 : 1, normal    86           85   95    94
    5           1 : 1, skewed    80           81   91    89
    5           1 : 3, normal    91           90   98    94
    5           0 : 1, normal    99           99   100   95
    3           1 : 1, normal    77           77   97    95
    ==========  ===============  ===========  ===  ====  =========

    NaN but for the mean with a single replicate; all NaN where a value is.

    Args:
        values: one per replicate and order, ``[replicates, orders]``.
        rng: draws the resamples.
        resamples: how many; p is never below 2 / (resamples + 1).
    """
    values = np.asarray(values, dtype=float)
    replicates, orders = values.shape
    mean = float(values.mean())
    if replicates < 2 or np.isnan(mean):
        return Difference(mean, np.nan, np.nan, np.nan)
    drawn = rng.integers(replicates, size=(resamples, replicates, 1))
    within = rng.integers(orders, size=(resamples, replicates, orders))
    means = values.take(drawn * orders + within).mean(axis=(1, 2))
    stretched = mean + (np.sort(means) - mean) * _stretch(resamples, replicates)
    low, high = np.quantile(stretched, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    beyond = min((stretched <= 0).sum(), (stretched >= 0).sum())
    return Difference(mean, float(low), float(high), min(1.0, 2 * (1 + float(beyond)) / (1 + resamples)))


def _stretch(resamples: int, replicates: int) -> np.ndarray:
    """√(R / (R − 1)) t / z by rank."""
    level = (np.arange(resamples) + 0.5) / resamples
    tail = np.minimum(np.minimum(level, 1 - level), 0.49)  # at a half, t / z is 0 / 0
    return np.sqrt(replicates / (replicates - 1)) * stdtrit(replicates - 1, tail) / ndtri(tail)


def hierarchical_difference(
    targeted: np.ndarray, random: np.ndarray, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> Difference:
    """Mean of targeted − random, paired by replicate, as :func:`hierarchical_interval` gives it.

    Args:
        targeted: one value per replicate, ``[replicates]``.
        random: one per replicate and random order, ``[replicates, orders]``.
        rng: draws the resamples.
        resamples: how many.

    Raises:
        InputError: if they do not have the same replicates.
    """
    targeted, random = np.asarray(targeted, dtype=float), np.asarray(random, dtype=float)
    if targeted.shape != random.shape[:1]:
        raise InputError(
            f"targeted must be [replicates] and random [replicates, orders]; they are {list(targeted.shape)} and"
            f" {list(random.shape)}"
        )
    return hierarchical_interval(targeted[:, None] - random, rng, resamples=resamples)
