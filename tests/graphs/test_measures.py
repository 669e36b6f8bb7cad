"""Every measure of units against networkx, or against its definition written out, on graphs of every shape."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx.algorithms import bipartite

from karikomi.errors import InputError
from karikomi.graphs import Distance, LayeredGraph, PerLayer
from karikomi.graphs.measures import mixing, paths, spectral, strength

Graphs = st.SearchStrategy[LayeredGraph]
WithLengths = Callable[[LayeredGraph, str], "nx.DiGraph[int]"]
many = settings(max_examples=40)
by_distance = pytest.mark.parametrize("distance", ["inverse", "log", "hops"])


def agree(ours: PerLayer, theirs: Mapping[int, float], graph: LayeredGraph, tolerance: float = 1e-9) -> None:
    assert list(ours) == list(graph.layers)
    assert tuple(map(len, ours.values())) == graph.sizes
    expected = [theirs[node] for node in range(graph.nodes)]
    np.testing.assert_allclose(np.concatenate(list(ours.values())), expected, rtol=tolerance, atol=1e-12)


@many
@given(st.data())
def test_degree_and_strength(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    agree(strength.in_degree(graph), dict(plain.in_degree()), graph)
    agree(strength.out_degree(graph), dict(plain.out_degree()), graph)
    agree(strength.in_strength(graph), dict(plain.in_degree(weight="strength")), graph)
    agree(strength.out_strength(graph), dict(plain.out_degree(weight="strength")), graph)


@many
@given(st.data())
def test_flow_is_strength_weighted_by_activation(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    mean = np.random.default_rng(0).random(graph.nodes)
    plain = graph.to_networkx()
    for u, _, link in plain.edges(data=True):
        link["flow"] = link["strength"] * mean[u]
    activations = dict(zip(graph.layers, np.split(mean, np.cumsum(graph.sizes)[:-1]), strict=True))
    agree(strength.in_flow(graph, activations=activations), dict(plain.in_degree(weight="flow")), graph)
    agree(strength.out_flow(graph, activations=activations), dict(plain.out_degree(weight="flow")), graph)


@pytest.mark.parametrize("wrong", [{}, {"inputs": np.ones(2)}, {"inputs": -np.ones(3)}, {"inputs": np.full(3, np.nan)}])
def test_activations_that_do_not_fit_are_refused(
    make: Callable[..., LayeredGraph], wrong: dict[str, np.ndarray]
) -> None:
    with pytest.raises(InputError, match=r"mean .activation. of inputs must be 3 finite numbers from 0"):
        strength.in_flow(make([3, 2]), activations=wrong)


@by_distance
@many
@given(st.data())
def test_betweenness_equals_all_shortest_paths_listed(
    graphs: Graphs, with_lengths: WithLengths, distance: Distance, data: st.DataObject
) -> None:
    graph = data.draw(graphs)
    agree(paths.betweenness(graph, distance=distance), listed(with_lengths(graph, distance)), graph)


def listed(plain: "nx.DiGraph[int]") -> dict[int, float]:
    """Betweenness by listing every path; the lengths of a path are added up from its source on."""
    share = dict.fromkeys(plain, 0.0)
    for source in plain:
        for target in nx.descendants(plain, source):
            found = list(nx.all_simple_paths(plain, source, target))
            lengths = [sum(plain.edges[link]["length"] for link in pairwise(path)) for path in found]
            shortest = [path for path, length in zip(found, lengths, strict=True) if length == min(lengths)]
            for path in shortest:
                for node in path[1:-1]:
                    share[node] += 1 / len(shortest)
    pairs = max((len(plain) - 1) * (len(plain) - 2), 1)
    return {node: total / pairs for node, total in share.items()}


# networkx itself does not count paths over links of length 0 right, and the strongest link is one of them by log.
@pytest.mark.parametrize("distance", ["inverse", "hops"])
@many
@given(st.data())
def test_betweenness_equals_networkx(
    graphs: Graphs, with_lengths: WithLengths, distance: Distance, data: st.DataObject
) -> None:
    graph = data.draw(graphs)
    theirs = nx.betweenness_centrality(with_lengths(graph, distance), weight="length")
    agree(paths.betweenness(graph, distance=distance), theirs, graph)


@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_betweenness_where_sources_come_in_several_blocks(
    make: Callable[..., LayeredGraph], with_lengths: WithLengths, shortcuts: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "BLOCK", 150)
    for weights in ("normal", "powers"):
        graph = make([11, 7, 9, 8], 0.6, weights, 0, shortcuts)
        theirs = nx.betweenness_centrality(with_lengths(graph, "inverse"), weight="length")
        agree(paths.betweenness(graph, distance="inverse"), theirs, graph)


def test_betweenness_of_a_full_network_by_hops(deep: LayeredGraph) -> None:
    """The n_before · n_after pairs around a layer of n share their paths evenly among it, and no pair skips it."""
    ours = paths.betweenness(deep, distance="hops")
    pairs = 1305 * 1304
    np.testing.assert_allclose(ours["fc1"], 784 * (256 + 10) / 256 / pairs)
    np.testing.assert_allclose(ours["fc2"], (784 + 256) * 10 / 256 / pairs)


def test_betweenness_of_the_post_s_network_counts_every_path(deep: LayeredGraph) -> None:
    """Each shortest path has one unit in every layer between its ends, so a layer's sum is a number of pairs."""
    ours = paths.betweenness(deep, distance="inverse")
    pairs = 1305 * 1304
    assert ours["fc1"].sum() == pytest.approx(784 * (256 + 10) / pairs)
    assert ours["fc2"].sum() == pytest.approx((784 + 256) * 10 / pairs)
    assert not ours["inputs"].any()
    assert not ours["fc3"].any()


