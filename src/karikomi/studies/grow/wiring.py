"""How the wiring of a network changes while it is trained."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph, PerLayer, node_measure, whole_measure
from karikomi.graphs.whole import alive
from karikomi.networks.subnetwork import Subnetwork

WHOLE = {"on_path": "on-path", "degree_entropy": "degree-entropy", "efficiency": "efficiency-hops"}
"""Columns of the table, and the measures of :data:`karikomi.graphs.WHOLE_MEASURES` that they hold."""

QUANTILES = {"low": 0.1, "median": 0.5, "high": 0.9}
"""Of the strengths of a layer's units."""


class Wiring:
    """Rows for the tables, of a network at the start and on the way.

    Attributes:
        seen: ``graphs``, a row per time: new (the share of the links that were not there at the start) and measures of
            the layered graph; ``layers``, a row per time and layer: units, alive, and quantiles of the units' in- and
            out-strengths, Σ |w|; ``pixels``, per time the links of each one, of images of one channel that enter a
            linear layer.
    """

    def __init__(self, start: Subnetwork, sample_shape: tuple[int, ...], on_the_way: Mapping[int, Subnetwork]) -> None:
        self.start, self.sample_shape = start, sample_shape
        self.seen: dict[str, list[dict[str, Any]]] = {"graphs": [], "layers": [], "pixels": []}
        for iteration, network in {0: start, **on_the_way}.items() if on_the_way else ():
            self._see(iteration, network)

    def new(self, network: Subnetwork) -> float:
        """The share of the links that were not there at the start."""
        masks = network.masks
        return sum(int((masks[name] & ~there).sum()) for name, there in self.start.masks.items()) / network.links

    def _see(self, iteration: int, network: Subnetwork) -> None:
        masks = network.masks
        when = {"iteration": iteration}
        first = masks[network.architecture.link_weights[0]]
        if len(self.sample_shape) == 2 and first.shape[1:] == (math.prod(self.sample_shape),):
            self.seen["pixels"].append({**when, "links": first.sum(axis=0).reshape(self.sample_shape).tolist()})
        try:
            graph = LayeredGraph.from_subnetwork(network)
        except InputError:  # not all of its layers can be told as a graph
            graph = None
        found = {column: float(whole_measure(graph, name)) for column, name in WHOLE.items()} if graph else {}
        self.seen["graphs"].append({**when, "new": self.new(network), **found})
        self.seen["layers"] += [{**when, **row} for row in layers(graph)] if graph else []


def layers(graph: LayeredGraph) -> list[dict[str, Any]]:
    """A row per layer of a graph, the inputs first."""
    living = alive(graph)
    strengths: dict[str, PerLayer] = {side: node_measure(graph, f"{side}-strength") for side in ("in", "out")}
    return [
        {
            "layer": name,
            "units": len(living[name]),
            "alive": int(living[name].sum()),
            **{
                f"{side}_strength_{which}": float(np.quantile(strength[name], share))
                for side, strength in strengths.items()
                for which, share in QUANTILES.items()
            },
        }
        for name in graph.layers
    ]
