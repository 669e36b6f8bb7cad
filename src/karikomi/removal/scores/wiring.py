"""Criteria that look at the network as a layered graph: each of its node measures."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from karikomi.graphs import NODE_MEASURES, LayeredGraph, Measure, PerLayer, node_measure
from karikomi.graphs.communities import find_communities
from karikomi.graphs.measures.strength import in_degree, out_degree
from karikomi.networks.layers import INPUTS
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
    hidden = evidence.subnetwork.architecture.hidden_units
    scores = np.concatenate([np.asarray(values[layer], np.float64) for layer in hidden])
    return np.nan_to_num(scores, nan=0.0) if name in NOTHING_IS_NAN else scores


def _whole(graph: LayeredGraph) -> bool:
    """Whether every hidden unit still has a link."""
    into, out = in_degree(graph), out_degree(graph)
    return all((into[layer] + out[layer]).all() for layer in graph.hidden)


def _mean_magnitudes(evidence: UnitEvidence) -> PerLayer:
    """E|a| of every hidden layer; of the inputs E|x|, by channel where they are channels."""
    hidden, examples = evidence.subnetwork.architecture.hidden_units, evidence.examples
    inputs = np.abs(examples.x).mean(axis=0, dtype=np.float64) * examples.scale
    means = np.abs(evidence.activations().activation).mean(axis=1, dtype=np.float64)
    by_layer = dict(zip(hidden, np.split(means, np.cumsum(list(hidden.values()))[:-1]), strict=True))
    return {INPUTS: inputs.reshape(evidence.graph.sizes[0], -1).mean(axis=1), **by_layer}


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
