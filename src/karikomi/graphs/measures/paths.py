"""Shortest paths, exactly, by dynamic programming from layer to layer.

All links lead to the next layer, so the shortest way to a unit is the shortest over its incoming links of the way to
their beginning plus the link: a min-plus product per gap. Lengths are added up from the source on and compared as
they are, without a tolerance, as networkx does: two paths tie if these float64 sums are equal. A tolerance would make
"equally long" depend on the order of comparison; where weights are quantized and exact ties by weight are meant, take
the distance ``hops``, or weights whose reciprocals are exact in binary.
"""

from collections.abc import Iterator

import numpy as np

from karikomi.graphs.layered import Distance, LayeredGraph, PerLayer

# Float64 sums that are held at once: 2 MiB stay in a core's cache.
BLOCK = 2**18


def betweenness(graph: LayeredGraph, *, distance: Distance) -> PerLayer:
    """Share of the shortest paths between two other units that pass through each unit (Freeman 1977).

    Σ over ordered pairs (s, t) of σ(s, t | v) / σ(s, t), divided by (n − 1)(n − 2), n the number of units: 0 … 1.
    Inputs and outputs have 0, as no path passes through them. Dependencies are accumulated backwards through the
    layers (Brandes 2001). A link of infinite length is on no path.

    Args:
        graph: the network.
        distance: ``inverse`` (1 / |w|), ``log`` (−log(|w| / max |w|)) or ``hops`` (1).
    """
    totals = [np.zeros(size) for size in graph.sizes]
    through = _dependencies_by_hops if distance == "hops" else _dependencies
    lengths = graph.lengths(distance)
    for first in range(len(lengths) - 1):
        for layer, dependency in enumerate(through(lengths[first:]), start=first + 1):
            totals[layer] += dependency
    pairs = max((graph.nodes - 1) * (graph.nodes - 2), 1)
    return graph.per_layer(total / pairs for total in totals)


def _dependencies(lengths: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """For the hidden layers behind the first one: how much its units depend on each of theirs, ``[units]`` each."""
    totals = [np.zeros(len(length)) for length in lengths[:-1]]
    widest = max(length.size for length in lengths[1:])
    for sources in _blocks(lengths[0].shape[1], BLOCK // widest):
        reach = np.ascontiguousarray(lengths[0].T[sources])
        paths: list[np.ndarray] = [np.isfinite(reach).ravel().astype(np.float64)]
        tight: list[tuple[np.ndarray, np.ndarray]] = []
        for length in lengths[1:]:
            reach, begin, end = _extend(reach, length)
            paths.append(np.bincount(end, paths[-1][begin], reach.size))
            tight.append((begin, end))
        dependency = np.zeros(reach.size)
        for layer, (begin, end) in reversed(list(enumerate(tight))):
            share = paths[layer][begin] / paths[layer + 1][end] * (1 + dependency[end])
            dependency = np.bincount(begin, share, paths[layer].size)
            totals[layer] += dependency.reshape(len(reach), -1).sum(axis=0)
    return totals


def _extend(reach: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One gap further.

    Args:
        reach: distances ``[sources, in]``.
        length: ``[out, in]``.

    Returns:
        Distances ``[sources, out]``, and where the links of shortest paths begin and end, as places in the flat
        ``reach`` and in the flat distances.
    """
    outs, ins = length.shape
    via = reach[:, None, :] + length
    shortest = via.min(axis=2)
    # NaN equals nothing, so units out of reach get no path.
    target = np.where(np.isfinite(shortest), shortest, np.nan)
    end, unit = np.divmod(np.flatnonzero(via == target[:, :, None]), ins)
    return shortest, end // outs * ins + unit, end


def _dependencies_by_hops(lengths: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """The same where every path between two units is equally long: counting them is a matrix product."""
    links = [np.isfinite(length).astype(np.float64) for length in lengths]
    paths = [links[0].T]
    for link in links[1:]:
        paths.append(paths[-1] @ link.T)
    dependency = np.zeros(paths[-1].shape)
    totals = []
    for link, before, behind in zip(links[:0:-1], paths[-2::-1], paths[:0:-1], strict=True):
        share = np.divide(1 + dependency, behind, out=np.zeros(behind.shape), where=behind > 0)
        dependency = before * (share @ link)
        totals.append(dependency.sum(axis=0))
    return totals[::-1]


def in_closeness(graph: LayeredGraph, *, distance: Distance) -> PerLayer:
    """How near the units are from which a unit can be reached: (r / (n − 1)) · (r / Σ d).

    r of the n − 1 other units reach it, and Σ d are their distances to it (Wasserman & Faust 1994, as in networkx).
    0 where nothing reaches it, so for every input; NaN where all that reach it are at distance 0, which only
    ``log`` knows.

    Args:
        graph: the network.
        distance: ``inverse`` (1 / |w|), ``log`` (−log(|w| / max |w|)) or ``hops`` (1).
    """
    totals, reaching = ([np.zeros(size) for size in graph.sizes] for _ in range(2))
    for _, last, lengths in distances(graph, distance=distance):
        near = np.isfinite(lengths)
        totals[last] += np.where(near, lengths, 0).sum(axis=0)
        reaching[last] += near.sum(axis=0)
    return graph.per_layer(_closeness(total, r, graph.nodes) for total, r in zip(totals, reaching, strict=True))


def _closeness(total: np.ndarray, reached: np.ndarray, nodes: int) -> np.ndarray:
    mean = np.divide(reached, total, out=np.where(reached > 0, np.nan, 0.0), where=total > 0)
    return mean * reached / (nodes - 1)


def out_closeness(graph: LayeredGraph, *, distance: Distance) -> PerLayer:
    """The same for the units that can be reached from it: the in-closeness of the reversed graph."""
    turned = in_closeness(graph.reversed, distance=distance)
    return {name: turned[name] for name in graph.layers}


def distances(graph: LayeredGraph, *, distance: Distance) -> Iterator[tuple[int, int, np.ndarray]]:
    """For every layer and every later one: their numbers and the distances ``[units, units]``, infinite if none."""
    lengths = graph.lengths(distance)
    for first, length in enumerate(lengths):
        reach = np.ascontiguousarray(length.T)
        yield first, first + 1, reach
        for last, following in enumerate(lengths[first + 1 :], start=first + 2):
            blocks = _blocks(len(reach), BLOCK // following.size)
            reach = np.concatenate([(reach[rows, None, :] + following).min(axis=2) for rows in blocks])
            yield first, last, reach


def _blocks(count: int, size: int) -> Iterator[slice]:
    step = max(1, size)
    return (slice(start, start + step) for start in range(0, count, step))
