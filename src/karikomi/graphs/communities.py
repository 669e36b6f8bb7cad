"""Communities of units, and how much of the strength they keep inside."""

from collections.abc import Mapping

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer
from karikomi.graphs.measures.mixing import check_communities

# A gain below this share of the whole strength is rounding; taking it could go round in circles.
ROUNDING = 1e-12

Excess = Mapping[tuple[int, int], np.ndarray]
"""By the two layers of a block what its links weigh above chance, as a share of the strength of all blocks."""


def bipartite_modularity(graph: LayeredGraph, *, communities: Mapping[str, np.ndarray]) -> float:
    """Strength inside communities above what chance gives, as a share of all strength (Barber 2007, by block).

    Q = (1/m) Σ_blocks Σ_ji (|w_ji| − s_j s_i / m_block) [c_j = c_i], where s_j is the strength into j and s_i that out
    of i in this block, m_block the strength of the block and m of all blocks. Chance moves strength only between the
    two layers of a block, where Newman's null would put links inside a layer. With one block it is Barber's modularity.
    At most 1; 0 if all units are in one community.

    Args:
        graph: the network.
        communities: for every layer by its name whole numbers from 0, ``[units]``.

    Raises:
        InputError: if the communities do not fit the graph, or it has no strength at all.
    """
    return _modularity(_excess(graph), check_communities(graph, communities))


def find_communities(graph: LayeredGraph, rng: np.random.Generator, *, most: int = 16, starts: int = 10) -> PerLayer:
    """Communities of high bipartite modularity, the best of several starts.

    Barber's BRIM, layer by layer: the units of a layer are not linked with each other, so they have an exact best
    answer to all other layers, and Q never falls while the layers answer, those with odd numbers first. Where none
    moves, communities are merged while that raises Q, and they go on. A local optimum, as the problem is NP-hard.

    Args:
        graph: the network.
        rng: draws the starts; the same generator gives the same communities.
        most: communities at the start, so at most; they are numbered 0, 1, … in the result.
        starts: random starts.

    Raises:
        InputError: if ``most`` or ``starts`` is below 1, or the graph has no strength at all.
    """
    if most < 1 or starts < 1:
        raise InputError(f"most and starts must be at least 1; they are {most} and {starts}")
    excess = _excess(graph)
    found = [_climb(excess, [rng.integers(most, size=size) for size in graph.sizes], most) for _ in range(starts)]
    # One community for all has Q = 0; nothing worse is ever an answer.
    found.append([np.zeros(size, np.int64) for size in graph.sizes])
    best = max(found, key=lambda labels: _modularity(excess, labels))
    return graph.per_layer(check_communities(graph, graph.per_layer(best)))


def _excess(graph: LayeredGraph) -> Excess:
    """(|w_ji| − s_j s_i / m_block) / m, ``[out, in]``."""
    whole = sum(float(strength.sum()) for strength in graph.strengths)
    if whole == 0:
        raise InputError("modularity is a share of the network's strength, and every weight of this one is 0")
    return {
        pair: (s - np.outer(s.sum(axis=1), s.sum(axis=0)) / (s.sum() or 1.0)) / whole
        for pair, s in zip(graph.pairs, graph.strengths, strict=True)
    }


def _modularity(excess: Excess, labels: list[np.ndarray]) -> float:
    return float(sum(block[labels[last][:, None] == labels[first]].sum() for (first, last), block in excess.items()))


def _climb(excess: Excess, labels: list[np.ndarray], most: int) -> list[np.ndarray]:
    value = -np.inf
    while (risen := _modularity(excess, labels)) > value + ROUNDING:
        value = risen
        for parity in (1, 0):
            for layer in range(parity, len(labels), 2):
                labels[layer] = _answer(excess, labels, layer, most)
        labels = _merged(excess, labels, most)
    return labels


def _answer(excess: Excess, labels: list[np.ndarray], layer: int, most: int) -> np.ndarray:
    """The best community of every unit of a layer, given those of its neighbours."""
    gain = np.zeros((len(labels[layer]), most))
    for (first, last), block in excess.items():
        if last == layer:
            gain += block @ np.eye(most)[labels[first]]
        elif first == layer:
            gain += block.T @ np.eye(most)[labels[last]]
    return gain.argmax(axis=1)


def _merged(excess: Excess, labels: list[np.ndarray], most: int) -> list[np.ndarray]:
    """Merge two communities, those that raise Q most, as long as that raises it."""
    member = [np.eye(most)[label] for label in labels]
    between = sum(member[last].T @ block @ member[first] for (first, last), block in excess.items())
    gain = np.asarray(between + np.transpose(between))
    becomes = np.arange(most)
    while True:
        np.fill_diagonal(gain, -np.inf)
        kept, gone = np.unravel_index(gain.argmax(), gain.shape)
        if not gain[kept, gone] > ROUNDING:
            return [becomes[label] for label in labels]
        becomes[becomes == gone] = kept
        gain[kept] += gain[gone]
        gain[:, kept] += gain[:, gone]
        gain[gone] = gain[:, gone] = -np.inf
