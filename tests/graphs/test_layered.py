"""The graph itself: what it counts, how long its links are, and how it leaves for networkx and GraphML."""

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph


def two_gaps() -> LayeredGraph:
    weights = (np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[4.0, 0.0]]))
    masks = (np.array([[True, True], [False, True]]), np.array([[True, True]]))
    return LayeredGraph(("inputs", "fc1", "output"), weights, masks)


def test_counts_and_a_removed_weight_is_zero() -> None:
    graph = two_gaps()
    assert (graph.sizes, graph.nodes, graph.links) == ((2, 2, 1), 5, 5)
    assert graph.layer_of.tolist() == [0, 0, 1, 1, 2]
    assert graph.weights[0].tolist() == [[1, -2], [0, 3]]


def test_the_post_s_network_has_one_node_per_neuron(deep: LayeredGraph) -> None:
    assert (deep.nodes, deep.links) == (1306, 268_800)


def test_lengths() -> None:
    graph, inf = two_gaps(), np.inf
    assert [gap.tolist() for gap in graph.lengths("hops")] == [[[1, 1], [inf, 1]], [[1, 1]]]
    assert [gap.tolist() for gap in graph.lengths("inverse")] == [[[1, 0.5], [inf, 1 / 3]], [[0.25, inf]]]
    first, second = graph.lengths("log")
    np.testing.assert_allclose(first, [[np.log(4), np.log(2)], [inf, np.log(4 / 3)]])
    assert second.tolist() == [[0, inf]]


def test_an_unknown_distance_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'inverse'"):
        two_gaps().lengths("invers")  # pyright: ignore[reportArgumentType]


def test_the_graph_is_a_copy_and_cannot_be_changed() -> None:
    weight, mask = np.ones((1, 2)), np.ones((1, 2), bool)
    graph = LayeredGraph(("inputs", "output"), (weight,), (mask,))
    weight[:], mask[:] = 7, False
    assert graph.links == graph.weights[0].sum() == 2
    with pytest.raises(ValueError, match="read-only"):
        graph.masks[0][0, 0] = False


def test_reversed_twice_is_the_graph_itself() -> None:
    graph = two_gaps()
    assert graph.reversed.layers == ("output", "fc1", "inputs")
    assert graph.reversed.weights[0].tolist() == [[4], [0]]
    again = graph.reversed.reversed
    assert all((a == b).all() for a, b in zip(again.weights + again.masks, graph.weights + graph.masks, strict=True))


@pytest.mark.parametrize(
    ("layers", "shapes", "masks", "message"),
    [
        (("a", "b"), [(2, 3)], [(3, 2)], "a weight and a mask of one shape"),
        (("a", "b", "c"), [(2, 3)], [(2, 3)], "one fewer than its layers"),
        (("a",), [], [], "one fewer than its layers"),
        (("a", "b", "c"), [(2, 3), (4, 3)], [(2, 3), (4, 3)], "give each layer one size"),
        (("a", "b"), [(0, 3)], [(0, 3)], "must be"),
        (("a", "a"), [(2, 3)], [(2, 3)], "different names"),
    ],
)
def test_what_does_not_fit_is_refused(
    layers: tuple[str, ...], shapes: list[tuple[int, int]], masks: list[tuple[int, int]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        LayeredGraph(layers, tuple(map(np.ones, shapes)), tuple(np.ones(shape, bool) for shape in masks))


def test_nan_is_refused_where_there_is_a_link_and_ignored_elsewhere() -> None:
    weight = np.array([[np.nan, 1.0]])
    with pytest.raises(InputError, match="output contain NaN"):
        LayeredGraph(("inputs", "output"), (weight,), (np.array([[True, True]]),))
    assert LayeredGraph(("inputs", "output"), (weight,), (np.array([[False, True]]),)).links == 1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (((0, 1), (0, 1)), "no two of them alike"),
        (((0, 1), (2, 1)), "to a later one"),
        (((0, 1), (1, 1)), "to a later one"),
        (((0, 1), (1, 3)), "to a later one"),
        (((0, 1), (0, 2)), "give each layer one size"),
        (((0, 1),), "per block"),
    ],
)
def test_blocks_that_lead_nowhere_are_refused(pairs: tuple[tuple[int, int], ...], message: str) -> None:
    arrays = np.ones((3, 2)), np.ones((4, 3))
    with pytest.raises(InputError, match=message):
        LayeredGraph(("a", "b", "c"), arrays, tuple(map(np.ones_like, arrays)), pairs)


def test_a_graph_with_a_shortcut() -> None:
    arrays = np.ones((3, 2)), np.ones((4, 2)), np.ones((4, 3))
    graph = LayeredGraph(("a", "b", "c"), arrays, tuple(array > 0 for array in arrays), ((0, 1), (0, 2), (1, 2)))
    assert (repr(graph), graph.hidden) == ("LayeredGraph(2-3-4, 3 blocks, 26 links)", ("b",))
    assert not graph.is_chain
    assert graph.reversed.pairs == ((0, 1), (0, 2), (1, 2))
    assert [array.shape for array in graph.reversed.weights] == [(3, 4), (2, 4), (2, 3)]


@settings(max_examples=40)
@given(st.data())
def test_networkx_gets_every_unit_and_link(graphs: st.SearchStrategy[LayeredGraph], data: st.DataObject) -> None:
    graph = data.draw(graphs)
    plain = graph.to_networkx()
    assert list(plain) == list(range(graph.nodes))
    assert plain.number_of_edges() == graph.links
    starts = np.cumsum((0, *graph.sizes))
    for u, v, link in plain.edges(data=True):
        first, last = (graph.layers.index(plain.nodes[node]["layer"]) for node in (u, v))
        from_unit, to_unit = plain.nodes[u]["unit"], plain.nodes[v]["unit"]
        assert (u, v) == (starts[first] + from_unit, starts[last] + to_unit)
        block = graph.pairs.index((first, last))
        assert graph.masks[block][to_unit, from_unit]
        assert link["weight"] == graph.weights[block][to_unit, from_unit]
        assert link["strength"] == abs(link["weight"])
        assert link["distance"] == (1 / link["strength"] if link["weight"] else np.inf)


@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_graphml_comes_back_as_it_went(make: Callable[..., LayeredGraph], shortcuts: float, tmp_path: Path) -> None:
    graph = make([5, 4, 3], 0.7, "few", shortcuts=shortcuts)
    graph.write_graphml(tmp_path / "graph.graphml")
    back = nx.read_graphml(tmp_path / "graph.graphml", node_type=int)
    plain = graph.to_networkx()
    assert list(back.nodes(data=True)) == list(plain.nodes(data=True))
    assert list(back.edges(data=True)) == list(plain.edges(data=True))


def test_graphml_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        two_gaps().write_graphml(tmp_path / "missing" / "graph.graphml")
    assert list(tmp_path.iterdir()) == []
