"""Random networks to compare with: what a figure would be if only part of the wiring mattered."""

from dataclasses import replace

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph

TRADES = 20


def shuffled_weights(graph: LayeredGraph, rng: np.random.Generator) -> LayeredGraph:
    """The same links; within each block their weights change places at random.

    Keeps every degree and the distribution of weights of every block, not the strengths.
    """
    weights = [permuted(weight, mask, rng) for weight, mask in zip(graph.weights, graph.masks, strict=True)]
    return replace(graph, weights=tuple(weights))


def permuted(weight: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same weights at random places of the mask."""
    shuffled = weight.copy()
    shuffled[mask] = rng.permutation(weight[mask])
    return shuffled


def rewired(graph: LayeredGraph, rng: np.random.Generator, *, trades: int = TRADES) -> LayeredGraph:
    """Within each block other links, drawn at random among all that give every unit the same number in and out.

    A unit keeps the weights of its incoming links and deals them at random to its new ones, so in-degree, out-degree
    and in-strength of every unit stay exactly the same. A full block has only one wiring; there only the weights move.

    The links move by global curveball trades (Carstens et al. 2018): the units of one side pair up at random, and the
    two of a pair pool the partners that only one of them has and draw them anew, each as many as before.

    Args:
        graph: the network.
        rng: draws.
        trades: rounds, in each of which every unit of the smaller side trades once.

    Raises:
        InputError: if ``trades`` is below 1.
    """
    if trades < 1:
        raise InputError(f"trades must be at least 1; it is {trades}")
    masks = [_traded(mask, rng, trades) for mask in graph.masks]
    weights = []
    for weight, old, new in zip(graph.weights, graph.masks, masks, strict=True):
        dealt = np.zeros(weight.shape)
        # Rows come one after the other in both masks, with equally many links; a random key orders each row's weights.
        row = np.nonzero(old)[0]
        dealt[new] = weight[old][np.lexsort((rng.random(len(row)), row))]
        weights.append(dealt)
    return replace(graph, weights=tuple(weights), masks=tuple(masks))


def _traded(mask: np.ndarray, rng: np.random.Generator, trades: int) -> np.ndarray:
    if len(mask) > mask.shape[1]:
        return _traded(mask.T, rng, trades).T
    mask = mask.copy()
    pairs = len(mask) // 2
    for _ in range(trades):
        order = rng.permutation(len(mask))
        one, other = order[:pairs], order[pairs : 2 * pairs]
        mine, theirs = mask[one], mask[other]
        pooled = mine ^ theirs
        # Random keys rank the pooled partners of each pair; the first ones go to one side, the rest to the other.
        keys = np.where(pooled, rng.random(pooled.shape), np.inf)
        rank = keys.argsort(axis=1).argsort(axis=1)
        drawn = rank < (mine & ~theirs).sum(axis=1, keepdims=True)
        both = mine & theirs
        mask[one], mask[other] = both | drawn, both | (pooled & ~drawn)
    return mask
