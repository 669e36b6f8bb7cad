"""The criteria that look at nothing."""

import numpy as np

from karikomi.removal.scores.evidence import Evidence, UnitEvidence


def random(evidence: Evidence) -> dict[str, np.ndarray]:
    """A uniform draw for every link: the control of every other criterion."""
    return {name: evidence.rng.random(mask.shape) for name, mask in evidence.masks.items()}


def random_units(evidence: UnitEvidence) -> np.ndarray:
    """A uniform draw for every hidden unit."""
    return evidence.rng("random").random(evidence.subnetwork.architecture.units)
