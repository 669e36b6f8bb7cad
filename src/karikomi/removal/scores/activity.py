"""Criteria that look at what a unit does on the scoring split: its activation a, after the non-linearity."""

import numpy as np

from karikomi.errors import InputError
from karikomi.removal.scores.evidence import UnitEvidence

# 32 bins bound the entropy by 5 bits, and leave hundreds of examples to each on a split of 10,000.
BINS = 32


def activation_mean(evidence: UnitEvidence) -> np.ndarray:
    """E[a]."""
    return evidence.activations().activation.mean(axis=1, dtype=np.float64)


def activation_sd(evidence: UnitEvidence) -> np.ndarray:
    """√E[(a − E[a])²]."""
    return evidence.activations().activation.std(axis=1, dtype=np.float64)


def firing_rate(evidence: UnitEvidence) -> np.ndarray:
    """Share of examples with a > 0, 0 … 1.

    A ReLU fires or is silent. What has no silence (tanh) is counted on its positive side, and a sigmoid everywhere.
    """
    return (evidence.activations().activation > 0).mean(axis=1)


def activation_entropy(evidence: UnitEvidence) -> np.ndarray:
    """Entropy of the activation in bits, 0 … 5 (after Luo & Wu 2017).

    H = −Σ p log2 p, p being the shares of examples in 32 equal bins between the unit's own lowest and highest
    activation. So it does not depend on the unit's scale; a constant unit has 0.
    """
    # In float32 the range of a saturated tanh can be too narrow to divide.
    rows = (row.astype(np.float64) for row in evidence.activations().activation)
    return np.array([_entropy(np.histogram(row, BINS)[0]) for row in rows])


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float((share * np.log2(1 / share)).sum())


def class_selectivity(evidence: UnitEvidence) -> np.ndarray:
    """How much a unit prefers one class: (μ_max − μ_rest) / (μ_max + μ_rest), 0 … 1 (Morcos et al. 2018).

    μ_max is the highest of a unit's mean activations by class, μ_rest the mean of those by the other classes. 1 for a
    unit that only one class activates; 0 for one that is always silent.

    Raises:
        InputError: if an activation is negative, so that sums of means say nothing, or there is only one class.
    """
    after, labels = evidence.activations().activation, evidence.examples.y
    classes = np.unique(labels)
    if len(classes) < 2:
        raise InputError(f"class-selectivity compares classes, and all examples are of class {classes[0]}")
    if after.min() < 0:
        raise InputError("class-selectivity needs activations from 0, as ReLU gives; take activation-sd")
    means = np.stack([after[:, labels == label].mean(axis=1, dtype=np.float64) for label in classes])
    highest = means.max(axis=0)
    rest = (means.sum(axis=0) - highest) / (len(classes) - 1)
    return np.divide(highest - rest, highest + rest, out=np.zeros(len(highest)), where=highest > 0)


def preactivation_mean(evidence: UnitEvidence) -> np.ndarray:
    """Mean of what enters the non-linearity.

    Low for a unit that fires rarely, however strongly it then does: low scores do not mean little activity.
    """
    return evidence.activations().preactivation.mean(axis=1, dtype=np.float64)
