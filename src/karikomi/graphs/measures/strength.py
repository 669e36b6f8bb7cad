"""How many links a unit has, and how strong they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer


def in_degree(graph: LayeredGraph) -> PerLayer:
    """Links into each unit, int64."""
    return _sums(graph, graph.masks, 1, np.int64)


def out_degree(graph: LayeredGraph) -> PerLayer:
    """Links out of each unit, int64."""
    return _sums(graph, graph.masks, 0, np.int64)


def in_strength(graph: LayeredGraph) -> PerLayer:
    """Σ |w| over the links into each unit: the L1 norm of its row."""
    return _sums(graph, graph.strengths, 1)


def out_strength(graph: LayeredGraph) -> PerLayer:
    """Σ |w| over the links out of each unit: the L1 norm of its column."""
    return _sums(graph, graph.strengths, 0)


def _sums(graph: LayeredGraph, blocks: Sequence[np.ndarray], end: int, kind: type = np.float64) -> PerLayer:
    """Sums over the links that begin (0) or end (1) in each unit."""
    totals = [np.zeros(size, kind) for size in graph.sizes]
    for pair, block in zip(graph.pairs, blocks, strict=True):
        totals[pair[end]] += block.sum(axis=end)
    return graph.per_layer(totals)


def by_activation(graph: LayeredGraph, activations: Mapping[str, np.ndarray]) -> LayeredGraph:
    """The graph whose link from unit i to j weighs |w_ji| · E|a_i|: what the link carries, not what it could.

    Every measure of strength, distance or flow can be taken on it.

    Args:
        graph: the network.
        activations: E|a|, the mean |activation| after the non-linearity, for every layer that others read by its
            name, ``[units]``; in a chain all but the last one.

    Raises:
        InputError: if a layer is missing, or its activations do not fit or are negative, NaN or infinite.
    """
    weights = []
    for (first, _), strength in zip(graph.pairs, graph.strengths, strict=True):
        name, size = graph.layers[first], graph.sizes[first]
        mean = np.asarray(activations[name], np.float64) if name in activations else None
        if mean is None or mean.shape != (size,) or not np.isfinite(mean).all() or (mean < 0).any():
            given = "missing" if mean is None else f"of shape {mean.shape}" if mean.shape != (size,) else "not"
            raise InputError(f"the mean |activation| of {name} must be {size} finite numbers from 0; it is {given}")
        weights.append(strength * mean)
    return replace(graph, weights=tuple(weights))


def in_flow(graph: LayeredGraph, *, activations: Mapping[str, np.ndarray]) -> PerLayer:
    """Σ_i |w_ji| · E|a_i| over the links into unit j; see :func:`by_activation` for ``activations`` and errors."""
    return in_strength(by_activation(graph, activations))


def out_flow(graph: LayeredGraph, *, activations: Mapping[str, np.ndarray]) -> PerLayer:
    """E|a_i| · Σ_j |w_ji| over the links out of unit i; see :func:`by_activation` for ``activations`` and errors."""
    return out_strength(by_activation(graph, activations))
