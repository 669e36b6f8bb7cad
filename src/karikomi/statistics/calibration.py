"""Whether a network's confidence is the share of its answers that are right."""

import numpy as np

BINS = 15


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error Σ_b (n_b / n) |accuracy_b − confidence_b|, 0 … 1 (Guo et al. 2017, arXiv 1706.04599).

    Bins are equally wide, (0, 1/bins], …, as theirs. NaN where a confidence is.

    Args:
        confidence: the probability of each answer, 0 … 1, ``[n]``.
        correct: whether it is right, bool ``[n]``.
        bins: how many.

    >>> round(calibration_error(np.array([0.9, 0.9, 0.6]), np.array([True, False, True])), 3)
    0.4
    """
    confidence = np.asarray(confidence, dtype=float)
    if np.isnan(confidence).any():
        return float("nan")
    place = np.clip(np.ceil(bins * confidence).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, np.asarray(correct, dtype=float) - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
