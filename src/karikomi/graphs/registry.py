"""The measures by name, and those that mean nothing on a layered graph with the reason why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from karikomi.errors import InputError, unknown
from karikomi.graphs import communities, whole
from karikomi.graphs.layered import DISTANCES, LayeredGraph, PerLayer
from karikomi.graphs.measures import mixing, paths, spectral, strength
from karikomi.registry import Entry


@dataclass(frozen=True)
class Measure(Entry):
    """A measure of a graph: ``function`` takes the graph, and what it needs (activations, communities) by keyword.

    Attributes:
        wiring: whether it sees only which links there are, not their weights.
    """

    wiring: bool = False


def _by_distance(
    name: str, function: Callable[..., Any], meaning: str, *without: str, needs: tuple[str, ...] = ()
) -> dict[str, Measure]:
    return {
        f"{name}-{distance}": Measure(
            partial(function, distance=distance), f"{meaning}; {length}", needs, wiring=distance == "hops"
        )
        for distance, length in DISTANCES.items()
        if distance not in without
    }


NODE_MEASURES: Mapping[str, Measure] = {
    "in-degree": Measure(strength.in_degree, "links into the unit", wiring=True),
    "out-degree": Measure(strength.out_degree, "links out of the unit", wiring=True),
    "in-strength": Measure(strength.in_strength, "Σ |w| of the links into the unit"),
    "out-strength": Measure(strength.out_strength, "Σ |w| of the links out of the unit"),
    "in-flow": Measure(strength.in_flow, "Σ |w| · E|a| of the links into the unit", ("activations",)),
    "out-flow": Measure(strength.out_flow, "Σ |w| · E|a| of the links out of the unit", ("activations",)),
    **_by_distance("betweenness", paths.betweenness, "share of the shortest paths that pass through the unit"),
    **_by_distance("in-closeness", paths.in_closeness, "how near the units are from which it can be reached"),
    **_by_distance("out-closeness", paths.out_closeness, "how near the units are that can be reached from it"),
    "pagerank": Measure(spectral.pagerank, "where a walker along the links is, steps ∝ |w|, damping 0.85"),
    "reversed-pagerank": Measure(spectral.reversed_pagerank, "the same for a walker against the links"),
    "katz": Measure(spectral.katz, "paths that end in the unit, each Π 0.1 |w|"),
    "reversed-katz": Measure(spectral.reversed_katz, "paths that begin in the unit, each Π 0.1 |w|"),
    "in-clustering": Measure(mixing.in_clustering, "how much it shares its sources with its layer", wiring=True),
    "out-clustering": Measure(mixing.out_clustering, "how much it shares its targets with its layer", wiring=True),
    "participation": Measure(
        mixing.participation, "how evenly its strength spreads over communities", ("communities",)
    ),
}

WHOLE_MEASURES: Mapping[str, Measure] = {
    "density": Measure(whole.density, "links over the links that there could be", wiring=True),
    "outputs-reached": Measure(whole.outputs_reached, "share of outputs that some input reaches", wiring=True),
    "on-path": Measure(whole.on_path, "share of units on a path from an input to an output", wiring=True),
    "components": Measure(whole.components, "pieces it falls into, directions ignored", wiring=True),
    "degree-distribution": Measure(whole.degree_distribution, "units with 0, 1, 2, … links", wiring=True),
    "degree-entropy": Measure(whole.degree_entropy, "entropy of the degree distribution, bits", wiring=True),
    **_by_distance("efficiency", whole.efficiency, "mean 1 / d from a unit to one in a layer behind", "log"),
    **_by_distance(
        "group-efficiency", whole.group_efficiency, "efficiency by community, [to, from]", "log", needs=("communities",)
    ),
    "rich-club": Measure(whole.rich_club, "density among the units with more than 0, 1, 2, … links", wiring=True),
    "bipartite-modularity": Measure(
        communities.bipartite_modularity, "strength inside communities above chance by block", ("communities",)
    ),
}

_TRIANGLES = "in a chain of layers there is no triangle and it is 0; elsewhere triangles only say where shortcuts are"
_INFINITE = "by log the strongest link is 0 long, and 1 / d infinite"
_EIGENVECTOR = "without cycles the adjacency matrix has no eigenvalue but 0; take katz"
REFUSED: Mapping[str, str] = {
    "clustering": f"{_TRIANGLES}; take in-clustering or out-clustering",
    "transitivity": f"{_TRIANGLES}; take in-clustering or out-clustering",
    "small-world": f"it divides by the clustering coefficient: {_TRIANGLES}",
    "eigenvector": _EIGENVECTOR,
    "hits": "in a chain a walk forward and back never leaves a pair of layers, so every score outside of the strongest"
    " pair is 0; take pagerank and reversed-pagerank",
    "reciprocity": "no link leads back, so it is 0 for every such network",
    "modularity": "Newman's null puts links inside a layer, where none can be; take bipartite-modularity",
    "efficiency-log": f"{_INFINITE}; take efficiency-inverse",
    "group-efficiency-log": f"{_INFINITE}; take group-efficiency-inverse",
    "degree": "in a full layer all units have the same, and elsewhere in and out differ; take in-degree or in-strength",
    "strength": "in and out differ in meaning; take in-strength or out-strength",
    "betweenness": "the distance must be named; take betweenness-inverse, betweenness-log or betweenness-hops",
    "closeness": "direction and distance must be named; take for example in-closeness-inverse",
    "efficiency": "the distance must be named; take efficiency-inverse or efficiency-hops",
    "group-efficiency": "the distance must be named; take group-efficiency-inverse or group-efficiency-hops",
}
"""Names of measures that are never given, and why."""


def node_measure(graph: LayeredGraph, name: str, **given: Any) -> PerLayer:
    """The measure called ``name`` for every unit: per layer, by its name, an array ``[units]``.

    Args:
        graph: the network.
        name: one of ``NODE_MEASURES``.
        **given: what the measure needs, for example ``activations``, and what it may be told, for example ``damping``.

    Raises:
        InputError: if there is no such measure, if it means nothing on a layered graph, or if it sees only the wiring
            and gives all units of a hidden layer the same number other than 0, as in a full network. (What has once
            meant something may fall equal while units are being removed: ask here first, and use the measure's
            ``function`` from then on.)
    """
    measure = _known(NODE_MEASURES, name, given)
    values = measure.function(graph, **given)
    if measure.wiring:
        for layer in graph.hidden or graph.layers:
            _refuse_alike(name, layer, values[layer])
    return values


def whole_measure(graph: LayeredGraph, name: str, **given: Any) -> float | np.ndarray:
    """The measure called ``name`` of the whole network: a number, or an array for a distribution or by community.

    Args and errors are those of :func:`node_measure`, with ``WHOLE_MEASURES``.
    """
    return _known(WHOLE_MEASURES, name, given).function(graph, **given)


def _known(measures: Mapping[str, Measure], name: str, given: Mapping[str, Any]) -> Measure:
    if name in REFUSED:
        raise InputError(f"{name} means nothing on a layered graph: {REFUSED[name]}")
    if name not in measures:
        raise unknown("measure", name, measures)
    missing = [need for need in measures[name].needs if need not in given]
    if missing:
        raise InputError(f"{name} needs {' and '.join(missing)}")
    return measures[name]


def _refuse_alike(name: str, layer: str, values: np.ndarray) -> None:
    if len(values) > 1 and values.any() and np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise InputError(
            f"{name} tells no units of {layer} apart: all {len(values)} have {values[0]:.6g}, as always in a full"
            " layer; take a measure that sees weights, for example in-strength"
        )
