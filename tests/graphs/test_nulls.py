"""Null networks keep what they promise, and change the rest."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.graphs.measures.strength import in_degree, in_strength, out_degree
from karikomi.graphs.nulls import rewired, shuffled_weights

Make = Callable[..., LayeredGraph]
Graphs = st.SearchStrategy[LayeredGraph]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=60)
@given(st.data(), st.integers(0, 2**16))
def test_shuffled_weights_keep_links_and_the_weights_of_each_gap(
    graphs: Graphs, data: st.DataObject, seed: int
) -> None:
    graph = data.draw(graphs)
    null = shuffled_weights(graph, rng(seed))
    assert null.layers == graph.layers
    for ours, theirs, mask, same in zip(graph.weights, null.weights, graph.masks, null.masks, strict=True):
        assert (mask == same).all()
        assert sorted(ours[mask]) == sorted(theirs[mask])


@settings(max_examples=60)
@given(st.data(), st.integers(0, 2**16))
def test_rewiring_keeps_every_degree_and_the_incoming_weights(graphs: Graphs, data: st.DataObject, seed: int) -> None:
    graph = data.draw(graphs)
    null = rewired(graph, rng(seed), trades=3)
    for degree in (in_degree, out_degree):
        before, after = degree(graph), degree(null)
        assert all((before[name] == after[name]).all() for name in graph.layers)
    for ours, theirs, old, new in zip(graph.weights, null.weights, graph.masks, null.masks, strict=True):
        for unit in range(len(old)):
            assert sorted(ours[unit, old[unit]]) == sorted(theirs[unit, new[unit]])


def test_of_a_large_sparse_network_most_links_are_elsewhere(make: Make) -> None:
    graph = make([784, 256, 256, 10], 0.1)
    null = rewired(graph, rng())
    for name, size in in_strength(null).items():
        np.testing.assert_allclose(size, in_strength(graph)[name])
    for old, new in zip(graph.masks[:2], null.masks[:2], strict=True):
        assert (old & new).sum() / old.sum() == pytest.approx(0.1, abs=0.01)


def test_every_wiring_of_the_same_degrees_is_equally_likely() -> None:
    """Three units with one link each and one with two, over four: all wirings are listed by trying every mask."""
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], bool)
    grids = (np.arange(2**16)[:, None] >> np.arange(16) & 1).reshape(-1, 4, 4).astype(bool)
    fits = (grids.sum(1) == mask.sum(0)).all(1) & (grids.sum(2) == mask.sum(1)).all(1)
    wirings = int(fits.sum())
    graph = LayeredGraph(("inputs", "output"), (mask.astype(float),), (mask,))
    expected = 50
    draws = expected * wirings
    generator = rng(5)
    seen = Counter(rewired(graph, generator, trades=6).masks[0].tobytes() for _ in range(draws))
    assert len(seen) == wirings
    chi = sum((count - expected) ** 2 / expected for count in seen.values())
    # Mean and standard deviation of χ² with wirings − 1 degrees of freedom.
    assert abs(chi - (wirings - 1)) < 4 * np.sqrt(2 * (wirings - 1))


def test_weights_are_dealt_anew_in_a_full_gap(make: Make) -> None:
    graph = make([40, 5])
    null = rewired(graph, rng())
    assert null.masks[0].all()
    assert (graph.weights[0] == null.weights[0]).mean() < 0.2


@pytest.mark.parametrize("null", [shuffled_weights, rewired])
def test_the_same_generator_gives_the_same_network(
    make: Make, null: Callable[[LayeredGraph, np.random.Generator], LayeredGraph]
) -> None:
    graph = make([9, 8, 7], 0.5)
    one, again, other = null(graph, rng(1)), null(graph, rng(1)), null(graph, rng(2))
    assert all((a == b).all() for a, b in zip(one.weights, again.weights, strict=True))
    assert any((a != b).any() for a, b in zip(one.weights, other.weights, strict=True))


def test_no_trades_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match="trades must be at least 1"):
        rewired(make([2, 2]), rng(), trades=0)
