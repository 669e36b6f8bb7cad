"""What a curve of accuracy against removals says in one number."""

import numpy as np


def robustness(accuracy: np.ndarray, classes: int) -> np.ndarray:
    """R = (1/N) Σ_q (a_q − 1/C) / (a_0 − 1/C) over the removals q = 1 … N (after Schneider et al. 2011).

    The mean share that is left of the accuracy above chance: 1 if nothing is ever lost, 0 if all is lost at once,
    a little below 0 if what is left is worse than chance. NaN if the intact network is no better than chance.

    Args:
        accuracy: after 0, 1, … N removals, 0 … 1, ``[…, N + 1]``.
        classes: how many there are, C.

    >>> float(robustness(np.array([1.0, 1.0, 0.1]), classes=10))
    0.5
    """
    return _share_left(accuracy, classes)[..., 1:].mean(axis=-1)


def f50(accuracy: np.ndarray, classes: int) -> np.ndarray:
    """Share of the N removals after which half of the accuracy above chance is gone, linear between removals.

    0 … 1; NaN if that never happens, or if the intact network is no better than chance. Args as in :func:`robustness`.

    >>> float(f50(np.array([1.0, 1.0, 0.1]), classes=10))
    0.75
    """
    left = _share_left(accuracy, classes)
    gone = left <= 0.5
    after = gone.argmax(axis=-1)[..., None]
    high, low = (np.take_along_axis(left, step, axis=-1)[..., 0] for step in (after - 1, after))
    happens = gone.any(axis=-1)
    part = np.divide(high - 0.5, high - low, out=np.full(high.shape, np.nan), where=happens)
    return (after[..., 0] - 1 + part) / (left.shape[-1] - 1)


def _share_left(accuracy: np.ndarray, classes: int) -> np.ndarray:
    above = np.asarray(accuracy, dtype=float) - 1 / classes
    intact = above[..., :1]
    return above / np.where(intact > 0, intact, np.nan)
