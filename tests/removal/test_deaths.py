"""Schedules: who dies when, each once, as many as asked for; and what is left of a network and of its optimizer."""

from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.engines import population
from karikomi.engines.contract import OptimizerState, Recipe, Trial
from karikomi.errors import InputError
from karikomi.networks.mlp import mlp
from karikomi.removal.deaths import (
    cluster_by_links,
    cluster_in_space,
    death_counts,
    die,
    in_cycles,
    regional_order,
    surviving_state,
)
from karikomi.removal.orders import layer_matched
from karikomi.removal.units import remove_units

SEEDS = st.integers(0, 2**16)
SIZES = st.lists(st.integers(1, 8), min_size=1, max_size=4)


def generator(seed=0):
    return np.random.default_rng(seed)


def named(sizes):
    return {f"fc{number}": size for number, size in enumerate(sizes, start=1)}


@given(st.integers(1, 500), st.floats(0.01, 0.5), st.integers(1, 20))
def test_a_share_is_of_the_units_that_are_left(units, share, cycles):
    counts = death_counts(units, share, cycles)
    assert len(counts) == cycles
    assert counts.min() >= 0
    for cycle, left in enumerate(units - np.cumsum(counts), start=1):
        assert abs(left - units * (1 - share) ** cycle) <= 0.5


def test_a_number_dies_in_every_cycle():
    assert death_counts(10, 3, 5).tolist() == [3, 3, 3, 3, 3]
    assert death_counts(10, 1.0, 2).tolist() == [1, 1]


@pytest.mark.parametrize("deaths", [0, -3, 2.5, -0.1, float("nan"), float("inf")])
def test_other_numbers_of_deaths_are_refused(deaths):
    with pytest.raises(
        InputError, match="a whole number of units from 1, or a share between 0 and 1; it is"
    ) as refused:
        death_counts(10, deaths, 2)
    assert "\n" not in str(refused.value)


@given(SIZES, st.lists(st.integers(0, 5), min_size=1, max_size=6), SEEDS)
def test_cycles_follow_the_order_or_name_the_layer_that_empties(sizes, counts, seed):
    order = generator(seed).permutation(sum(sizes))
    layer_of = np.repeat(np.arange(len(sizes)), sizes)
    expected, left, emptied = [], order.tolist(), set()
    for cycle, count in enumerate(counts, start=1):
        expected.append(left[:count])
        left = left[count:]
        emptied |= {
            (layer, cycle)
            for layer in range(len(sizes))
            if layer not in layer_of[left] and not any(layer == other for other, _ in emptied)
        }
    if sum(counts) > sum(sizes):
        with pytest.raises(InputError, match=f"there are {sum(sizes)} to choose from"):
            in_cycles(order, counts, named(sizes))
    elif emptied:
        layer, cycle = min(emptied)
        with pytest.raises(InputError, match=f"last unit of fc{layer + 1} would die in cycle {cycle} of {len(counts)}"):
            in_cycles(order, counts, named(sizes))
    else:
        assert [dead.tolist() for dead in in_cycles(order, counts, named(sizes))] == expected


def test_more_deaths_than_units_are_refused_in_one_line():
    with pytest.raises(InputError, match="12 units cannot die in 4 cycles: there are 10 to choose from") as refused:
        in_cycles(np.arange(10), [3, 3, 3, 3], {"fc1": 6, "fc2": 4})
    assert "\n" not in str(refused.value)


@given(SIZES, st.integers(1, 4), st.integers(1, 4), SEEDS)
def test_scattered_deaths_take_as_many_of_each_layer_in_every_cycle(sizes, groups, deaths, seed):
    sizes = [size + 1 for size in sizes]
    layer_of, rng = np.repeat(np.arange(len(sizes)), sizes), generator(seed)
    everyone = regional_order(rng.integers(0, groups, len(layer_of)), rng)
    pattern = everyone[~np.isin(everyone, np.cumsum(sizes) - 1)]  # the last unit of every layer lives
    scattered = layer_matched(pattern, layer_of, rng)
    counts = [deaths] * (len(pattern) // deaths) or [0]
    patterns = in_cycles(pattern, counts, named(sizes)), in_cycles(scattered, counts, named(sizes))
    for dead, control in zip(*patterns, strict=True):
        assert Counter(layer_of[dead].tolist()) == Counter(layer_of[control].tolist())


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), SEEDS)
def test_regions_die_one_after_the_other(groups, seed):
    groups = np.array(groups)
    order = regional_order(groups, generator(seed))
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(len(groups)))
    changes = sum(groups[a] != groups[b] for a, b in pairwise(order))
    assert changes == len(set(groups.tolist())) - 1, "a region once begun is finished"


