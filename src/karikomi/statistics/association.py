"""How units' scores go together with what they are worth: rank correlations, alone and pooled."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from karikomi.statistics.intervals import CONFIDENCE, paired_difference

# What least squares leaves of ranks that it explains altogether is rounding, far below this share of them.
RESIDUE = 1e-9


class Correlation(NamedTuple):
    """A correlation with its 95 % interval, and the two-sided p-value of its being 0."""

    rho: float
    low: float
    high: float
    p: float


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ along the last axis: Pearson's correlation of the ranks, equal values sharing theirs.

    NaN where x or y is constant or holds a NaN. Leading axes broadcast.

    Args:
        x: ``[…, units]``.
        y: ``[…, units]``.

    >>> float(spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 10, 1000, 100])))
    0.8
    """
    return _pearson(_centred_ranks(x), _centred_ranks(y))


def partial_spearman(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Spearman's ρ of what the ranks of ``given`` leave unexplained of those of x and of y, by linear regression.

    NaN where nothing is left of x or of y, or where there is a NaN. Leading axes broadcast.

    Args:
        x: ``[…, units]``.
        y: ``[…, units]``.
        given: what is held constant, k variables, ``[k, units]``.
    """
    held = _centred_ranks(given)
    return _pearson(_unexplained(_centred_ranks(x), held), _unexplained(_centred_ranks(y), held))


def pooled_spearman(rho: np.ndarray, units: np.ndarray) -> Correlation:
    """One correlation from those of independent groups of units, by Fisher's z weighted by units − 3.

    A ρ of n units has the standard error √((1 + ρ²/2) / (n − 3)) in z = artanh ρ (Bonett & Wright 2000). Groups
    whose ρ is NaN, and those of 3 units or fewer, are left out; NaN if none is left. A ρ of ±1, whose z is infinite,
    counts as 1 − 6 / (n³ − n), half as far from 1 as the next value that it can take.

    Args:
        rho: one per group, ``[groups]``; of partial correlations too, then with ``units`` less the variables held.
        units: how many each group has, ``[groups]``.
    """
    z, error = _pooled_z(rho, units)
    half = float(ndtri((1 + CONFIDENCE) / 2)) * error
    rho, low, high = np.tanh([z, z - half, z + half])
    return Correlation(float(rho), float(low), float(high), float(2 * ndtr(-abs(z) / error)))


def replicated_spearman(rho: np.ndarray, units: np.ndarray) -> Correlation:
    """One correlation from those within layers of several networks, the network being the unit.

    Within a replicate layers are pooled as in :func:`pooled_spearman`; the mean z over replicates, its interval and
    its p-value are those of the paired t-test against 0. Replicates without any ρ are left out.

    Args:
        rho: one per replicate and layer, ``[replicates, layers]``.
        units: how many each layer has, ``[layers]`` or ``[replicates, layers]``.
    """
    z, _ = _pooled_z(rho, units)
    z = z[~np.isnan(z)]
    if len(z) == 0:
        return Correlation(np.nan, np.nan, np.nan, np.nan)
    mean, low, high, p = paired_difference(z, np.zeros(len(z)))
    rho, low, high = np.tanh([mean, low, high])
    return Correlation(float(rho), float(low), float(high), p)


def _pooled_z(rho: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fisher's z over the groups on the last axis, weighted by units − 3, and its standard error; NaN if none counts.

    Weights by the whole standard error would lean towards small ρ, as that of a large one is larger.
    """
    rho, units = np.broadcast_arrays(np.asarray(rho, dtype=float), np.asarray(units, dtype=float))
    counts = ~np.isnan(rho) & (units > 3)
    rho, units = np.where(counts, rho, 0), np.where(counts, units, 4)
    largest = 1 - 6 / (units**3 - units)
    weight = np.where(counts, units - 3, 0)
    total = np.where(counts.any(axis=-1), weight.sum(axis=-1), np.nan)
    z = (weight * np.arctanh(np.clip(rho, -largest, largest))).sum(axis=-1) / total
    return z, np.sqrt((weight * (1 + rho**2 / 2)).sum(axis=-1)) / total


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis less their mean: half of how many are lower less how many are higher."""
    values = np.asarray(values, dtype=float)

    def ranked(row: np.ndarray) -> np.ndarray:
        ascending = np.sort(row)
        return (ascending.searchsorted(row, "left") + ascending.searchsorted(row, "right") - len(row)) / 2

    ranks = np.apply_along_axis(ranked, -1, values)
    return np.where(np.isnan(values).any(axis=-1, keepdims=True), np.nan, ranks)


def _unexplained(ranks: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Residuals of the least-squares regression on ``held``; NaN where they are 0 but for rounding."""
    if np.isnan(held).any():
        return np.full_like(ranks, np.nan)
    left = ranks - ranks @ np.linalg.pinv(held, rcond=RESIDUE) @ held
    size, whole = (np.linalg.norm(r, axis=-1, keepdims=True) for r in (left, ranks))
    return np.where(size > RESIDUE * whole, left, np.nan)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of centred x and y along the last axis."""
    size = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    return np.divide((x * y).sum(axis=-1), size, out=np.full(size.shape, np.nan), where=size > 0).clip(-1, 1)
