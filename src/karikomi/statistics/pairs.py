"""Measures of pairs of replicates, which are not independent: every replicate is in many pairs."""

import numpy as np
from scipy.special import stdtr, stdtrit

from karikomi.statistics.intervals import CONFIDENCE, Difference


def pair_interval(values: np.ndarray) -> Difference:
    """The mean over all pairs, its 95 % interval, and the two-sided p-value of its being 0, by the jackknife.

    The mean is taken again without each of the R replicates; the standard error is √((R − 1)/R Σ (mean₋ᵣ − mean)²),
    which is on average not too small for a mean over pairs (Efron & Stein 1981), and t has R − 1 degrees of freedom.
    NaN but for the mean with fewer than three replicates; all NaN where a value is.

    Args:
        values: symmetric ``[R, R]``; the diagonal does not count.

    >>> pair_interval(np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0.0]]))
    Difference(mean=2.0, low=-2.968..., high=6.968..., p=0.225...)
    """
    values = np.asarray(values, dtype=float)
    many = len(values)
    of_each = np.where(np.eye(many, dtype=bool), 0, values).sum(axis=1)
    mean = float(of_each.sum() / (many * (many - 1))) if many > 1 else np.nan
    if many < 3 or np.isnan(mean):
        return Difference(mean, np.nan, np.nan, np.nan)
    without = (of_each.sum() - 2 * of_each) / ((many - 1) * (many - 2))
    error = float(np.sqrt((many - 1) / many * ((without - without.mean()) ** 2).sum()))
    half = float(stdtrit(many - 1, (1 + CONFIDENCE) / 2)) * error
    p = float(2 * stdtr(many - 1, -abs(mean) / error)) if error > 0 else float(mean == 0)
    return Difference(mean, mean - half, mean + half, p)
