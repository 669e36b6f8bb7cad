"""One conformance suite over all measures, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from karikomi.errors import InputError
from karikomi.graphs import NODE_MEASURES, REFUSED, WHOLE_MEASURES, LayeredGraph, Measure, node_measure, whole_measure

Make = Callable[..., LayeredGraph]
MAY_BE_NAN = {"in-clustering", "out-clustering", "in-closeness-log", "out-closeness-log", "participation", "rich-club"}


def needed(measure: Measure, graph: LayeredGraph) -> dict[str, Any]:
    of_units = {name: np.arange(size) % 3 for name, size in zip(graph.layers, graph.sizes, strict=True)}
    return dict.fromkeys(measure.needs, of_units)


@pytest.mark.parametrize("name", NODE_MEASURES)
@pytest.mark.parametrize("density", [0.5, 0.1])
@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_every_node_measure_gives_every_unit_a_number(make: Make, name: str, density: float, shortcuts: float) -> None:
    graph = make([9, 8, 7, 6], density, "normal", 4, shortcuts)
    before = [array.copy() for array in graph.weights + graph.masks]
    values = node_measure(graph, name, **needed(NODE_MEASURES[name], graph))
    assert list(values) == list(graph.layers)
    assert tuple(map(np.shape, values.values())) == tuple((size,) for size in graph.sizes)
    numbers = np.concatenate(list(values.values()))
    assert (numbers[~np.isnan(numbers)] >= 0).all()
    assert np.isfinite(numbers).all() or name in MAY_BE_NAN
    again = node_measure(graph, name, **needed(NODE_MEASURES[name], graph))
    np.testing.assert_array_equal(numbers, np.concatenate(list(again.values())))
    assert all((a == b).all() for a, b in zip(before, graph.weights + graph.masks, strict=True))


@pytest.mark.parametrize("name", WHOLE_MEASURES)
@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_every_whole_measure_gives_a_number_a_row_of_them_or_one_for_every_two_communities(
    make: Make, name: str, shortcuts: float
) -> None:
    graph = make([9, 8, 7, 6], 0.5, shortcuts=shortcuts)
    value, again = (whole_measure(graph, name, **needed(WHOLE_MEASURES[name], graph)) for _ in range(2))
    np.testing.assert_array_equal(value, again)
    assert np.ndim(value) <= 1 or np.shape(value) == (3, 3)
    assert np.isfinite(value).all() or name in MAY_BE_NAN


@pytest.mark.parametrize("name", [*NODE_MEASURES, *WHOLE_MEASURES])
def test_every_measure_says_what_it_means_in_one_line(name: str) -> None:
    meaning = {**NODE_MEASURES, **WHOLE_MEASURES}[name].meaning
    assert meaning
    assert "\n" not in meaning


@pytest.mark.parametrize("name", NODE_MEASURES)
@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_numbering_units_otherwise_only_renumbers_the_values(make: Make, name: str, shortcuts: float) -> None:
    graph = make([6, 5, 4, 3], 0.6, "normal", 2, shortcuts)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(size) for size in graph.sizes]
    weights, masks = (
        tuple(one[np.ix_(orders[last], orders[first])] for (first, last), one in zip(graph.pairs, some, strict=True))
        for some in (graph.weights, graph.masks)
    )
    renumbered = LayeredGraph(graph.layers, weights, masks, graph.pairs)
    given = needed(NODE_MEASURES[name], graph)
    moved = {
        key: {layer: values[order] for (layer, values), order in zip(of_units.items(), orders, strict=True)}
        for key, of_units in given.items()
    }
    ours, theirs = node_measure(graph, name, **given), node_measure(renumbered, name, **moved)
    for layer, order in zip(graph.layers, orders, strict=True):
        np.testing.assert_allclose(ours[layer][order], theirs[layer], atol=1e-15)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("ask", [node_measure, whole_measure])
def test_what_means_nothing_is_refused_with_its_reason(make: Make, name: str, ask: Callable[..., Any]) -> None:
    with pytest.raises(InputError) as refused:
        ask(make([4, 3, 2]), name)
    assert REFUSED[name] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_measure_is_both_given_and_refused() -> None:
    assert not REFUSED.keys() & (NODE_MEASURES.keys() | WHOLE_MEASURES.keys())


@pytest.mark.parametrize("name", [name for name, measure in NODE_MEASURES.items() if measure.wiring])
def test_the_wiring_of_a_full_network_tells_no_units_apart(make: Make, name: str) -> None:
    graph = make([5, 4, 3])
    with pytest.raises(InputError, match=f"{name} tells no units of fc1 apart: all 4 have"):
        node_measure(graph, name)
    values = NODE_MEASURES[name].function(graph)["fc1"]
    assert np.ptp(values) < 1e-12


@pytest.mark.parametrize("name", [name for name, measure in NODE_MEASURES.items() if not measure.wiring])
def test_the_weights_of_a_full_network_do(make: Make, name: str) -> None:
    graph = make([5, 4, 3])
    assert np.ptp(node_measure(graph, name, **needed(NODE_MEASURES[name], graph))["fc1"]) > 0


@pytest.mark.parametrize(
    ("name", "message"), [("in-degre", "did you mean 'in-degree'"), ("in-flow", "in-flow needs activations")]
)
def test_unknown_names_and_missing_needs(make: Make, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        node_measure(make([3, 2, 2]), name)


def test_a_hidden_layer_without_any_path_has_betweenness_0() -> None:
    masks = (np.array([[True, False], [True, True]]), np.zeros((2, 2), bool))
    graph = LayeredGraph(("inputs", "fc1", "output"), (np.ones((2, 2)),) * 2, masks)
    assert not any(values.any() for values in node_measure(graph, "betweenness-hops").values())
