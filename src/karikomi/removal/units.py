"""Removal of units from a subnetwork: rows and biases, and columns of the next layer."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from karikomi.networks.layers import Numbers, check_numbers
from karikomi.networks.subnetwork import Subnetwork


def remove_units(subnetwork: Subnetwork, units: Numbers) -> Subnetwork:
    """The subnetwork without the hidden units ``units``.

    Every link into and out of a removed unit becomes exactly 0 and its mask False; its bias, and its scale and shift
    in a batch normalization, become 0. What was removed before stays so.

    Args:
        subnetwork: a chain of linear and convolutional layers.
        units: their numbers, as :attr:`~karikomi.networks.architecture.Architecture.hidden` counts them.

    Raises:
        InputError: for a unit that is unknown or named twice, or a network that is no such chain.
    """
    architecture = subnetwork.architecture
    architecture.require_chain()
    gone = np.zeros(architecture.units, bool)
    gone[check_numbers(units, len(gone))] = True
    masks, weights = dict(subnetwork.masks), dict(subnetwork.weights)
    ends = np.cumsum([layer.units for layer in architecture.hidden])
    for (layer, reader), lost in zip(pairwise(architecture.layers), np.split(gone, ends)[:-1], strict=True):
        [reading] = reader.reads
        for name, cut in ((layer.weight, lost[:, None]), (reader.weight, lost[reading.units])):
            masks[name] = masks[name] & ~cut.reshape(*cut.shape, *[1] * (masks[name].ndim - 2))
        for name in layer.owned:
            weights[name] = np.where(lost.repeat(len(weights[name]) // layer.units), 0, weights[name])
    return replace(subnetwork, weights=weights).masked(masks)
