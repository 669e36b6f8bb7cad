"""Means and paired differences over replicates, by Student's t."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats takes a second to load

ALPHA = 0.05
"""A p-value below it shows a difference."""

CONFIDENCE = 1 - ALPHA


class Interval(NamedTuple):
    """A mean with its confidence interval; ``low`` and ``high`` are NaN for a single value."""

    mean: float
    low: float
    high: float


class Difference(NamedTuple):
    """A mean paired difference with its confidence interval and two-sided p-value (NaN for a single pair)."""

    mean: float
    low: float
    high: float
    p: float


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Mean and 95 % interval by Student's t over independent ``values`` (one per replicate).

    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.484..., high=4.484...)
    """
    x = np.asarray(values, dtype=float)
    mean = float(x.mean())
    if len(x) < 2:
        return Interval(mean, np.nan, np.nan)
    half = float(stdtrit(len(x) - 1, (1 + CONFIDENCE) / 2) * x.std(ddof=1) / np.sqrt(len(x)))
    return Interval(mean, mean - half, mean + half)


class Sides(NamedTuple):
    """P-values that a mean lies below a bound, and above it; NaN for a single value."""

    below: float
    above: float


def one_sided(values: Sequence[float] | np.ndarray, bound: float) -> Sides:
    """One-sided t-tests of the mean of ``values`` against a bound, such as the margin of non-inferiority.

    Each p is twice that of its test, at most 1: below 0.05 exactly where the 95 % interval ends before the bound. Two
    of them, against both margins, are the two one-sided tests of equivalence (Schuirmann 1987).

    >>> [round(p, 3) for p in one_sided([1.0, 2.0, 3.0], 4.5)]
    [0.049, 1.0]
    """
    p = paired_difference(values, np.full(len(values), bound)).p
    middle = float(np.mean(values))
    return Sides(p if middle < bound or p != p else 1.0, p if middle > bound or p != p else 1.0)


def paired_difference(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> Difference:
    """Mean of a − b over pairs, its 95 % interval, and the p-value of the paired t-test.

    Where all differences are equal, the interval is that one number and p is 0, or 1 if it is 0.
    """
    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    mean, low, high = mean_interval(d)
    if len(d) < 2 or not np.isfinite(d).all():
        return Difference(mean, low, high, np.nan)
    error = d.std(ddof=1) / np.sqrt(len(d))
    if error == 0:
        return Difference(mean, low, high, float(mean == 0))
    return Difference(mean, low, high, float(2 * stdtr(len(d) - 1, -abs(mean) / error)))
