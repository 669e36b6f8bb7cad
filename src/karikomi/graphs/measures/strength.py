"""How many links a unit has, and how strong they are."""

from collections.abc import Mapping

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer


def in_degree(graph: LayeredGraph) -> PerLayer:
    """Links into each unit, int64."""
    return graph.per_layer([np.zeros(graph.sizes[0], np.int64), *(mask.sum(axis=1) for mask in graph.masks)])


def out_degree(graph: LayeredGraph) -> PerLayer:
    """Links out of each unit, int64."""
    return graph.per_layer([*(mask.sum(axis=0) for mask in graph.masks), np.zeros(graph.sizes[-1], np.int64)])


def in_strength(graph: LayeredGraph) -> PerLayer:
    """Σ |w| over the links into each unit: the L1 norm of its row."""
    return graph.per_layer([np.zeros(graph.sizes[0]), *(strength.sum(axis=1) for strength in graph.strengths)])


def out_strength(graph: LayeredGraph) -> PerLayer:
    """Σ |w| over the links out of each unit: the L1 norm of its column."""
    return graph.per_layer([*(strength.sum(axis=0) for strength in graph.strengths), np.zeros(graph.sizes[-1])])


def by_activation(graph: LayeredGraph, activations: Mapping[str, np.ndarray]) -> LayeredGraph:
    """The graph whose link from unit i to j weighs |w_ji| · E|a_i|: what the link carries, not what it could.

    Every measure of strength, distance or flow can be taken on it.

    Args:
        graph: the network.
        activations: E|a|, the mean |activation| after the non-linearity, for every layer but the last one by its
            name, ``[units]``.

    Raises:
        InputError: if a layer is missing, or its activations do not fit or are negative, NaN or infinite.
    """
    weights = []
    for name, size, strength in zip(graph.layers, graph.sizes, graph.strengths, strict=False):
        mean = np.asarray(activations[name], np.float64) if name in activations else None
        if mean is None or mean.shape != (size,) or not np.isfinite(mean).all() or (mean < 0).any():
            given = "missing" if mean is None else f"of shape {mean.shape}" if mean.shape != (size,) else "not"
            raise InputError(f"the mean |activation| of {name} must be {size} finite numbers from 0; it is {given}")
        weights.append(strength * mean)
    return LayeredGraph(graph.layers, tuple(weights), graph.masks)


def in_flow(graph: LayeredGraph, *, activations: Mapping[str, np.ndarray]) -> PerLayer:
    """Σ_i |w_ji| · E|a_i| over the links into unit j; see :func:`by_activation` for ``activations`` and errors."""
    return in_strength(by_activation(graph, activations))


def out_flow(graph: LayeredGraph, *, activations: Mapping[str, np.ndarray]) -> PerLayer:
    """E|a_i| · Σ_j |w_ji| over the links out of unit i; see :func:`by_activation` for ``activations`` and errors."""
    return out_strength(by_activation(graph, activations))
