"""Survivors that turn up their weights, without training, to make up for the dead (synaptic scaling, Turrigiano 2008).

Weights change, biases do not, and a unit that nothing leads to any more stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork

if TYPE_CHECKING:
    from karikomi.engines.contract import Activations

# What is left of a variation, as a share of it, may be rounding alone, and rounding must not be turned up.
ROUNDING = 1e-6


def scale_by_count(before: Subnetwork, after: Subnetwork) -> Subnetwork:
    """The weights into every unit times n / (n − k), where k of the n links into it died.

    A full layer that lost k of n units passes on n / (n − k) times what it would have, as in dropout (Srivastava et
    al. 2014). Over several cycles the factors multiply to the number of links at the start over those left.

    Args:
        before: the network before the deaths.
        after: the network after them.
    """
    factors = {}
    for name, axis in after.architecture.input_axes.items():
        inputs = (axis, *range(2, after.masks[name].ndim))
        factors[name] = _ratio(before.masks[name].sum(axis=inputs), after.masks[name].sum(axis=inputs))
    return _scaled(after, factors)


def restore_variance(
    before: Subnetwork, after: Subnetwork, activations: Callable[[Subnetwork], Activations]
) -> Subnetwork:
    """The weights into every unit times √(Var z / Var z'), z being what entered it before the deaths, z' after them.

    Layer by layer, the first one first, so that z' is that of a unit whose inputs are scaled already: afterwards the
    input of every survivor, outputs included, varies as it did. It varies about another mean, as the deaths took one.

    Args:
        before: the network before the deaths.
        after: the network after them.
        activations: what the hidden units of a network do, always on the same examples. It is asked once for ``before``
            and once for every layer.

    Raises:
        InputError: if the network is no perceptron.
    """
    check_variance(after.architecture)
    wanted = _spreads(before, activations(before))
    for weight in wanted:
        found = _spreads(after, activations(after))
        after = _scaled(after, {weight: _ratio(wanted[weight], found[weight])})
    return after


def check_variance(architecture: Architecture) -> None:
    """Raise an InputError if the layers do not follow one another, or one has channels."""
    architecture.require_chain()
    if any(layer.channels for layer in architecture.layers):
        raise InputError("only a perceptron's input variances can be restored; a channel has one for every place")


def _spreads(subnetwork: Subnetwork, seen: Activations) -> dict[str, np.ndarray]:
    """Standard deviation of what enters every unit, hidden ones and outputs, by the weight that leads to it."""
    *hidden, last = subnetwork.architecture.layers
    ends = np.cumsum([layer.units for layer in hidden])
    read = seen.activation[ends[-2] if len(ends) > 1 else 0 :].astype(np.float64)
    inputs = [*np.split(seen.preactivation, ends[:-1]), subnetwork.weights[last.weight] @ read]
    return {
        layer.weight: entering.std(axis=1, dtype=np.float64)
        for layer, entering in zip((*hidden, last), inputs, strict=True)
    }


def _scaled(subnetwork: Subnetwork, factors: Mapping[str, np.ndarray]) -> Subnetwork:
    weights = dict(subnetwork.weights)
    for name, by_unit in factors.items():
        weight = weights[name]
        shape = [1] * weight.ndim
        shape[1 - subnetwork.architecture.input_axes[name]] = -1
        weights[name] = weight * by_unit.reshape(shape).astype(weight.dtype)
    return replace(subnetwork, weights=weights)


def _ratio(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """``before`` over ``after``, 1 where nothing is left."""
    return np.divide(before, after, out=np.ones(len(after)), where=after > ROUNDING * before)
