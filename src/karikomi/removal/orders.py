"""The order in which units go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from karikomi.errors import InputError

if TYPE_CHECKING:
    from karikomi.networks.subnetwork import Subnetwork

Direction = Literal["low", "high"]
"""Whether the units with the lowest or with the highest scores go first."""


def order(scores: np.ndarray, direction: Direction, rng: np.random.Generator) -> np.ndarray:
    """All units by their scores, int64 ``[units]``.

    Args:
        scores: a number for every unit.
        direction: ``low`` or ``high`` first.
        rng: decides between units of equal score.

    Raises:
        InputError: for a score that is NaN.

    >>> order(np.array([0.5, 2.0, 1.0]), "high", np.random.default_rng(0))
    array([1, 2, 0])
    """
    if undefined := int(np.isnan(scores).sum()):
        raise InputError(
            f"{undefined} of {len(scores)} units have the score NaN; take a criterion that is defined for all of them"
        )
    drawn = rng.permutation(len(scores))
    keys = scores if direction == "low" else -scores
    return drawn[np.argsort(keys[drawn], kind="stable")]


def random_order(units: int, rng: np.random.Generator) -> np.ndarray:
    """Units 0 … ``units`` − 1 in random order, int64 ``[units]``."""
    return rng.permutation(units)


def in_proportion(order: np.ndarray, layer_of: np.ndarray) -> np.ndarray:
    """The same order within every layer, but layers lose their units in proportion.

    At every step the layer with the largest share of its units left loses its next one; of equal ones the first.

    Args:
        order: units, ``[steps]``; those of ``layer_of`` that it does not hold are gone already.
        layer_of: for every unit the number of its layer, ``[units]``.

    >>> in_proportion(np.array([0, 1, 2, 3, 4, 5]), layer_of=np.array([0, 0, 0, 0, 1, 1]))
    array([0, 4, 1, 2, 5, 3])
    """
    layers, sizes = layer_of[order], np.bincount(layer_of)
    share_gone = np.empty(len(order))
    for layer in np.unique(layers):
        steps = np.flatnonzero(layers == layer)
        share_gone[steps] = (sizes[layer] - len(steps) + np.arange(len(steps))) / sizes[layer]
    return order[np.lexsort((layers, share_gone))]


def layer_matched(order: np.ndarray, layer_of: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At every step a random unit of the layer that ``order`` takes one from: the control for where units sit.

    Args:
        order: the order to match, ``[steps]``; it need not hold all units.
        layer_of: for every unit the number of its layer, ``[units]``.
        rng: draws the units.
    """
    layers = layer_of[order]
    matched = np.empty_like(order)
    for layer in np.unique(layers):
        steps = np.flatnonzero(layers == layer)
        matched[steps] = rng.permutation(np.flatnonzero(layer_of == layer))[: len(steps)]
    return matched


def adaptive_order(
    score: Callable[[Subnetwork], np.ndarray],
    subnetwork: Subnetwork,
    direction: Direction,
    rng: np.random.Generator,
    every: int = 1,
    layer_of: np.ndarray | None = None,
) -> np.ndarray:
    """All hidden units; those that are left are scored again after every ``every`` removals. int64 ``[units]``.

    Args:
        score: gives every hidden unit of a network a number; those of the units that this removed are ignored.
        subnetwork: the network to begin with.
        direction: ``low`` or ``high`` first.
        rng: decides between units of equal score.
        every: removals between two scorings, at least 1.
        layer_of: for every unit the number of its layer: layers lose their units :func:`in_proportion`. None: all units
            compete.

    Raises:
        InputError: if ``every`` is below 1, or a unit that is left has the score NaN.
    """
    from karikomi.removal.units import remove_units  # here, so that a direction can be named without loading torch

    if every < 1:
        raise InputError(f"every must be at least 1; it is {every}")
    left, gone = np.arange(subnetwork.architecture.units), np.empty(0, np.int64)
    while len(left):
        ranked = left[order(score(subnetwork)[left], direction, rng)]
        going = (ranked if layer_of is None else in_proportion(ranked, layer_of))[:every]
        left, gone = np.setdiff1d(left, going), np.concatenate([gone, going])
        subnetwork = remove_units(subnetwork, going)
    return gone
