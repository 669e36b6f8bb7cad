"""Which links die in which cycle: local against long-range ones, and links anywhere as the control of either.

A schedule has for every cycle by every weight's name a bool array, True where a link dies, as
:func:`karikomi.removal.deaths.die` takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from karikomi.errors import InputError
from karikomi.removal.masks import Masks

if TYPE_CHECKING:
    from karikomi.networks.subnetwork import Subnetwork

Schedule = list[dict[str, np.ndarray]]

CALIPER = 0.05
"""How much two matched links may differ in \\|w\\|, as a share of the mean \\|w\\| in their layer."""


class Matched(NamedTuple):
    """Two schedules that take as many links of each layer in every cycle, and nearly the same Σ \\|w\\|."""

    local: Schedule
    long_range: Schedule


def matched_link_deaths(
    subnetwork: Subnetwork, long_range: Mapping[str, np.ndarray], deaths: int, cycles: int, rng: np.random.Generator
) -> Matched:
    """Random long-range links die, and for each of them a local one of the same layer with nearly the same \\|w\\|.

    Nearest-neighbour matching without replacement, within a caliper (Rosenbaum & Rubin 1985): long-range links come in
    random order, and each takes of the local links of its layer that are still free the one nearest in \\|w\\|. One
    that finds none within ``CALIPER`` times the layer's mean \\|w\\| lives. So in no layer and cycle does Σ \\|w\\|
    differ by more than ``CALIPER`` times as many average links; where local links are many it differs by far less.

    The weights are those of ``subnetwork``, the healthy network; as they are trained on the patterns may drift apart.

    Args:
        subnetwork: the network whose links die.
        long_range: by weight bool ``[out, in]``, see :meth:`karikomi.networks.modular.Layout.long_range`.
        deaths: links that die in a cycle, at least 1.
        cycles: how many.
        rng: draws.

    Raises:
        InputError: if the network has no long-range links, or too few of them find a match.
    """
    there = sum(int((mask & long_range[name]).sum()) for name, mask in subnetwork.masks.items())
    if not there:
        raise InputError("the network has no long-range links that could die; raise long_range, or let others die")
    pairs = list(islice(_pairs(subnetwork, long_range, rng), deaths * cycles))
    if len(pairs) < deaths * cycles:
        raise InputError(
            f"{deaths * cycles} long-range links cannot die in {cycles} cycles: of {there} only {len(pairs)} find a"
            f" local link of nearly the same |w| in their layer; take fewer cycles, or fewer deaths in each"
        )
    return Matched(*(_schedule(subnetwork.masks, pairs, deaths, which) for which in (1, 2)))


def scattered_link_deaths(schedule: Schedule, masks: Masks, rng: np.random.Generator) -> Schedule:
    """In every cycle as many links of each layer as in ``schedule``, at random places: the control for which ones.

    They may be local or long-range, and are not matched in \\|w\\|.

    Args:
        schedule: what to match in number.
        masks: which links there are.
        rng: draws.
    """
    scattered = [{name: np.zeros(mask.shape, bool) for name, mask in masks.items()} for _ in schedule]
    for name, mask in masks.items():
        links = rng.permutation(np.flatnonzero(mask))
        ends = np.cumsum([dead[name].sum() for dead in schedule])
        for dead, dying in zip(scattered, np.split(links, ends)[:-1], strict=True):
            dead[name].ravel()[dying] = True
    return scattered


def _pairs(
    subnetwork: Subnetwork, long_range: Mapping[str, np.ndarray], rng: np.random.Generator
) -> Iterator[tuple[str, int, int]]:
    """Layer, local link, long-range link: every pair that matches, in random order."""
    sizes, within, local, free, far = {}, {}, {}, {}, list[tuple[str, int]]()
    for name, mask in subnetwork.masks.items():
        sizes[name] = np.abs(subnetwork.weights[name]).ravel()
        within[name] = CALIPER * sizes[name].sum() / max(mask.sum(), 1)
        local[name] = np.flatnonzero(mask & ~long_range[name])
        free[name] = sizes[name][local[name]]
        far += [(name, link) for link in np.flatnonzero(mask & long_range[name]).tolist()]
    for number in rng.permutation(len(far)):
        name, link = far[number]
        apart = np.abs(free[name] - sizes[name][link])
        if apart.min(initial=np.inf) <= within[name]:
            nearest = int(apart.argmin())
            free[name][nearest] = np.inf
            yield name, int(local[name][nearest]), link


def _schedule(masks: Masks, pairs: list[tuple[str, int, int]], deaths: int, which: int) -> Schedule:
    cycles = []
    for start in range(0, len(pairs), deaths):
        dead = {name: np.zeros(mask.shape, bool) for name, mask in masks.items()}
        for pair in pairs[start : start + deaths]:
            dead[pair[0]].ravel()[pair[which]] = True
        cycles.append(dead)
    return cycles
