"""Which links die in which cycle: local against long-range ones, and links anywhere as their control.

A schedule has for every cycle by every weight's name a bool array, True where a link dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from karikomi.errors import InputError
from karikomi.removal.masks import Masks

if TYPE_CHECKING:
    from karikomi.networks.subnetwork import Arrays, Subnetwork

LinkDeaths = list[dict[str, np.ndarray]]

CALIPER = 0.05
"""How much two matched links may differ in \\|w\\|, as a share of the mean \\|w\\| of their layer."""


class LinkMatched(NamedTuple):
    """Two schedules that lose as many links of each layer in every cycle, and nearly the same Σ \\|w\\|."""

    local: LinkDeaths
    long_range: LinkDeaths


def matched_link_deaths(
    subnetwork: Subnetwork, long_range: Arrays, deaths: int, cycles: int, rng: np.random.Generator
) -> LinkMatched:
    """Random long-range links, and for each a local one of its own layer with nearly the same \\|w\\|.

    Nearest-neighbour matching without replacement, within a caliper (Rosenbaum & Rubin 1985). Long-range links come in
    random order; each takes of the local links of its layer that are still free the one nearest in \\|w\\|, and dies
    together with it. One that finds none within ``CALIPER`` times the layer's mean \\|w\\| lives. So Σ \\|w\\| differs
    by at most that share of as many average links, in every layer and cycle; usually by far less.

    Weights are those of ``subnetwork``, the healthy network; retraining may move the two patterns apart.

    Args:
        subnetwork: the network whose links die.
        long_range: by weight bool ``[out, in]``, see :meth:`karikomi.networks.modular.Layout.long_range`.
        deaths: links that die in a cycle, at least 1.
        cycles: how many.
        rng: draws.

    Raises:
        InputError: if there are no long-range links, or too few of them find a match.
    """
    sizes = {name: np.abs(subnetwork.weights[name]).ravel() for name in subnetwork.masks}
    local, far = (
        {name: np.flatnonzero(mask & (long_range[name] == which)) for name, mask in subnetwork.masks.items()}
        for which in (False, True)
    )
    candidates = [(name, link) for name, links in far.items() for link in links.tolist()]
    if not candidates:
        raise InputError("the network has no long-range links; take another pattern, or raise long_range")
    caliper = {name: CALIPER * sizes[name][mask.ravel()].mean() for name, mask in subnetwork.masks.items() if mask.any()}
    free = {name: sizes[name][links] for name, links in local.items()}
    pairs: list[tuple[str, int, int]] = []
    for number in rng.permutation(len(candidates)):
        name, link = candidates[number]
        apart = np.abs(free[name] - sizes[name][link])
        nearest = int(apart.argmin()) if len(apart) else 0
        if len(apart) and apart[nearest] <= caliper[name]:
            pairs.append((name, int(local[name][nearest]), link))
            free[name][nearest] = np.inf
        if len(pairs) == deaths * cycles:
            break
    else:
        raise InputError(
            f"{deaths * cycles} long-range links cannot die in {cycles} cycles: of {len(candidates)} only {len(pairs)}"
            f" have a local link of their layer whose |w| is the same within {CALIPER:.0%} of the mean"
        )
    return LinkMatched(*())


