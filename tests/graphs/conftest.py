"""What the graph's tests share: layered graphs of every shape."""

from collections.abc import Callable
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import strategies as st

from karikomi.graphs import LayeredGraph

Make = Callable[..., LayeredGraph]


def _make(
    sizes: list[int], density: float = 1.0, weights: str = "normal", seed: int = 0, shortcuts: float = 0.0
) -> LayeredGraph:
    """A graph of layers of these sizes, a chain unless there are shortcuts.

    ``weights``: ``normal``; ``powers`` of two (many ties, exactly); ``few`` values, 0 among them. ``shortcuts``: the
    share of all other blocks that are there too; of those of the chain as many are not, but for layers without any.
    """
    rng = np.random.default_rng(seed)
    chain, others = list(pairwise(range(len(sizes)))), list(combinations(range(len(sizes)), 2))
    there = np.random.default_rng([seed, 1]).random(len(others))
    pairs = [
        pair for pair, x in zip(others, there, strict=True) if (x >= shortcuts if pair in chain else x < shortcuts)
    ]
    for layer in {*range(len(sizes))} - {layer for pair in pairs for layer in pair}:
        pairs = sorted({*pairs, chain[max(layer - 1, 0)]})
    shapes = [(sizes[last], sizes[first]) for first, last in pairs]
    draw = {
        "normal": rng.standard_normal,
        "powers": lambda shape: rng.choice([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0], shape),
        "few": lambda shape: rng.integers(-3, 4, shape).astype(float),
    }[weights]
    layers = ("inputs", *(f"fc{number}" for number in range(1, len(sizes))))
    drawn = tuple(draw(shape) for shape in shapes)
    return LayeredGraph(layers, drawn, tuple(rng.random(shape) < density for shape in shapes), tuple(pairs))


@pytest.fixture(scope="session")
def make() -> Make:
    return _make


@pytest.fixture(scope="session")
def graphs() -> st.SearchStrategy[LayeredGraph]:
    """Two to five layers of one to six units; from full to empty; chains, and blocks between any two layers."""
    return st.builds(
        _make,
        st.lists(st.integers(1, 6), min_size=2, max_size=5),
        st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]),
        st.sampled_from(["normal", "powers", "few"]),
        st.integers(0, 2**16),
        st.sampled_from([0.0, 0.3, 0.6]),
    )


@pytest.fixture(scope="session")
def deep(make: Make) -> LayeredGraph:
    """784-256-256-10, every link there."""
    return make([784, 256, 256, 10])


@pytest.fixture(scope="session")
def with_lengths() -> Callable[[LayeredGraph, str], "nx.DiGraph[int]"]:
    """A graph in networkx with ``length`` on its links, by a distance; those of infinite length left out."""

    def build(graph: LayeredGraph, distance: str) -> "nx.DiGraph[int]":
        plain = graph.to_networkx()
        strongest = max((link["strength"] for *_, link in plain.edges(data=True)), default=0)
        for u, v, link in list(plain.edges(data=True)):
            if distance != "hops" and link["weight"] == 0:
                plain.remove_edge(u, v)
            elif distance == "log":
                link["length"] = float(-np.log(np.array([link["strength"]]) / strongest)[0])
            else:
                link["length"] = 1.0 if distance == "hops" else 1 / link["strength"]
        return plain

    return build
