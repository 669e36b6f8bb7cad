"""Whether units share their neighbours, and over how many communities their links spread."""

from collections.abc import Mapping

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer


def in_clustering(graph: LayeredGraph) -> PerLayer:
    """How much each unit shares the sources of its links with others of its layer (Latapy et al. 2008, "dot").

    N(i) being the units that i reads, of whatever layer: the mean of |N(i) ∩ N(j)| / |N(i) ∪ N(j)| over the units j
    of its layer that share at least one source with i. NaN where there is no such j, so for all inputs. 0 … 1.
    """
    return _clustering(graph, 1)


def out_clustering(graph: LayeredGraph) -> PerLayer:
    """The same for the targets of its links; NaN for all outputs."""
    return _clustering(graph, 0)


def _clustering(graph: LayeredGraph, end: int) -> PerLayer:
    neighbours: list[list[np.ndarray]] = [[] for _ in graph.layers]
    for pair, mask in zip(graph.pairs, graph.masks, strict=True):
        neighbours[pair[end]].append(mask if end else mask.T)
    return graph.per_layer(
        _shared(np.concatenate(blocks, axis=1)) if blocks else np.full(size, np.nan)
        for size, blocks in zip(graph.sizes, neighbours, strict=True)
    )


def _shared(neighbours: np.ndarray) -> np.ndarray:
    """Mean Jaccard index of each row with the others that it overlaps, NaN if there are none."""
    links = neighbours.astype(np.float64)
    degree = links.sum(axis=1)
    common = links @ links.T
    np.fill_diagonal(common, 0)
    either = degree[:, None] + degree - common
    jaccard = np.divide(common, either, out=common.copy(), where=common > 0)
    others = (common > 0).sum(axis=1)
    return np.divide(jaccard.sum(axis=1), others, out=np.full(len(others), np.nan), where=others > 0)


def participation(graph: LayeredGraph, *, communities: Mapping[str, np.ndarray]) -> PerLayer:
    """How evenly a unit's links, in and out, spread over communities (Guimerà & Amaral 2005).

    1 − Σ_c (s_ic / s_i)², s_ic being the Σ |w| of its links with units of community c and s_i that of all of them:
    0 if they stay in one community, near 1 if they spread over many. NaN for a unit of strength 0.

    Args:
        graph: the network.
        communities: for every layer by its name whole numbers from 0, ``[units]``.

    Raises:
        InputError: if the communities do not fit the graph.
    """
    labels = check_communities(graph, communities)
    count = 1 + max(int(label.max()) for label in labels)
    member = [np.eye(count)[label] for label in labels]
    spread = [np.zeros((size, count)) for size in graph.sizes]
    for (first, last), strength in zip(graph.pairs, graph.strengths, strict=True):
        spread[first] += strength.T @ member[last]
        spread[last] += strength @ member[first]
    return graph.per_layer(_evenness(strengths) for strengths in spread)


def _evenness(strengths: np.ndarray) -> np.ndarray:
    total = strengths.sum(axis=1, keepdims=True)
    share = np.divide(strengths, total, out=np.full(strengths.shape, np.nan), where=total > 0)
    return 1 - (share**2).sum(axis=1)


def check_communities(graph: LayeredGraph, communities: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The communities of the layers in order, numbered 0, 1, … without gaps.

    Raises:
        InputError: if a layer is missing, or does not have a whole number from 0 for every unit.
    """
    labels = []
    for name, size in zip(graph.layers, graph.sizes, strict=True):
        label = np.asarray(communities.get(name, ()))
        if label.shape != (size,) or not np.issubdtype(label.dtype, np.integer) or label.min() < 0:
            raise InputError(f"the communities of {name} must be {size} whole numbers from 0, one for each unit")
        labels.append(label)
    numbered = np.unique(np.concatenate(labels), return_inverse=True)[1]
    return np.split(numbered, np.cumsum(graph.sizes)[:-1])
