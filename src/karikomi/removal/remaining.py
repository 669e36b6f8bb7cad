"""What is left of a network while its units go."""

import math
from typing import NamedTuple

import numpy as np

from karikomi.networks.subnetwork import Subnetwork


class Remaining(NamedTuple):
    """What is left after 0, 1, … removals, int64 ``[…, steps + 1]``; ``parameters`` are links and what units own."""

    links: np.ndarray
    parameters: np.ndarray


def remaining(subnetwork: Subnetwork, orders: np.ndarray) -> Remaining:
    """How many links and parameters are left while the hidden units go along each of ``orders`` ``[…, steps]``.

    A link goes with the first of its two units, a bias with its unit.

    Raises:
        InputError: if the network is no chain of linear and convolutional layers.

    >>> from karikomi.networks import build
    >>> network = Subnetwork.from_module(build("mlp-4-2", (3,), 2))
    >>> remaining(network, np.array([0, 4])).parameters.tolist()
    [32, 26, 20]
    """
    subnetwork.architecture.require_chain()
    layers, (*many, steps) = subnetwork.architecture.layers, orders.shape
    gaps = []
    for layer in layers:
        mask, [reading] = subnetwork.masks[layer.weight], layer.reads
        own = sum(subnetwork.weights[name].size for name in layer.owned)
        gaps.append((layer.units, reading.units, mask.reshape(*mask.shape[:2], -1).sum(axis=2), own / layer.units))

    def along(order: np.ndarray) -> np.ndarray:
        """Links and other parameters that go at each step, ``[2, steps + 2]``; at the last step those that stay."""
        gone_at = np.full(sum(layer.units for layer in layers), steps + 1)
        gone_at[order] = np.arange(1, steps + 1)
        going, before, start = np.zeros((2, steps + 2)), np.empty(0, np.int64), 0
        for units, source, links, own in gaps:
            ours = gone_at[start : start + units]
            if start == 0:  # Inputs stay, so a row of links goes as a whole.
                going[0] += np.bincount(ours, links.sum(axis=1), steps + 2)
            else:
                going[0] += np.bincount(np.minimum(ours[:, None], before[source]).ravel(), links.ravel(), steps + 2)
            going[1] += own * np.bincount(ours, minlength=steps + 2)
            before, start = ours, start + units
        return going

    links, others = np.stack([along(order) for order in orders.reshape(math.prod(many), steps)], axis=1)
    # What goes at step s is left after the steps before it: counted from the end.
    left = [
        np.cumsum(going[:, ::-1], axis=1)[:, ::-1][:, 1:].round().astype(np.int64).reshape(*many, steps + 1)
        for going in (links, links + others)
    ]
    return Remaining(*left)
