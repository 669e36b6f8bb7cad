"""Many p-values at once: adjusted for their number, or combined into one."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import chdtrc


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of p-values (Holm 1979); NaN stays NaN and does not count as a test.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjusted(p, lambda ascending: np.maximum.accumulate(ascending * np.arange(len(ascending), 0, -1)))


def benjamini_hochberg(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Benjamini & Hochberg's (1995) adjustment: what is called a finding at q is false in a share q of cases at most.

    It holds for tests that are independent or depend on each other positively (Benjamini & Yekutieli 2001), as those
    of correlated scores do. NaN stays NaN and does not count as a test.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """

    def step_up(ascending: np.ndarray) -> np.ndarray:
        steps = ascending * len(ascending) / np.arange(1, len(ascending) + 1)
        return np.minimum.accumulate(steps[::-1])[::-1]

    return _adjusted(p, step_up)


def _adjusted(p: Sequence[float] | np.ndarray, adjust: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted[order] = np.minimum(adjust(p[order]), 1)
    return adjusted


def fisher_combined(p: Sequence[float] | np.ndarray) -> float:
    """One p-value from those of independent tests of the same claim, by −2 Σ ln p ~ χ² with 2n degrees (Fisher 1932).

    Small if the claim holds in some of them. Where p can take few values, as by permutation, it errs on the safe side.

    >>> round(fisher_combined([0.1, 0.1]), 3)
    0.056
    """
    p = np.asarray(p, dtype=float)
    return float(chdtrc(2 * p.size, -2 * np.log(p).sum()))
