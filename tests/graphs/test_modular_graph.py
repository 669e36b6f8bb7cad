"""The graph of a modular network shows its design: communities, ways within and between groups, participation."""

from dataclasses import dataclass

import numpy as np
import pytest

from karikomi.graphs import LayeredGraph, node_measure, whole_measure
from karikomi.graphs.communities import bipartite_modularity, find_communities
from karikomi.networks import build, layout
from karikomi.networks.architecture import Architecture
from karikomi.networks.modular import Control, Layout, Modular, wire

MIDDLE = ("fc2", "fc3", "fc4")
"""The layers that are divided among the groups."""

BYSTANDERS = [1, 3, 4]
"""Groups that are neither the entry nor the exit: they have units of the middle layers alone."""


@dataclass(frozen=True)
class Drawn:
    graph: LayeredGraph
    places: Layout


def drawn(seed: int, control: Control = "none") -> Drawn:
    """Every weight is 1, so that strengths say only how many links there are."""
    modular = Modular(long_range=0.03, control=control)
    name = "modular-5-30-60-60-60-30"
    places = layout(name, Architecture(build(name, (20,), 10)), modular)
    assert places is not None
    masks = wire(places, modular, np.random.default_rng(seed))
    weights = tuple(mask.astype(float) for mask in masks.values())
    return Drawn(LayeredGraph(tuple(places.groups), weights, tuple(masks.values())), places)


@pytest.fixture(params=range(3))
def pair(request: pytest.FixtureRequest) -> tuple[Drawn, Drawn]:
    """A modular network, and its control: as many links, anywhere."""
    return drawn(request.param), drawn(request.param, "matched")


def agreement(found: np.ndarray, planted: np.ndarray) -> float:
    """Of the pairs of one group, the share found together, less that of the pairs of two groups; by chance 0."""
    pairs = np.triu_indices(len(planted), 1)
    together, same = ((label[:, None] == label)[pairs] for label in (found, planted))
    return float(together[same].mean() - together[~same].mean())


def test_the_groups_are_found_again_in_the_links(pair: tuple[Drawn, Drawn]) -> None:
    modularity, recovered = [], []
    for each in pair:
        found = find_communities(each.graph, np.random.default_rng(0))
        modularity.append(bipartite_modularity(each.graph, communities=found))
        into = node_measure(each.graph, "in-strength")
        found, planted, strength = (
            np.concatenate([of[name] for name in MIDDLE]) for of in (found, each.places.groups, into)
        )
        recovered.append(agreement(found[strength > 0], planted[strength > 0]))
    assert modularity[0] > 1.5 * modularity[1]
    assert recovered[0] > 0.95
    assert abs(recovered[1]) < 0.05


def test_the_planted_groups_are_nearly_as_modular_as_the_best_that_are_found(pair: tuple[Drawn, Drawn]) -> None:
    graph = pair[0].graph
    best = bipartite_modularity(graph, communities=find_communities(graph, np.random.default_rng(0)))
    planted, at_random = (bipartite_modularity(each.graph, communities=each.places.groups) for each in pair)
    assert planted > 0.85 * best
    assert abs(at_random) < 0.05 * best


def test_ways_within_a_group_are_shorter_than_between_two(pair: tuple[Drawn, Drawn]) -> None:
    ratios = []
    for each in pair:
        near = whole_measure(each.graph, "group-efficiency-hops", communities=each.places.groups)
        assert isinstance(near, np.ndarray)
        among = near[np.ix_(BYSTANDERS, BYSTANDERS)]
        ratios.append(among.diagonal().mean() / among[~np.eye(len(among), dtype=bool)].mean())
    assert ratios[0] > 5
    assert ratios[1] == pytest.approx(1, abs=0.15)


def test_only_long_range_links_make_a_unit_take_part_in_other_groups(pair: tuple[Drawn, Drawn]) -> None:
    network, control = pair
    graph, long_range = network.graph, list(network.places.long_range().values())
    links = graph.masks[2].sum(axis=1) + graph.masks[3].sum(axis=0)
    leave = (graph.masks[2] & long_range[2]).sum(axis=1) + (graph.masks[3] & long_range[3]).sum(axis=0)
    spread = node_measure(graph, "participation", communities=network.places.groups)["fc3"]
    alone = (links > 0) & (leave == 0)
    assert alone.any()
    assert (spread[alone] == 0).all()
    assert (leave > 0).any()
    assert (spread[leave > 0] > 0).all()
    by_chance = node_measure(control.graph, "participation", communities=control.places.groups)["fc3"]
    assert np.nanmean(by_chance) > 3 * np.nanmean(spread)
