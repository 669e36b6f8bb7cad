"""Criteria that look at the size of a unit's weights. The L1 norms are its strengths: see :mod:`wiring`."""

import numpy as np

from karikomi.removal.scores.evidence import UnitEvidence


def in_l2(evidence: UnitEvidence) -> np.ndarray:
    """√Σ w² over the weights into a unit, without its bias."""
    from karikomi.removal.units import hidden_stages  # here, so that a criterion can be named without loading torch

    weights = evidence.subnetwork.weights
    return np.concatenate(
        [
            np.linalg.norm(weights[f"{stage.name}.weight"].reshape(stage.units, -1).astype(np.float64), axis=1)
            for stage, _ in hidden_stages(evidence.subnetwork.module)
        ]
    )


def out_l2(evidence: UnitEvidence) -> np.ndarray:
    """√Σ w² over the weights out of a unit."""
    from karikomi.removal.units import hidden_stages, sources

    weights = evidence.subnetwork.weights
    squares = []
    for stage, following in hidden_stages(evidence.subnetwork.module):
        weight = weights[f"{following.name}.weight"].astype(np.float64)
        by_link = (weight**2).sum(axis=tuple(range(2, weight.ndim)))
        squares.append(np.bincount(sources(following).ravel(), by_link.ravel(), stage.units))
    return np.sqrt(np.concatenate(squares))
