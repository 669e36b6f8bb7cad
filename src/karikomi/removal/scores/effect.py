"""Criteria that look at what a unit does to the loss."""

import numpy as np

from karikomi.removal.scores.evidence import UnitEvidence


def taylor(evidence: UnitEvidence) -> np.ndarray:
    """E|a · ∂L/∂a|: to first order, how much an example's loss changes without the unit (Molchanov et al. 2017)."""
    return np.abs(evidence.attributions()).mean(axis=1, dtype=np.float64)


def knock_out(evidence: UnitEvidence) -> np.ndarray:
    """L(without the unit) − L, in nats; below 0 for a unit that does harm."""
    loss = evidence.knock_out().loss
    return loss[1:] - loss[0]


def shapley(evidence: UnitEvidence) -> np.ndarray:
    """What a unit adds on average to those that are there when it comes, over random orders (Shapley 1953).

    Unlike a knock-out it sees units that replace each other (Fakhar & Hilgetag 2022).
    """
    return evidence.shapley()
