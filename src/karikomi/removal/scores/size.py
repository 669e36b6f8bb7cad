"""Criteria that look at the size of a unit's weights. The L1 norms are its strengths: see :mod:`wiring`."""

import numpy as np

from karikomi.errors import InputError
from karikomi.removal.scores.evidence import UnitEvidence


def in_l2(evidence: UnitEvidence) -> np.ndarray:
    """√Σ w² over the weights into a unit, without its bias."""
    return _l2(evidence, own=True)


def out_l2(evidence: UnitEvidence) -> np.ndarray:
    """√Σ w² over the weights out of a unit."""
    return _l2(evidence, own=False)


def _l2(evidence: UnitEvidence, own: bool) -> np.ndarray:
    architecture, weights, squares = evidence.subnetwork.architecture, evidence.subnetwork.weights, []
    for layer in architecture.hidden:
        those = [one for one in architecture.belongings[layer.name] if one.own == own]
        those = [one for one in those if one.name in architecture.link_weights]
        if not those:
            where = "lead to" if own else "read"
            raise InputError(f"{'in' if own else 'out'}-l2 needs weights, and none {where} the units of {layer.name}")
        total = np.zeros(layer.units + 1)
        for one in those:
            units, squared = np.where(one.units < 0, layer.units, one.units), weights[one.name].astype(np.float64) ** 2
            if len(units) == units.size:  # whole rows
                by_link = squared.reshape(len(units), -1).sum(axis=1)
            else:
                by_link = squared.sum(axis=tuple(range(2, squared.ndim)))
                units = np.broadcast_to(units.reshape(units.shape[:2]), by_link.shape)
            total += np.bincount(units.ravel(), by_link.ravel(), len(total))
        squares.append(total[:-1])
    return np.sqrt(np.concatenate(squares))
