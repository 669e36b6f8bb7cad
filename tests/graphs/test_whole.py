"""Figures for whole networks against networkx, and in closed form."""

from collections.abc import Callable
from functools import partial
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.graphs import Distance, LayeredGraph, whole

Graphs = st.SearchStrategy[LayeredGraph]
many = settings(max_examples=40)


def named(graph: LayeredGraph, labels: np.ndarray) -> dict[str, np.ndarray]:
    return graph.per_layer(np.split(labels, np.cumsum(graph.sizes)[:-1]))


@many
@given(st.data())
def test_connectedness_and_degrees(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    read, reading = ({pair[end] for pair in graph.pairs} for end in (0, 1))
    inputs, outputs = ([n for n in plain if graph.layer_of[n] not in layers] for layers in (reading, read))
    behind = set(inputs).union(*(nx.descendants(plain, node) for node in inputs))
    before = set(outputs).union(*(nx.ancestors(plain, node) for node in outputs))
    assert whole.outputs_reached(graph) == len(behind & set(outputs)) / len(outputs)
    assert whole.on_path(graph) == len(behind & before) / graph.nodes
    assert whole.components(graph) == nx.number_weakly_connected_components(plain)
    assert whole.degree_distribution(graph).tolist() == nx.degree_histogram(plain)
    share = np.array(nx.degree_histogram(plain)) / graph.nodes
    assert whole.degree_entropy(graph) == pytest.approx(-sum(p * np.log2(p) for p in share if p))


def test_a_full_network(deep: LayeredGraph) -> None:
    assert whole.density(deep) == whole.outputs_reached(deep) == whole.on_path(deep) == whole.components(deep) == 1
    distribution = whole.degree_distribution(deep)
    assert {int(k): int(distribution[k]) for k in np.flatnonzero(distribution)} == {256: 784 + 10, 1040: 256, 266: 256}


def test_degree_entropy_in_bits(make: Callable[..., LayeredGraph]) -> None:
    assert whole.degree_entropy(make([4, 4])) == 0
    assert whole.degree_entropy(make([4, 2, 1, 1])) == pytest.approx(
        -sum(p * np.log2(p) for p in (4 / 8, 2 / 8, 1 / 8, 1 / 8))
    )


def joined(graph: LayeredGraph) -> list[tuple[int, int]]:
    """Pairs of units from whose first layer blocks lead to the second's."""
    behind, layer = nx.DiGraph(graph.pairs), graph.layer_of
    return [
        (u, v)
        for u, v in product(range(graph.nodes), repeat=2)
        if nx.has_path(behind, layer[u], layer[v]) and layer[u] != layer[v]
    ]


@pytest.mark.parametrize("distance", ["inverse", "hops"])
@many
@given(st.data())
def test_efficiency(
    graphs: Graphs, with_lengths: Callable[..., "nx.DiGraph[int]"], distance: Distance, data: st.DataObject
) -> None:
    graph = data.draw(graphs)
    lengths = dict(nx.all_pairs_dijkstra_path_length(with_lengths(graph, distance), weight="length"))
    pairs = joined(graph)
    expected = sum(1 / lengths[u][v] for u, v in pairs if v in lengths[u]) / len(pairs)
    assert whole.efficiency(graph, distance=distance) == pytest.approx(expected)


@pytest.mark.parametrize("distance", ["inverse", "hops"])
@many
@given(st.data())
def test_group_efficiency(
    graphs: Graphs, with_lengths: Callable[..., "nx.DiGraph[int]"], distance: Distance, data: st.DataObject
) -> None:
    graph = data.draw(graphs)
    # Numbers with gaps: they stand for communities in their order, whatever they are.
    label = np.array(data.draw(st.lists(st.sampled_from([2, 3, 7]), min_size=graph.nodes, max_size=graph.nodes)))
    lengths = dict(nx.all_pairs_dijkstra_path_length(with_lengths(graph, distance), weight="length"))
    numbers = np.unique(label)
    total, pairs = np.zeros((len(numbers), len(numbers))), np.zeros((len(numbers), len(numbers)))
    for u, v in joined(graph):
        to, of = np.searchsorted(numbers, label[[v, u]])
        total[to, of] += 1 / lengths[u][v] if v in lengths[u] else 0
        pairs[to, of] += 1
    ours = whole.group_efficiency(graph, communities=named(graph, label), distance=distance)
    assert (np.isnan(ours) == (pairs == 0)).all()
    np.testing.assert_allclose(ours[pairs > 0], total[pairs > 0] / pairs[pairs > 0])
    assert whole.efficiency(graph, distance=distance) == pytest.approx(np.nansum(ours * pairs) / pairs.sum())


def test_efficiency_goes_forward_from_community_to_community() -> None:
    """1 → 0 → 0: the row is where a way ends, the column where it begins."""
    links = (np.ones((1, 1)), np.ones((1, 1)))
    graph = LayeredGraph(("inputs", "fc1", "output"), links, (links[0] > 0, links[1] > 0))
    ours = whole.group_efficiency(graph, communities=named(graph, np.array([1, 0, 0])), distance="hops")
    np.testing.assert_array_equal(ours, [[1, 0.75], [np.nan, np.nan]])


@pytest.mark.parametrize("measure", [whole.efficiency, partial(whole.group_efficiency, communities={})])
def test_efficiency_by_log_is_refused(make: Callable[..., LayeredGraph], measure: Callable[..., object]) -> None:
    with pytest.raises(InputError, match="0 long"):
        measure(make([2, 2]), distance="log")


def test_efficiency_of_communities_that_do_not_fit_is_refused(make: Callable[..., LayeredGraph]) -> None:
    with pytest.raises(InputError, match="communities of fc1 must be 2 whole numbers"):
        whole.group_efficiency(make([3, 2]), communities={"inputs": np.zeros(3, int)}, distance="hops")


@many
@given(st.data())
def test_rich_club(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain, layer = graph.to_networkx(), graph.layer_of
    ours = whole.rich_club(graph)
    assert len(ours) == max(degree for _, degree in plain.degree())
    for k, value in enumerate(ours):
        club = [node for node, degree in plain.degree() if degree > k]
        places = sum((layer[u], layer[v]) in graph.pairs for u in club for v in club)
        expected = plain.subgraph(club).number_of_edges() / places if places else np.nan
        np.testing.assert_allclose(value, expected)


def test_rich_club_differs_from_networkx_only_in_the_places(make: Callable[..., LayeredGraph]) -> None:
    graph = make([8, 9, 7], 0.4)
    theirs = nx.rich_club_coefficient(nx.Graph(graph.to_networkx()), normalized=False)
    degree, layer = whole.degrees(graph), graph.layer_of
    for k, value in theirs.items():
        sizes = np.bincount(layer[degree > k], minlength=3)
        club, places = sizes.sum(), sizes[:-1] @ sizes[1:]
        links = value * club * (club - 1) / 2
        np.testing.assert_allclose(whole.rich_club(graph)[k], links / places if places else np.nan)
