"""Figures for whole networks against networkx, and in closed form."""

from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.graphs import Distance, LayeredGraph, whole

Graphs = st.SearchStrategy[LayeredGraph]
many = settings(max_examples=40, deadline=None)


@many
@given(st.data())
def test_connectedness_and_degrees(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    inputs, outputs = range(graph.sizes[0]), range(graph.nodes - graph.sizes[-1], graph.nodes)
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


@pytest.mark.parametrize("distance", ["inverse", "hops"])
@many
@given(st.data())
def test_efficiency(
    graphs: Graphs, with_lengths: Callable[..., "nx.DiGraph[int]"], distance: Distance, data: st.DataObject
) -> None:
    graph = data.draw(graphs)
    lengths = dict(nx.all_pairs_dijkstra_path_length(with_lengths(graph, distance), weight="length"))
    layer = graph.layer_of
    pairs = [(u, v) for u in range(graph.nodes) for v in range(graph.nodes) if layer[u] < layer[v]]
    expected = sum(1 / lengths[u][v] for u, v in pairs if v in lengths[u]) / len(pairs)
    assert whole.efficiency(graph, distance=distance) == pytest.approx(expected)


def test_efficiency_by_log_is_refused(make: Callable[..., LayeredGraph]) -> None:
    with pytest.raises(InputError, match="0 long"):
        whole.efficiency(make([2, 2]), distance="log")


@many
@given(st.data())
def test_rich_club(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain, layer = graph.to_networkx(), graph.layer_of
    ours = whole.rich_club(graph)
    assert len(ours) == max(degree for _, degree in plain.degree())
    for k, value in enumerate(ours):
        club = [node for node, degree in plain.degree() if degree > k]
        places = sum(layer[v] - layer[u] == 1 for u in club for v in club)
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
