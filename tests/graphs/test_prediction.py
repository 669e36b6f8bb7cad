"""Link prediction against networkx, path by path."""

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.graphs.prediction import ch3_l3


def by_hand(mask):
    """The formula read aloud: every path, the community of the pair, and links that lead out of it."""
    graph = nx.Graph()
    graph.add_nodes_from([*(("out", v) for v in range(mask.shape[0])), *(("in", u) for u in range(mask.shape[1]))])
    graph.add_edges_from((("out", v), ("in", u)) for v, u in np.argwhere(mask))
    scores = np.zeros(mask.shape)
    for v, u in np.argwhere(~mask):
        a, b = ("in", u), ("out", v)
        paths = [(z1, z2) for z1 in graph[a] for z2 in graph[z1] if z2 != a and graph.has_edge(z2, b)]
        community = {a, b, *(z for path in paths for z in path)}

        def out(z, community=community):
            return sum(other not in community for other in graph[z])

        scores[v, u] = sum(1 / np.sqrt((1 + out(z1)) * (1 + out(z2))) for z1, z2 in paths)
    return scores


@settings(deadline=None)  # the first example compiles
@given(st.integers(1, 7), st.integers(1, 9), st.floats(0.1, 0.9), st.integers(0, 2**32))
def test_ch3_l3_is_its_formula(outputs, inputs, density, seed):
    mask = np.random.default_rng(seed).random((outputs, inputs)) < density
    np.testing.assert_allclose(ch3_l3(mask), by_hand(mask), rtol=1e-12)