def test_groups_and_their_units_come_in_any_order():
    groups = np.array([0, 0, 1, 1])
    counts = Counter(tuple(regional_order(groups, generator(seed)).tolist()) for seed in range(1600))
    assert len(counts) == 8
    assert max(abs(count - 200) for count in counts.values()) < 5 * np.sqrt(1600 * 1 / 8 * 7 / 8)


def test_only_the_groups_that_are_named_die_and_in_their_order():
    groups = np.array([0, 1, 2, 0, 1, 2])
    order = regional_order(groups, generator(), dying=(2, 0))
    assert groups[order].tolist() == [2, 2, 0, 0]
    with pytest.raises(InputError, match="5 units cannot die in 1 cycles: there are 4 to choose from"):
        in_cycles(order, [5], {"fc1": 6})


@pytest.mark.parametrize(
    ("dying", "message"),
    [((7,), "there is no group 7; there are 0, 1, 2"), ((0, -1), "no group -1"), ((1, 1), "every group dies once")],
)
def test_groups_that_do_not_exist_are_refused_in_one_line(dying, message):
    with pytest.raises(InputError, match=message) as refused:
        regional_order(np.array([0, 1, 2]), generator(), dying)
    assert "\n" not in str(refused.value)


@given(st.integers(1, 20), SEEDS)
def test_a_cluster_in_space_is_a_growing_disk(units, seed):
    positions = generator(seed).integers(0, 4, (units, 2)).astype(float)  # many at equal distances
    order = cluster_in_space(positions, generator(seed + 1))
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(units))
    distances = [float(np.hypot(*(positions[unit] - positions[order[0]]))) for unit in order]
    assert distances == sorted(distances)


def test_a_cluster_begins_anywhere(small):
    positions = generator().random((7, 2))
    for cluster in (partial(cluster_in_space, positions), partial(cluster_by_links, small)):
        counts = Counter(int(cluster(generator(seed))[0]) for seed in range(350))
        assert len(counts) == 7
        assert max(abs(count - 50) for count in counts.values()) < 5 * np.sqrt(350 / 7 * 6 / 7)


def hidden_graph(network):
    """Hidden units of a perceptron, undirected, links 1 / |w| long."""
    names = list(network.masks)[1:-1]
    graph, before = nx.Graph(), 0
    graph.add_nodes_from(range(sum(len(mask) for mask in list(network.masks.values())[:-1])))
    for name in names:
        weight = np.abs(network.weights[name])
        after = before + weight.shape[1]
        for i, j in zip(*np.nonzero(network.masks[name]), strict=True):
            graph.add_edge(before + j, after + i, length=1 / float(weight[i, j]), strength=float(weight[i, j]))
        before = after
    return graph


@settings(max_examples=40)
@given(SEEDS, st.sampled_from([0.1, 0.3, 1.0]))
def test_a_cluster_by_links_follows_the_shortest_ways(subnetwork, seed, density):
    network = subnetwork(mlp((3,), [5, 4, 6], 2), density, seed)
    graph = hidden_graph(network)
    if not graph.edges:
        return
    order = cluster_by_links(network, generator(seed)).tolist()
    assert sorted(order) == list(range(15))
    left = order
    while left:
        reached = nx.single_source_dijkstra_path_length(graph, left[0], weight="length")
        component, left = left[: len(reached)], left[len(reached) :]
        assert set(component) == reached.keys(), "no new beginning while a way leads on"
        lengths = [reached[unit] for unit in component]
        assert lengths == pytest.approx(sorted(lengths))
        if len(component) > 1:
            strongest = max(graph[component[0]].items(), key=lambda link: link[1]["strength"])[0]
            assert component[1] == strongest
        for place, unit in enumerate(component[1:], start=1):
            assert set(graph[unit]) & set(component[:place]), "the dead region grows at its edge"


