"""Communities of units, and how much of the strength they keep inside."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph, PerLayer
from karikomi.graphs.measures.mixing import check_communities

# A gain below this share of the whole strength is rounding; taking it could go round in circles.
ROUNDING = 1e-12


def bipartite_modularity(graph: LayeredGraph, *, communities: Mapping[str, np.ndarray]) -> float:
    """Strength inside communities above what chance gives, as a share of all strength (Barber 2007, by block).

    Q = (1/m) Σ_gaps Σ_ji (|w_ji| − s_j s_i / m_gap) [c_j = c_i], where s_j is the strength into j and s_i that out
    of i in this gap, m_gap the strength of the gap and m of all gaps. Chance moves strength only between the two
    layers of a gap, where Newman's null would put links inside a layer. With one gap it is Barber's modularity.
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

    Barber's BRIM on a chain of layers: layers with an even number link only to those with an odd one, so either half
    has an exact best answer to the other half, and Q never falls while they answer each other. Where neither moves,
    communities are merged while that raises Q, and they go on. A local optimum, as the problem is NP-hard.

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


def _excess(graph: LayeredGraph) -> list[np.ndarray]:
    """Per gap (|w_ji| − s_j s_i / m_gap) / m, ``[out, in]``."""
    whole = sum(float(strength.sum()) for strength in graph.strengths)
    if whole == 0:
        raise InputError("modularity is a share of the network's strength, and every weight of this one is 0")
    return [(s - np.outer(s.sum(axis=1), s.sum(axis=0)) / (s.sum() or 1.0)) / whole for s in graph.strengths]


def _modularity(excess: list[np.ndarray], labels: list[np.ndarray]) -> float:
    inside = (label[:, None] == before for before, label in pairwise(labels))
    return float(sum(gap[same].sum() for gap, same in zip(excess, inside, strict=True)))


def _climb(excess: list[np.ndarray], labels: list[np.ndarray], most: int) -> list[np.ndarray]:
    value = -np.inf
    while (risen := _modularity(excess, labels)) > value + ROUNDING:
        value = risen
        for parity in (1, 0):
            for layer in range(parity, len(labels), 2):
                labels[layer] = _answer(excess, labels, layer, most)
        labels = _merged(excess, labels, most)
    return labels


def _answer(excess: list[np.ndarray], labels: list[np.ndarray], layer: int, most: int) -> np.ndarray:
    """The best community of every unit of a layer, given those of its neighbours."""
    gain = np.zeros((len(labels[layer]), most))
    if layer > 0:
        gain += excess[layer - 1] @ np.eye(most)[labels[layer - 1]]
    if layer < len(excess):
        gain += excess[layer].T @ np.eye(most)[labels[layer + 1]]
    return gain.argmax(axis=1)


def _merged(excess: list[np.ndarray], labels: list[np.ndarray], most: int) -> list[np.ndarray]:
    """Merge two communities, those that raise Q most, as long as that raises it."""
    member = [np.eye(most)[label] for label in labels]
    between = sum(after.T @ gap @ before for before, after, gap in zip(member, member[1:], excess, strict=False))
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
