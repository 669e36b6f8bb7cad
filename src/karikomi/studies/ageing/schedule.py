"""Who dies when: drawn once per replicate from its healthy network, and the same in every arm."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from karikomi import seeds
from karikomi.networks.modular import Layout
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.deaths import (
    Deaths,
    cluster_by_links,
    cluster_in_space,
    death_counts,
    in_cycles,
    regional_order,
)
from karikomi.removal.link_deaths import matched_link_deaths, scattered_link_deaths
from karikomi.removal.orders import in_proportion, layer_matched, order, random_order
from karikomi.studies.ageing.lifespan import lifespan
from karikomi.studies.ageing.settings import CLUSTER, LINK_PATTERNS, RANDOM, REGIONAL, AgeingSettings
from karikomi.studies.setup import Setup

AgeingSetup = Setup[AgeingSettings]

Schedule = Mapping[str, Arrays]
"""By pattern the cycle, from 1, in which each dies, 0 if never: of ``units``, int32 ``[units]``; or of links, by
weight int32 ``[out, in]``."""

Score = Callable[[int, str], np.ndarray]
"""Gives the units of a replicate's healthy network scores by a criterion."""

UNITS = "units"

SHOWN = 12
"""Cycles after which the page shows networks, at most."""


def draw_schedules(setup: AgeingSetup, healthy: Sequence[Subnetwork], score: Score) -> tuple[int, list[Schedule]]:
    """How many cycles a life has, and who dies in each of them, by replicate.

    Raises:
        InputError: if more are to die than there are, or a layer would lose its last unit.
    """
    s, layers = setup.settings, setup.architecture.hidden_units
    if s.takes_links:
        cycles = lifespan(s, [(network, None) for network in healthy])
        return cycles, [_links(setup, replicate, network, cycles) for replicate, network in enumerate(healthy)]
    orders = [_orders(setup, replicate, network, score) for replicate, network in enumerate(healthy)]
    cycles = lifespan(s, [(healthy[r], units) for r, by_pattern in enumerate(orders) for units in by_pattern.values()])
    counts = death_counts(sum(layers.values()), s.deaths, cycles)
    return cycles, [
        {pattern: {UNITS: _when(in_cycles(units, counts, layers), layers)} for pattern, units in by_pattern.items()}
        for by_pattern in orders
    ]


def shown_cycles(schedule: Schedule) -> list[int]:
    """The cycles after which the page shows networks: up to ``SHOWN``, spread evenly, with the last."""
    last = max(int(when.max(initial=0)) for by_name in schedule.values() for when in by_name.values())
    return sorted({round(last * part / SHOWN) for part in range(1, SHOWN + 1)} - {0})


def dying(when: Arrays, cycle: int) -> Deaths:
    """Who dies in a cycle of a pattern."""
    return _those({name: each == cycle for name, each in when.items()})


def dead(when: Arrays, cycle: int) -> Deaths:
    """Who is dead after a cycle of a pattern."""
    return _those({name: (each > 0) & (each <= cycle) for name, each in when.items()})


def _those(chosen: dict[str, np.ndarray]) -> Deaths:
    return np.flatnonzero(chosen[UNITS]) if UNITS in chosen else chosen


def _orders(setup: AgeingSetup, replicate: int, healthy: Subnetwork, score: Score) -> dict[str, np.ndarray]:
    """By pattern the order in which units die."""
    s, layer_of, orders = setup.settings, setup.architecture.layer_of, {}
    for pattern in s.chosen:
        rng = seeds.stream(s.seed, "death", replicate, *pattern.encode())
        if pattern == RANDOM:
            orders[pattern] = random_order(len(layer_of), rng)
        elif pattern == REGIONAL:
            orders[pattern] = regional_order(_layout(setup).unit_groups, rng, s.regions or None)
        elif pattern != CLUSTER:
            orders[pattern] = in_proportion(order(score(replicate, pattern), s.direction, rng), layer_of)
        elif setup.layout is not None:
            orders[pattern] = cluster_in_space(setup.layout.unit_positions, rng)
        else:
            orders[pattern] = cluster_by_links(healthy, rng)
    for pattern, control in s.controls.items():
        rng = seeds.stream(s.seed, "death", replicate, *control.encode())
        orders[control] = layer_matched(orders[pattern], layer_of, rng)
    return orders


def _when(deaths: Sequence[np.ndarray], layers: Mapping[str, int]) -> np.ndarray:
    when = np.zeros(sum(layers.values()), np.int32)
    for cycle, units in enumerate(deaths, start=1):
        when[units] = cycle
    return when


def _links(setup: AgeingSetup, replicate: int, healthy: Subnetwork, cycles: int) -> Schedule:
    s, rng = setup.settings, seeds.stream(setup.settings.seed, "death", replicate, *b"links")
    matched = matched_link_deaths(healthy, _layout(setup).long_range(), int(s.deaths), cycles, rng)
    deaths = dict(zip(LINK_PATTERNS, matched, strict=True))
    deaths |= {control: scattered_link_deaths(matched.local, healthy.masks, rng) for control in s.controls.values()}
    return {
        pattern: {
            name: np.array([cycle * dead[name] for cycle, dead in enumerate(deaths[pattern], 1)], np.int32).sum(axis=0)
            for name in healthy.masks
        }
        for pattern in s.drawn
    }


def _layout(setup: AgeingSetup) -> Layout:
    assert setup.layout is not None, "the settings refuse these patterns for networks without groups"
    return setup.layout
