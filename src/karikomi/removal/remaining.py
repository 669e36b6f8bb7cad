"""What is left of a network while its units go."""

import math
from functools import reduce
from typing import NamedTuple

import numpy as np

from karikomi.networks.belongings import along
from karikomi.networks.subnetwork import Subnetwork


class Remaining(NamedTuple):
    """What is left after 0, 1, … removals, int64 ``[…, steps + 1]``; ``parameters`` are links and what units own."""

    links: np.ndarray
    parameters: np.ndarray


def remaining(subnetwork: Subnetwork, orders: np.ndarray) -> Remaining:
    """How many links and parameters are left while the hidden units go along each of ``orders`` ``[…, steps]``.

    A link goes with the first of its two units, a bias with its unit. Parameters that belong to no unit are left out.

    >>> from karikomi.networks import build
    >>> network = Subnetwork.from_module(build("mlp-4-2", (3,), 2))
    >>> remaining(network, np.array([0, 4])).parameters.tolist()
    [32, 26, 20]
    """
    architecture, (*many, steps) = subnetwork.architecture, orders.shape
    units, start, owners = architecture.units, 0, dict[str, list[np.ndarray]]()
    for layer in architecture.hidden:
        for one in architecture.belongings[layer.name]:
            owners.setdefault(one.name, []).append(np.where(one.units < 0, units, one.units + start))
        start += layer.units
    owned = [name for layer in architecture.layers for name in layer.owned]
    gaps = []
    for name in dict.fromkeys((*architecture.link_weights, *owned, *owners)):
        whose = owners.get(name, [np.full((1,) * subnetwork.weights[name].ndim, units)])
        there = subnetwork.masks.get(name, np.ones(subnetwork.weights[name].shape, bool))
        counts = along(there, np.broadcast_shapes(*(each.shape for each in whose)))
        gaps.append((int(name not in architecture.link_weights), whose, counts.ravel()))

    def going_along(order: np.ndarray) -> np.ndarray:
        """Links and other parameters that go at each step, ``[2, steps + 2]``; at the last step those that stay."""
        gone_at = np.full(units + 1, steps + 1)  # the last one is what belongs to no unit
        gone_at[order] = np.arange(1, steps + 1)
        going = np.zeros((2, steps + 2))
        for kind, whose, counts in gaps:
            first = reduce(np.minimum, (gone_at[each] for each in whose))
            going[kind] += np.bincount(first.ravel(), counts, steps + 2)
        return going

    links, others = np.stack([going_along(order) for order in orders.reshape(math.prod(many), steps)], axis=1)
    # What goes at step s is left after the steps before it: counted from the end.
    left = [
        np.cumsum(going[:, ::-1], axis=1)[:, ::-1][:, 1:].round().astype(np.int64).reshape(*many, steps + 1)
        for going in (links, links + others)
    ]
    return Remaining(*left)
