"""New units and links in the place of the dead."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.belongings import read_by_weights
from karikomi.networks.initialization import Initialization, initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.deaths import Deaths, die


def regrow(before: Subnetwork, dead: Deaths, scheme: Initialization, rng: np.random.Generator) -> Subnetwork:
    """The network after the deaths, with a new unit or link for each that died, in its place and with its links.

    New weights into a new unit are drawn, with its bias, for the links that it has; new links into a survivor start
    at 0. So the new ones change nothing of what the survivors compute until training brings them in, as in Net2Net
    (Chen et al. 2016) and in RigL's new links (Evci et al. 2020): what is measured is what they learn, not the noise
    of their arrival. Nor do they stay alike: a new unit's own inputs differ from the first step on, so from then on
    the weights out of it differ too.

    Args:
        before: the network before the deaths.
        dead: who died in it.
        scheme: how large the new weights are, see :func:`~karikomi.networks.initialization.initialize`.
        rng: draws them.
    """
    after = replace(die(before, dead), masks=before.masks)
    if isinstance(dead, Mapping):
        return after
    fresh = initialize(before.architecture, scheme, rng, before.masks).weights
    layers = before.architecture.hidden
    ends = np.cumsum([layer.units for layer in layers])
    weights, new = dict(after.weights), np.isin(np.arange(ends[-1]), dead)
    for layer, ours in zip(layers, np.split(new, ends[:-1]), strict=True):
        for one in before.architecture.belongings[layer.name]:
            if one.own:
                weights[one.name] = np.where(one.of(ours), fresh[one.name], weights[one.name])
    return replace(after, weights=weights)


def check_regrowth(architecture: Architecture) -> None:
    """Raise an InputError, with the layer, if new units would change at once what the survivors compute.

    That is where not only weights read the units: a new one's signal would be added to others'.
    """
    if architecture.in_a_row:
        return
    for part in architecture.anatomy.parts:
        if not all(read_by_weights(architecture.anatomy, site) for site in part.sites) or not part.sites:
            raise InputError(
                f"regrowth needs new units that have no effect at first, and those of {part.name} do not act through"
                " weights alone; leave that arm out"
            )
