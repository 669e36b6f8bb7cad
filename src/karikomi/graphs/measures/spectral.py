"""Measures defined by a fixed point; without cycles it is reached exactly in one pass through the layers."""

from collections.abc import Callable

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer
from karikomi.graphs.measures.strength import out_strength

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
    leaving = list(out_strength(graph).values())

    def share(layer: int, visits: np.ndarray) -> np.ndarray:
        return np.divide(visits, leaving[layer], out=np.zeros(len(visits)), where=leaving[layer] > 0)

    visits = _solved(graph, damping, share)
    total = sum(float(layer.sum()) for layer in visits)
    return graph.per_layer(layer / total for layer in visits)


def _solved(graph: LayeredGraph, factor: float, sent: Callable[[int, np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """Per layer y = 1 + factor · Σ \\|w\\| · sent(y), the sum over the layers that it reads."""
    solved, sending, strengths = list[np.ndarray](), list[np.ndarray](), graph.strengths
    for layer, (size, into) in enumerate(zip(graph.sizes, graph.into, strict=True)):
        arriving = sum((strengths[block] @ sending[graph.pairs[block][0]] for block in into), np.zeros(size))
        solved.append(1 + factor * arriving)
        sending.append(sent(layer, solved[layer]))
    return solved


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
    paths = _solved(graph, attenuation, lambda layer, paths: paths)
    norm = np.sqrt(sum(float(layer @ layer) for layer in paths))
    return graph.per_layer(layer / norm for layer in paths)


def reversed_katz(graph: LayeredGraph, *, attenuation: float = ATTENUATION) -> PerLayer:
    """:func:`katz` on the reversed graph: paths that begin in a unit."""
    turned = katz(graph.reversed, attenuation=attenuation)
    return {name: turned[name] for name in graph.layers}
