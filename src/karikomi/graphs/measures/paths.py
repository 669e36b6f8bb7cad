"""Shortest paths, exactly, by dynamic programming from layer to layer.

All links lead to later layers, so the shortest way to a unit is the shortest over its incoming links of the way to
their beginning plus the link: a min-plus product per layer. Lengths are added up from the source on and compared as
they are, without a tolerance, as networkx does: two paths tie if these float64 sums are equal. A tolerance would make
"equally long" depend on the order of comparison; where weights are quantized and exact ties by weight are meant, take
the distance ``hops``, or weights whose reciprocals are exact in binary.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

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
    dependencies = _by_hops if distance == "hops" and graph.is_chain else _dependencies
    lengths = graph.lengths(distance)
    for first in range(len(graph.layers) - 2):
        for layer, dependency in dependencies(graph, lengths, first).items():
            totals[layer] += dependency
    pairs = max((graph.nodes - 1) * (graph.nodes - 2), 1)
    return graph.per_layer(total / pairs for total in totals)


class _Step(NamedTuple):
    """How ways from the units of a first layer get to those of a later one.

    Attributes:
        layer: its number.
        direct: how long the links from the first layer itself are, ``[in, out]``.
        before: the layers on the way that it reads.
        ends: where the units of each end, those of all of them side by side.
        length: how long the links from those are, ``[out, in]``.
    """

    layer: int
    direct: np.ndarray
    before: list[int]
    ends: np.ndarray
    length: np.ndarray

    def beside(self, by_layer: Mapping[int, np.ndarray], sources: int) -> np.ndarray:
        """Arrays ``[sources, units]`` of the layers before, side by side."""
        return np.concatenate([np.empty((sources, 0)), *(by_layer[layer] for layer in self.before)], axis=1)


def _steps(graph: LayeredGraph, lengths: Sequence[np.ndarray], first: int) -> list[_Step]:
    """All layers to which ways from the layer ``first`` can lead, in order."""
    steps, blocks, sizes = list[_Step](), dict(zip(graph.pairs, lengths, strict=True)), graph.sizes
    for layer in range(first + 1, len(sizes)):
        before = [step.layer for step in steps if (step.layer, layer) in blocks]
        if before or (first, layer) in blocks:
            direct = blocks.get((first, layer), np.full((sizes[layer], sizes[first]), np.inf))
            parts = [np.empty((sizes[layer], 0)), *(blocks[other, layer] for other in before)]
            ends = np.cumsum([sizes[other] for other in before], dtype=np.int64)
            steps.append(_Step(layer, np.ascontiguousarray(direct.T), before, ends, np.concatenate(parts, axis=1)))
    return steps


def _dependencies(graph: LayeredGraph, lengths: Sequence[np.ndarray], first: int) -> dict[int, np.ndarray]:
    """How much the units of the layer ``first`` depend on those of each later layer, ``[units]`` by its number."""
    steps = _steps(graph, lengths, first)
    totals = {step.layer: np.zeros(graph.sizes[step.layer]) for step in steps}
    for sources in _blocks(graph.sizes[first], max((step.length.size for step in steps), default=0)):
        reach, paths = dict[int, np.ndarray](), dict[int, np.ndarray]()
        tight = dict[int, tuple[np.ndarray, np.ndarray]]()
        for step in steps:
            direct = step.direct[sources]
            shortest, begin, end = _extend(step.beside(reach, len(direct)), step.length, direct)
            counted = np.bincount(end, step.beside(paths, len(direct)).ravel()[begin], direct.size)
            paths[step.layer] = counted.reshape(direct.shape) + (np.isfinite(direct) & (direct == shortest))
            reach[step.layer], tight[step.layer] = shortest, (begin, end)
        dependency = {layer: np.zeros(some.shape) for layer, some in paths.items()}
        for step in reversed(steps):
            (begin, end), behind = tight[step.layer], paths[step.layer].ravel()
            before = step.beside(paths, len(paths[step.layer]))
            share = before.ravel()[begin] / behind[end] * (1 + dependency[step.layer].ravel()[end])
            passed = np.bincount(begin, share, before.size).reshape(before.shape)
            for other, part in zip(step.before, np.split(passed, step.ends[:-1], axis=1), strict=False):
                dependency[other] += part
        for layer, some in dependency.items():
            totals[layer] += some.sum(axis=0)
    return totals


def _extend(reach: np.ndarray, length: np.ndarray, direct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One layer further.

    Args:
        reach: distances ``[sources, in]``.
        length: ``[out, in]``.
        direct: the lengths of direct links ``[sources, out]``.

    Returns:
        Distances ``[sources, out]``, and where the links behind ``reach`` on shortest paths begin and end, as places in
        the flat ``reach`` and in the flat distances.
    """
    outs, ins = length.shape
    via = reach[:, None, :] + length
    shortest = np.minimum(via.min(axis=2, initial=np.inf), direct)
    # NaN equals nothing, so units out of reach get no path.
    target = np.where(np.isfinite(shortest), shortest, np.nan)
    end, unit = np.divmod(np.flatnonzero(via == target[:, :, None]), max(ins, 1))
    return shortest, end // outs * ins + unit, end


def _by_hops(graph: LayeredGraph, lengths: Sequence[np.ndarray], first: int) -> dict[int, np.ndarray]:
    """The same in a chain, where every path between two units is equally long: counting them is a matrix product."""
    links = [np.isfinite(length).astype(np.float64) for length in lengths[first:]]
    paths = [links[0].T]
    for link in links[1:]:
        paths.append(paths[-1] @ link.T)
    dependency, totals = np.zeros(paths[-1].shape), {}
    for layer in range(len(links) - 1, 0, -1):
        share = np.divide(1 + dependency, paths[layer], out=np.zeros(paths[layer].shape), where=paths[layer] > 0)
        dependency = paths[layer - 1] * (share @ links[layer])
        totals[first + layer] = dependency.sum(axis=0)
    return totals


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
    """For every layer and every one to which blocks lead: their numbers and the distances ``[units, units]``."""
    lengths = graph.lengths(distance)
    for first, size in enumerate(graph.sizes):
        reach: dict[int, np.ndarray] = {}
        for step in _steps(graph, lengths, first):
            before, direct, length = step.beside(reach, size), step.direct, step.length
            reach[step.layer] = np.concatenate(
                [
                    np.minimum((before[rows, None, :] + length).min(axis=2, initial=np.inf), direct[rows])
                    for rows in _blocks(size, length.size)
                ]
            )
            yield first, step.layer, reach[step.layer]


def _blocks(count: int, each: int) -> Iterator[slice]:
    """Sources of which each needs ``each`` sums, so many that ``BLOCK`` sums are held at once."""
    step = max(1, BLOCK // max(each, 1))
    return (slice(start, start + step) for start in range(0, count, step))
