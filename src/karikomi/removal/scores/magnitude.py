"""Criteria that look at the weight of a link, before and after training: most of the mask criteria of Zhou et al. 2019.

w is the weight at the end of training, or where the criterion acts; w₀ the one that training began with.
"""

import numpy as np

from karikomi.removal.scores.evidence import Evidence

Scores = dict[str, np.ndarray]


def magnitude(evidence: Evidence) -> Scores:
    """|w| at the end of training (Han et al. 2015; the lottery paper's criterion; "large final")."""
    return {name: np.abs(evidence.trained[name]) for name in evidence.masks}


def initial_magnitude(evidence: Evidence) -> Scores:
    """|w₀| (the lottery paper, appendix F.4; "large initial")."""
    return {name: np.abs(evidence.initial[name]) for name in evidence.masks}


def small_final(evidence: Evidence) -> Scores:
    """−|w|: the largest go first."""
    return {name: -size for name, size in magnitude(evidence).items()}


def small_initial(evidence: Evidence) -> Scores:
    """−|w₀|."""
    return {name: -size for name, size in initial_magnitude(evidence).items()}


def large_initial_large_final(evidence: Evidence) -> Scores:
    """The lower one of a link's ranks by |w₀| and by |w| in its layer: both must be high.

    Zhou et al. 2019 write min(|w₀|, α |w|), with an α that cuts both distributions at the same percentile.
    """
    return _lower_rank(evidence, initial_magnitude(evidence), magnitude(evidence))


def small_initial_small_final(evidence: Evidence) -> Scores:
    """The lower one of a link's ranks by −|w₀| and by −|w| in its layer: both sizes must be low."""
    return _lower_rank(evidence, small_initial(evidence), small_final(evidence))


def magnitude_increase(evidence: Evidence) -> Scores:
    """|w| − |w₀|."""
    return {name: np.abs(evidence.trained[name]) - np.abs(evidence.initial[name]) for name in evidence.masks}


def movement(evidence: Evidence) -> Scores:
    """|w − w₀|."""
    return {name: np.abs(evidence.trained[name] - evidence.initial[name]) for name in evidence.masks}


def movement_first_order(evidence: Evidence) -> Scores:
    """(w² − w₀²) / 2: high for what moved away from 0 (movement pruning, Sanh et al. 2020).

    They sum −w · ∂L/∂w over the steps of training. Along the gradient flow, dw = −∂L/∂w dt, that is ∫ w dw: this.
    """
    return {name: (evidence.trained[name] ** 2 - evidence.initial[name] ** 2) / 2 for name in evidence.masks}


def large_final_same_sign(evidence: Evidence) -> Scores:
    """max(0, w · sign w₀): |w| if it has kept its sign, else 0."""
    return {name: np.maximum(0, signed) for name, signed in _along_initial(evidence).items()}


def large_final_different_sign(evidence: Evidence) -> Scores:
    """max(0, −w · sign w₀): |w| if it has changed its sign, else 0."""
    return {name: np.maximum(0, -signed) for name, signed in _along_initial(evidence).items()}


def magnitude_increase_same_sign(evidence: Evidence) -> Scores:
    """|w| − |w₀| if it has kept its sign, else 0."""
    kept = _along_initial(evidence)
    return {name: np.where(kept[name] > 0, more, 0) for name, more in magnitude_increase(evidence).items()}


def magnitude_increase_different_sign(evidence: Evidence) -> Scores:
    """|w| − |w₀| if it has changed its sign, else 0."""
    kept = _along_initial(evidence)
    return {name: np.where(kept[name] < 0, more, 0) for name, more in magnitude_increase(evidence).items()}


def _along_initial(evidence: Evidence) -> Scores:
    return {name: evidence.trained[name] * np.sign(evidence.initial[name]) for name in evidence.masks}


def _lower_rank(evidence: Evidence, first: Scores, second: Scores) -> Scores:
    """The lower one of both ranks among the links that are left, from 0 up to 1; 0 for others."""
    lower = {name: np.zeros(mask.shape) for name, mask in evidence.masks.items()}
    for name, mask in evidence.masks.items():
        ranks = [np.argsort(np.argsort(scores[name][mask])) for scores in (first, second)]
        lower[name][mask] = np.minimum(*ranks) / max(mask.sum() - 1, 1)
    return lower
