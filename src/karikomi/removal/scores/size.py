"""Criteria that look at the size of a unit's weights. The L1 norms are its strengths: see :mod:`wiring`."""

from itertools import pairwise

import numpy as np

from karikomi.removal.scores.evidence import UnitEvidence


def in_l2(evidence: UnitEvidence) -> np.ndarray:
    """√Σ w² over the weights into a unit, without its bias."""
    architecture, weights = evidence.subnetwork.architecture, evidence.subnetwork.weights
    architecture.require_chain()
    into = [weights[layer.weight].reshape(layer.units, -1).astype(np.float64) for layer in architecture.hidden]
    return np.concatenate([np.linalg.norm(rows, axis=1) for rows in into])


def out_l2(evidence: UnitEvidence) -> np.ndarray:
    """√Σ w² over the weights out of a unit."""
    architecture, weights = evidence.subnetwork.architecture, evidence.subnetwork.weights
    architecture.require_chain()
    squares = []
    for layer, reader in pairwise(architecture.layers):
        weight, [reading] = weights[reader.weight].astype(np.float64), reader.reads
        by_link = (weight**2).sum(axis=tuple(range(2, weight.ndim)))
        squares.append(np.bincount(reading.units.ravel(), by_link.ravel(), layer.units))
    return np.sqrt(np.concatenate(squares))
