"""What is left of a network while its units go."""

from typing import NamedTuple

import numpy as np

from karikomi.networks.chain import follow
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.units import parameters_of_units, sources


class Remaining(NamedTuple):
    """What is left after 0, 1, … removals, int64 ``[steps + 1]``; ``parameters`` are the links and all that units own."""

    links: np.ndarray
    parameters: np.ndarray


def remaining(subnetwork: Subnetwork, order: np.ndarray) -> Remaining:
    """How many links and parameters are left while the hidden units go in ``order`` ``[steps]``.

    A link goes with the first of its two units, a bias with its unit.

    Raises:
        InputError: if the network is no chain of linear and convolutional layers.

    >>> from karikomi.networks import build
    >>> network = Subnetwork.from_module(build("mlp-4-2", (3,), 2))
    >>> remaining(network, np.array([0, 4])).parameters.tolist()
    [32, 26, 20]
    """
    stages, steps = follow(subnetwork.module).stages, len(order)
    units = [stage.units for stage in stages]
    gone_at = np.full(sum(units), steps + 1)
    gone_at[order] = np.arange(1, steps + 1)
    links, owned = np.zeros(steps + 2), np.zeros(steps + 2)
    before = np.empty(0, np.int64)
    for number, (stage, ours) in enumerate(zip(stages, np.split(gone_at, np.cumsum(units)[:-1]), strict=True)):
        mask = subnetwork.masks[f"{stage.name}.weight"]
        counts = mask.reshape(*mask.shape[:2], -1).sum(axis=2)
        if number == 0:  # Inputs stay, so a row goes as a whole.
            goes, counts = ours, counts.sum(axis=1)
        else:
            goes = np.minimum(ours[:, None], before[sources(stage)])
        links += np.bincount(goes.ravel(), counts.ravel(), steps + 2)
        own = sum(subnetwork.weights[name].size for name in parameters_of_units(stage) if name in subnetwork.weights)
        owned += np.bincount(ours, minlength=steps + 2) * (own / stage.units)
        before = ours
    # What goes at step s is left after steps before s: counted from the end.
    left = [np.cumsum(going[::-1])[::-1][1:].round().astype(np.int64) for going in (links, links + owned)]
    return Remaining(*left)
