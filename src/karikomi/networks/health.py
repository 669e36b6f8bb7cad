"""The health of a network's representations: how like the healthy ones they are, and which units still take part."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from karikomi.networks.belongings import along
from karikomi.networks.layers import Layer
from karikomi.networks.subnetwork import Subnetwork

DORMANT = 0.025
"""The share of its layer's mean activation up to which a unit is dormant (Sokar et al. 2023)."""


class LayerHealth(NamedTuple):
    """A hidden layer of a network.

    Attributes:
        living: units that a link leads to; of heads those that a link reads.
        dormant: how many of them are, see :func:`dormant_units`.
        cka: likeness of the layer's activations to the healthy ones, see :func:`linear_cka`.
    """

    living: int
    dormant: int
    cka: float


def health(subnetwork: Subnetwork, after: np.ndarray, healthy: np.ndarray) -> dict[str, LayerHealth]:
    """Every hidden layer by name.

    Args:
        subnetwork: the network.
        after: activations of its hidden units, ``[units, examples]``, see
            :class:`~karikomi.engines.contract.Activations`.
        healthy: what those of the healthy network do on the same examples.
    """
    layers = subnetwork.architecture.hidden
    ends, found = np.cumsum([layer.units for layer in layers]), {}
    for layer, now, then in zip(layers, np.split(after, ends), np.split(healthy, ends), strict=False):
        living = living_units(subnetwork, layer)
        dormant = int(dormant_units(now[living]).sum())
        found[layer.name] = LayerHealth(int(living.sum()), dormant, linear_cka(now, then))
    return found


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Centred kernel alignment of two layers, linear kernel (Kornblith et al. 2019): ‖Y Xᵀ‖² / (‖X Xᵀ‖ ‖Y Yᵀ‖).

    X and Y are the activations about each unit's mean, the norms Frobenius'. 0 … 1; 1 if one layer's activations are
    the other's but for rotation, reflection, scale and shift; NaN if a layer does the same on all examples. With fewer
    examples than some times the units even layers that have nothing in common come out alike. Products are of the
    activations' own precision: float32 takes half the time, and is good to six digits.

    Args:
        x: ``[units, examples]``.
        y: the same examples, ``[other units, examples]``.

    >>> x = np.array([[0.0, 1, 2, 3], [1, 0, 0, 1]])
    >>> round(linear_cka(x, 5 * x[::-1] + 1), 6)
    1.0
    """
    x, y = (np.asarray(a, np.result_type(a, np.float32)) for a in (x, y))
    x, y = (a - a.mean(axis=1, keepdims=True, dtype=np.float64).astype(a.dtype) for a in (x, y))
    xx, yy, xy = (float(np.linalg.norm(product)) for product in (x @ x.T, y @ y.T, y @ x.T))
    return xy**2 / (xx * yy) if xx * yy > 0 else np.nan


def dormant_units(activations: np.ndarray, threshold: float = DORMANT) -> np.ndarray:
    """Which units of a layer hardly take part: s ≤ τ, s = E|a| / mean of E|a| over the layer (ReDo, Sokar et al. 2023).

    Args:
        activations: those of the layer's living units, ``[units, examples]``.
        threshold: τ.

    Returns:
        bool ``[units]``; True for all if the whole layer is silent.

    >>> dormant_units(np.array([[1.0, -3], [0, 0], [2, 2]]))
    array([False,  True, False])
    """
    size = np.abs(activations).mean(axis=1, dtype=np.float64)
    return size <= threshold * size.mean() if len(size) else np.zeros(0, bool)


def living_units(subnetwork: Subnetwork, layer: Layer) -> np.ndarray:
    """Which units of a layer a link leads to, bool ``[units]``; of heads, which units a link reads."""
    linked, none = subnetwork.architecture.link_weights, layer.units
    those = [one for one in subnetwork.architecture.belongings[layer.name] if one.name in linked]
    left = np.zeros(none + 1)
    for one in [one for one in those if one.own] or those:
        units = np.where(one.units < 0, none, one.units)
        left += np.bincount(units.ravel(), along(subnetwork.masks[one.name], units.shape).ravel(), none + 1)
    return left[:none] > 0 if those else np.ones(none, bool)


def weight_norms(subnetwork: Subnetwork) -> dict[str, float]:
    """√Σ w² of every layer's links, by the layer's name; the output layer is the last."""
    architecture, norms = subnetwork.architecture, dict[str, list[float]]()
    owner = {one.name: layer for layer, those in architecture.belongings.items() for one in those if one.own}
    for name in architecture.link_weights:
        norm = float(np.linalg.norm(subnetwork.weights[name].astype(np.float64)))
        norms.setdefault(owner.get(name, name.removesuffix(".weight")), []).append(norm)
    return {name: math.hypot(*each) for name, each in norms.items()}
