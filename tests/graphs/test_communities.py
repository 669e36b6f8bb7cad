"""Modularity against its definition and closed forms; the finder against planted communities and all partitions."""

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.graphs.communities import bipartite_modularity, find_communities

Make = Callable[..., LayeredGraph]


def named(graph: LayeredGraph, labels: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(graph.layers, np.split(labels, np.cumsum(graph.sizes)[:-1]), strict=True))


def written_out(graph: LayeredGraph, communities: dict[str, np.ndarray]) -> float:
    strengths = [np.abs(weight) for weight in graph.weights]
    whole, total = sum(s.sum() for s in strengths), 0.0
    labels = list(communities.values())
    for (first, last), s in zip(graph.pairs, strengths, strict=True):
        for j, i in product(*map(range, s.shape)):
            if labels[last][j] == labels[first][i] and s.any():
                total += s[j, i] - s[j].sum() * s[:, i].sum() / s.sum()
    return total / whole


@settings(max_examples=60)
@given(st.data(), st.integers(0, 2**16))
def test_modularity_is_its_formula(graphs: st.SearchStrategy[LayeredGraph], data: st.DataObject, seed: int) -> None:
    graph = data.draw(graphs)
    communities = named(graph, np.random.default_rng(seed).integers(0, 3, graph.nodes))
    if not any(weight.any() for weight in graph.weights):
        with pytest.raises(InputError, match="every weight of this one is 0"):
            bipartite_modularity(graph, communities=communities)
    else:
        assert bipartite_modularity(graph, communities=communities) == pytest.approx(written_out(graph, communities))


def blocks(count: int, sizes: list[int], noise: float = 0.0) -> tuple[LayeredGraph, np.ndarray]:
    """A network of ``count`` equal parts, linked only inside, but for weak links elsewhere; and who is in which."""
    parts = [np.repeat(np.arange(count), size) for size in sizes]
    rng = np.random.default_rng(3)
    weights = tuple(
        np.where(after[:, None] == before, 1.0, noise * rng.random((len(after), len(before))))
        for before, after in pairwise(parts)
    )
    layers = ("inputs", *(f"fc{gap}" for gap in range(1, len(sizes))))
    return LayeredGraph(layers, weights, tuple(weight != 0 for weight in weights)), np.concatenate(parts)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_separate_equal_parts_have_modularity_1_minus_1_over_their_number(count: int) -> None:
    graph, parts = blocks(count, [3, 2, 4])
    assert bipartite_modularity(graph, communities=named(graph, parts)) == pytest.approx(1 - 1 / count)


def test_numbers_of_communities_do_not_matter() -> None:
    graph, parts = blocks(2, [3, 2])
    renamed = np.where(parts == 0, 10**9, 4)
    assert bipartite_modularity(graph, communities=named(graph, renamed)) == pytest.approx(0.5)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_planted_communities_are_found(noise: float) -> None:
    graph, parts = blocks(4, [12, 8, 6, 3], noise)
    found = np.concatenate(list(find_communities(graph, np.random.default_rng(0)).values()))
    pairs = {(int(a), int(b)) for a, b in zip(found, parts, strict=True)}
    assert len(pairs) == len(set(found)) == 4
    assert set(found) == {0, 1, 2, 3}


@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_a_small_network_gets_the_best_of_all_partitions(make: Make, shortcuts: float) -> None:
    best_found = 0
    for seed in range(8):
        graph = make([3, 2, 2], 0.8, "normal", seed, shortcuts)
        best = max(written_out(graph, named(graph, np.array((0, *others)))) for others in product(range(3), repeat=6))
        communities = find_communities(graph, np.random.default_rng(0))
        found = bipartite_modularity(graph, communities=communities)
        assert found <= best + 1e-12
        best_found += found > best - 1e-12
    assert best_found >= 7


def test_never_worse_than_one_community_for_all(make: Make) -> None:
    graph = make([4, 3], 1.0, "normal")
    alone = find_communities(graph, np.random.default_rng(0), most=1)
    assert not any(label.any() for label in alone.values())
    assert bipartite_modularity(graph, communities=find_communities(graph, np.random.default_rng(0), starts=1)) >= 0


def test_the_same_generator_finds_the_same(make: Make) -> None:
    graph = make([30, 20, 10], 0.3)
    one, again = (find_communities(graph, np.random.default_rng(7)) for _ in range(2))
    assert all((one[name] == again[name]).all() for name in graph.layers)


@pytest.mark.parametrize("wrong", [{"most": 0}, {"starts": 0}])
def test_nothing_to_start_with_is_refused(make: Make, wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="must be at least 1"):
        find_communities(make([2, 2]), np.random.default_rng(0), **wrong)


@pytest.mark.parametrize("shortcuts", [0.0, 0.5])
def test_neither_moving_a_unit_nor_merging_two_communities_gains_anything(make: Make, shortcuts: float) -> None:
    graph = make([60, 40, 20], 0.05, shortcuts=shortcuts)
    found = np.concatenate(list(find_communities(graph, np.random.default_rng(1), starts=1).values()))
    count = 1 + found.max()
    moved = [np.where(np.arange(graph.nodes) == unit, to, found) for unit in range(graph.nodes) for to in range(count)]
    merged = [np.where(found == one, other, found) for one, other in product(range(count), repeat=2)]
    best = bipartite_modularity(graph, communities=named(graph, found))
    assert all(bipartite_modularity(graph, communities=named(graph, other)) <= best + 1e-9 for other in moved + merged)