@by_distance
@many
@given(st.data())
def test_closeness(graphs: Graphs, with_lengths: WithLengths, distance: Distance, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain = with_lengths(graph, distance)
    for ours, turned in ((paths.in_closeness, plain), (paths.out_closeness, plain.reverse())):
        theirs = nx.closeness_centrality(turned, distance="length")
        lengths = {
            node: nx.single_source_dijkstra_path_length(turned.reverse(), node, weight="length") for node in plain
        }
        # networkx says 0 to a unit at distance 0 from all that reach it; the limit is infinite.
        theirs = {
            node: np.nan if len(lengths[node]) > 1 and not any(lengths[node].values()) else value
            for node, value in theirs.items()
        }
        agree(ours(graph, distance=distance), theirs, graph)


@many
@given(st.data(), st.sampled_from([0.0, 0.5, 0.85]))
def test_pagerank(graphs: Graphs, data: st.DataObject, damping: float) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    for ours, turned in ((spectral.pagerank, plain), (spectral.reversed_pagerank, plain.reverse())):
        theirs = nx.pagerank(turned, alpha=damping, weight="strength", tol=1e-14, max_iter=1000)
        agree(ours(graph, damping=damping), theirs, graph)


@many
@given(st.data(), st.sampled_from([0.01, 0.1, 2.0]))
def test_katz(graphs: Graphs, data: st.DataObject, attenuation: float) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    for ours, turned in ((spectral.katz, plain), (spectral.reversed_katz, plain.reverse())):
        theirs = nx.katz_centrality(turned, alpha=attenuation, weight="strength", tol=1e-14)
        agree(ours(graph, attenuation=attenuation), theirs, graph)


@pytest.mark.parametrize(
    ("measure", "given", "message"),
    [
        (spectral.pagerank, {"damping": 1.0}, "damping must lie between 0 and 1"),
        (spectral.katz, {"attenuation": 0.0}, "attenuation must be a number above 0"),
        (spectral.katz, {"attenuation": float("nan")}, "attenuation must be a number above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(
    make: Callable[..., LayeredGraph], measure: Callable[..., PerLayer], given: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        measure(make([2, 2]), **given)


@many
@given(st.data())
def test_clustering_of_each_layer(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    for ours, links in ((mixing.in_clustering(graph), plain), (mixing.out_clustering(graph), plain.reverse())):
        for name in graph.layers:
            units = [node for node in plain if plain.nodes[node]["layer"] == name]
            block = nx.Graph(list(links.in_edges(units)))
            block.add_nodes_from(units)
            theirs = bipartite.latapy_clustering(block)
            alone = {unit for unit in units if not {u for v in block[unit] for u in block[v]} - {unit}}
            np.testing.assert_allclose(ours[name], [np.nan if unit in alone else theirs[unit] for unit in units])


@many
@given(st.data())
def test_participation(graphs: Graphs, data: st.DataObject) -> None:
    graph = data.draw(graphs)
    community = np.random.default_rng(0).integers(0, 3, graph.nodes)
    plain = nx.Graph(graph.to_networkx())
    expected = {}
    for node in plain:
        share = np.zeros(3)
        for neighbour, link in plain[node].items():
            share[community[neighbour]] += link["strength"]
        expected[node] = 1 - ((share / share.sum()) ** 2).sum() if share.any() else np.nan
    communities = dict(zip(graph.layers, np.split(community, np.cumsum(graph.sizes)[:-1]), strict=True))
    agree(mixing.participation(graph, communities=communities), expected, graph)


@pytest.mark.parametrize("wrong", [{}, {"fc1": np.zeros(1, int)}, {"fc1": np.zeros(2)}, {"fc1": np.array([0, -1])}])
def test_communities_that_do_not_fit_are_refused(
    make: Callable[..., LayeredGraph], wrong: dict[str, np.ndarray]
) -> None:
    with pytest.raises(InputError, match="communities of fc1 must be 2 whole numbers"):
        mixing.participation(make([3, 2]), communities={"inputs": np.zeros(3, int)} | wrong)
