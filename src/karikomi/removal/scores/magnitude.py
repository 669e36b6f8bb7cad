"""Criteria that look at the weight of a link."""

import numpy as np

from karikomi.removal.scores.evidence import Evidence


def magnitude(evidence: Evidence) -> dict[str, np.ndarray]:
    """|w| at the end of training (Han et al. 2015; the lottery paper's criterion)."""
    return {name: np.abs(evidence.trained[name]) for name in evidence.masks}


def initial_magnitude(evidence: Evidence) -> dict[str, np.ndarray]:
    """|w| before training (the lottery paper, appendix F.4)."""
    return {name: np.abs(evidence.initial[name]) for name in evidence.masks}


def magnitude_increase(evidence: Evidence) -> dict[str, np.ndarray]:
    """|w| at the end of training minus |w| before it (Zhou et al. 2019)."""
    return {name: np.abs(evidence.trained[name]) - np.abs(evidence.initial[name]) for name in evidence.masks}


def taylor(evidence: Evidence) -> dict[str, np.ndarray]:
    """|w · ∂L/∂w| at the end of training: to first order, how much the loss changes without the link."""
    gradients = evidence.gradients()
    return {name: np.abs(evidence.trained[name] * gradients[name]) for name in evidence.masks}
