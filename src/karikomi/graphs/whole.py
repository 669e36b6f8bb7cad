"""Figures for a whole network."""

from collections.abc import Mapping

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import Distance, LayeredGraph, PerLayer
from karikomi.graphs.measures import paths
from karikomi.graphs.measures.mixing import check_communities
from karikomi.graphs.measures.strength import in_degree, out_degree


def density(graph: LayeredGraph) -> float:
    """Links over the links that the layers could have, Σ n_l · n_k over the layers l and k that it reads; 0 … 1."""
    return graph.links / sum(mask.size for mask in graph.masks)


def outputs_reached(graph: LayeredGraph) -> float:
    """Share of the outputs to which a path leads from some input; 0 … 1. Outputs are the layers that none reads."""
    read = {first for first, _ in graph.pairs}
    return float(np.concatenate([each for layer, each in enumerate(_reached(graph)) if layer not in read]).mean())


def on_path(graph: LayeredGraph) -> float:
    """Share of all units that are on some path from an input to an output; 0 … 1."""
    return sum(int(units.sum()) for units in alive(graph).values()) / graph.nodes


def alive(graph: LayeredGraph) -> PerLayer:
    """Which units are on some path from an input to an output, bool: what is left when units are taken away that have
    no link into them or none out of them, until there is none."""
    reach, needed = _reached(graph), _reached(graph.reversed)[::-1]
    return graph.per_layer(a & b for a, b in zip(reach, needed, strict=True))


def _reached(graph: LayeredGraph) -> list[np.ndarray]:
    """Per layer, which units a path from the inputs ends in; all units of the inputs, which are what reads no layer."""
    reach: list[np.ndarray] = []
    for size, into in zip(graph.sizes, graph.into, strict=True):
        ways = [(graph.masks[block] & reach[graph.pairs[block][0]]).any(axis=1) for block in into]
        reach.append(np.logical_or.reduce(ways) if ways else np.ones(size, bool))
    return reach


def components(graph: LayeredGraph) -> int:
    """How many pieces the network falls into, directions ignored; a unit without links is one of them."""
    from scipy.sparse import (
        block_array,
        coo_array,
        csgraph,
    )  # here, so that measures can be named without loading scipy

    blocks = [[coo_array((size, other), dtype=bool) for other in graph.sizes] for size in graph.sizes]
    for (first, last), mask in zip(graph.pairs, graph.masks, strict=True):
        blocks[first][last] = coo_array(mask.T)
    adjacency = block_array(blocks, format="csr")
    return int(csgraph.connected_components(adjacency, directed=False, return_labels=False))


def degrees(graph: LayeredGraph) -> np.ndarray:
    """Links into and out of every unit, int64 ``[nodes]``, layer by layer."""
    into, out = in_degree(graph), out_degree(graph)
    return np.concatenate([into[name] + out[name] for name in graph.layers])


def degree_distribution(graph: LayeredGraph) -> np.ndarray:
    """How many units have 0, 1, 2, … links, in and out together; int64 ``[largest degree + 1]``."""
    return np.bincount(degrees(graph))


def degree_entropy(graph: LayeredGraph) -> float:
    """Shannon entropy of the degree distribution, in bits: −Σ p_k log₂ p_k; 0 if all degrees are equal."""
    counts = degree_distribution(graph)
    share = counts[counts > 0] / graph.nodes
    return float(-(share * np.log2(share)).sum()) + 0.0


def efficiency(graph: LayeredGraph, *, distance: Distance) -> float:
    """Mean of 1 / d over ordered pairs of units (Latora & Marchiori 2001), those that links forward could join.

    A pair counts if layers that read each other lead from the first unit's to the second one's, in a chain from every
    layer to every later one; 1 / d is 0 where no path joins the two. Pairs that no network of these layers can join
    would only scale the figure down, by its shape.

    Args:
        graph: the network.
        distance: ``inverse`` (1 / |w|) or ``hops`` (1).

    Raises:
        InputError: for the distance ``log``, whose shortest link is 0 long: 1 / d is infinite there.
    """
    everyone = graph.per_layer(np.zeros(size, np.int64) for size in graph.sizes)
    return float(group_efficiency(graph, communities=everyone, distance=distance)[0, 0])


def group_efficiency(graph: LayeredGraph, *, communities: Mapping[str, np.ndarray], distance: Distance) -> np.ndarray:
    """:func:`efficiency` within and between communities, float64 ``[to community, from community]``.

    An entry is the mean of 1 / d over the pairs whose first unit is of the one community and whose second one, in a
    layer behind, is of the other; NaN where there is no such pair. The mean of all entries, each weighed by its pairs,
    is the efficiency.

    Args:
        graph: the network.
        communities: for every layer by its name whole numbers from 0, ``[units]``; a number that no unit has gets no
            row and no column.
        distance: ``inverse`` (1 / |w|) or ``hops`` (1).

    Raises:
        InputError: for the distance ``log``, or if the communities do not fit the graph.
    """
    if distance == "log":
        raise InputError("efficiency is a mean of 1 / d, and by log the strongest link is 0 long; take inverse or hops")
    labels = check_communities(graph, communities)
    count = 1 + max(int(label.max()) for label in labels)
    member = [np.eye(count)[label] for label in labels]
    total, pairs = np.zeros((count, count)), np.zeros((count, count))
    for first, last, lengths in paths.distances(graph, distance=distance):
        total += (member[first].T @ (1 / lengths) @ member[last]).T
        pairs += np.outer(member[last].sum(axis=0), member[first].sum(axis=0))
    return np.divide(total, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def rich_club(graph: LayeredGraph) -> np.ndarray:
    """Density among the units with more than k links, for k = 0, 1, …, largest degree − 1 (Zhou & Mondragón 2004).

    φ(k) = links between them / links that there could be between them, which are those from a layer to one that reads
    it: the usual N(N − 1) / 2 counts pairs that no layered network can join. NaN where there could be none. Compare it
    with the same figure on :func:`karikomi.graphs.nulls.rewired` graphs: by chance alone it grows with k.
    """
    by_layer = np.split(degrees(graph), np.cumsum(graph.sizes)[:-1])
    top = max(int(degree.max()) for degree in by_layer)
    links, places = np.zeros(top), np.zeros(top)
    richer = [(degree[:, None] > np.arange(top)).sum(axis=0) for degree in by_layer]
    for (first, last), mask in zip(graph.pairs, graph.masks, strict=True):
        places += richer[first] * richer[last]
        # A link counts for every k below the smaller degree of its two ends.
        poorer = np.minimum(by_layer[last][:, None], by_layer[first])[mask]
        links += np.bincount(poorer, minlength=top + 1)[:0:-1].cumsum()[::-1]
    return np.divide(links, places, out=np.full(top, np.nan), where=places > 0)
