"""Measures defined by a fixed point; without cycles it is reached exactly in one pass through the layers."""

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer

DAMPING = 0.85
ATTENUATION = 0.1


def pagerank(graph: LayeredGraph, *, damping: float = DAMPING) -> PerLayer:
    """Where a walker is who follows links forward with probability ∝ |w| (Page et al. 1999); sums to 1.

    With probability 1 − ``damping``, and from a unit without a way on, it starts again anywhere. Starting again is
    uniform, so x ∝ y with y = 1 + damping · Σ_i y_i |w_ji| / Σ_k |w_ki|, solved layer by layer.

    High where much of what the inputs and hidden units send arrives.

    Args:
        graph: the network.
        damping: 0 … 1, 1 excluded.

    Raises:
        InputError: for a damping out of range.
    """
    if not 0 <= damping < 1:
        raise InputError(f"damping must lie between 0 and 1, 1 excluded; it is {damping}")
    visits = [np.ones(graph.sizes[0])]
    for strength in graph.strengths:
        leaving = strength.sum(axis=0)
        share = np.divide(visits[-1], leaving, out=np.zeros(len(leaving)), where=leaving > 0)
        visits.append(1 + damping * (strength @ share))
    total = sum(float(layer.sum()) for layer in visits)
    return graph.per_layer(layer / total for layer in visits)


def reversed_pagerank(graph: LayeredGraph, *, damping: float = DAMPING) -> PerLayer:
    """:func:`pagerank` of a walker who goes backward: high where much of what reaches the outputs comes from."""
    turned = pagerank(graph.reversed, damping=damping)
    return {name: turned[name] for name in graph.layers}


def katz(graph: LayeredGraph, *, attenuation: float = ATTENUATION) -> PerLayer:
    """Paths that end in a unit, of every length, each weighing attenuation^length · Π |w| (Katz 1953).

    x_j = 1 + attenuation · Σ_i |w_ji| x_i, then divided by the Euclidean norm over all units. Without cycles the sum
    is finite for any attenuation, so unlike elsewhere its largest eigenvalue sets no bound.

    Args:
        graph: the network.
        attenuation: more than 0; large values stress long paths.

    Raises:
        InputError: for an attenuation that is not a positive number.
    """
    if not 0 < attenuation < np.inf:
        raise InputError(f"attenuation must be a number above 0; it is {attenuation}")
    paths = [np.ones(graph.sizes[0])]
    for strength in graph.strengths:
        paths.append(1 + attenuation * (strength @ paths[-1]))
    norm = np.sqrt(sum(float(layer @ layer) for layer in paths))
    return graph.per_layer(layer / norm for layer in paths)


def reversed_katz(graph: LayeredGraph, *, attenuation: float = ATTENUATION) -> PerLayer:
    """:func:`katz` on the reversed graph: paths that begin in a unit."""
    turned = katz(graph.reversed, attenuation=attenuation)
    return {name: turned[name] for name in graph.layers}
