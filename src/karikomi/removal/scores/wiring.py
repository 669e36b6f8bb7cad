"""Criteria that look at the network as a layered graph: each of its node measures."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import numpy as np

from karikomi.graphs import NODE_MEASURES, LayeredGraph, Measure, PerLayer, node_measure
from karikomi.graphs.communities import find_communities
from karikomi.registry import Entry
from karikomi.removal.scores.evidence import UnitEvidence

# NaN says of these that a unit shares no links, or has none: it has nothing of what they measure.
NOTHING_IS_NAN = ("in-clustering", "out-clustering", "participation")


def measure(evidence: UnitEvidence, *, name: str) -> np.ndarray:
    """The node measure called ``name`` for every hidden unit.

    0 where clustering or participation is undefined, as it is for a unit without links.

    Raises:
        InputError: if the measure sees only which links there are, and that is alike for all units of a layer. Once
            units are gone equal scores are ties, no sign of a measure that means nothing, and are given.
    """
    graph, chosen = evidence.graph, NODE_MEASURES[name]
    given = {need: _GIVEN[need](evidence) for need in chosen.needs}
    values = node_measure(graph, name, **given) if _whole(graph) else chosen.function(graph, **given)
    scores = np.concatenate([np.asarray(values[layer], np.float64) for layer in graph.layers[1:-1]])
    return np.nan_to_num(scores, nan=0.0) if name in NOTHING_IS_NAN else scores


def _whole(graph: LayeredGraph) -> bool:
    """Whether every hidden unit still has a link."""
    return all((before.any(axis=1) | behind.any(axis=0)).all() for before, behind in pairwise(graph.masks))


def _mean_magnitudes(evidence: UnitEvidence) -> PerLayer:
    """E|a| of every layer but the last; of the inputs E|x|, by channel where they are channels."""
    layers, sizes, examples = evidence.graph.layers, evidence.graph.sizes, evidence.examples
    inputs = np.abs(examples.x).mean(axis=0, dtype=np.float64) * examples.scale
    hidden = np.abs(evidence.activations().activation).mean(axis=1, dtype=np.float64)
    by_layer = np.split(hidden, np.cumsum(sizes[1:-1])[:-1])
    return dict(zip(layers, [inputs.reshape(sizes[0], -1).mean(axis=1), *by_layer], strict=False))


def _communities(evidence: UnitEvidence) -> PerLayer:
    graph = evidence.graph
    if graph.links == 0:  # Removal may end here, and there is nothing to find.
        return graph.per_layer(np.zeros(size, np.int64) for size in graph.sizes)
    return find_communities(graph, evidence.rng("communities"))


_GIVEN: Mapping[str, Callable[[UnitEvidence], PerLayer]] = {
    "activations": _mean_magnitudes,
    "communities": _communities,
}


def _criterion(name: str, of_graph: Measure) -> Entry:
    needs = ("activations",) if "activations" in of_graph.needs else ()
    return Entry(partial(measure, name=name), of_graph.meaning, needs)


CRITERIA: Mapping[str, Entry] = {name: _criterion(name, each) for name, each in NODE_MEASURES.items()}