def test_a_cluster_of_channels_goes_by_the_norms_of_their_kernels(subnetwork):
    network = subnetwork(
        nn.Sequential(nn.Conv1d(1, 3, 2), nn.ReLU(), nn.Conv1d(3, 2, 2), nn.Flatten(), nn.Linear(4, 2))
    )
    strength = np.abs(network.weights["2.weight"]).sum(axis=2)
    for seed in range(5):
        first, second = cluster_by_links(network, generator(seed))[:2]
        if first < 3:
            assert second == 3 + strength[:, first].argmax()
        else:
            assert second == strength[first - 3].argmax()


@pytest.mark.parametrize("hidden", [[4], [4, 3]])
def test_without_links_between_hidden_units_there_is_no_cluster(subnetwork, hidden):
    network = subnetwork(mlp((3,), hidden, 2))
    if len(hidden) > 1:
        network = network.masked({**network.masks, "fc2.weight": np.zeros((3, 4), bool)})
    with pytest.raises(InputError, match="links between hidden units, and this network has none"):
        cluster_by_links(network, generator())


def test_dead_units_are_removed(small):
    left, expected = die(small, np.array([5, 0])), remove_units(small, [0, 5])
    assert all((left.masks[name] == mask).all() for name, mask in expected.masks.items())
    assert all((left.weights[name] == weight).all() for name, weight in expected.weights.items())


def test_dead_links_are_removed_and_nothing_else(small):
    dead = {name: generator().random(mask.shape) < 0.4 for name, mask in small.masks.items()}
    left = die(small, dead)
    for name, weight in small.weights.items():
        gone = dead.get(name, np.zeros(weight.shape, bool))
        assert (left.weights[name] == np.where(gone, 0, weight)).all()
        assert name not in dead or (left.masks[name] == (small.masks[name] & ~gone)).all()


def test_the_optimizer_forgets_the_dead_and_keeps_the_survivors(small):
    moments = [{name: generator(k).random(w.shape) + 1 for name, w in small.weights.items()} for k in (1, 2)]
    kept = surviving_state(OptimizerState(7, *moments), small, np.array([1, 4]))
    assert kept.steps == 7
    for had, has in zip(moments, (kept.first, kept.second), strict=True):
        expected = {name: value * small.masks.get(name, 1) for name, value in had.items()}
        expected["fc1.weight"][1] = expected["fc1.bias"][1] = 0
        expected["fc2.weight"][0] = expected["fc2.bias"][0] = 0
        expected["fc2.weight"][:, 1] = 0
        expected["output.weight"][:, 0] = 0
        assert expected.keys() == has.keys()
        assert all((has[name] == value).all() for name, value in expected.items())


def test_nothing_of_a_dead_unit_moves_when_the_survivors_train_on(subnetwork):
    rng = generator()
    x, y = rng.random((60, 3)).astype(np.float32), np.arange(60) % 3
    data, recipe = Dataset.from_arrays(x, y, x, y), Recipe(5, 10, "adam", 0.01, 0.0, 0.0, 5)
    trial = Trial(subnetwork(mlp((3,), [4, 3], 3)), data.split(6, rng), np.random.SeedSequence(0))
    trained, dead = population.train([trial], data, recipe)[0], np.array([2, 5])
    state = surviving_state(trained.state, trained.final, dead)
    aged = population.train([replace(trial, subnetwork=die(trained.final, dead), state=state)], data, recipe)[0].final
    assert aged.weights["fc1.bias"][2] == aged.weights["fc2.bias"][1] == 0
    assert (aged.weights["fc1.bias"][[0, 1, 3]] != trained.final.weights["fc1.bias"][[0, 1, 3]]).any()
