"""Null networks: without the trained wiring, how well would the same criteria do?"""

from dataclasses import replace
from typing import Any

from karikomi import seeds
from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.graphs.nulls import permuted, rewired
from karikomi.networks.subnetwork import Subnetwork
from karikomi.studies.healthy.settings import NULLS, Null
from karikomi.studies.setup import Setup


def null_network(setup: Setup[Any], replicate: int, subnetwork: Subnetwork, kind: Null) -> Subnetwork:
    """What becomes of a replicate's healthy network without its trained wiring; ``NULLS`` says what is kept.

    Raises:
        InputError: if the network cannot be rewired.
    """
    if kind == "untrained":
        return setup.initial(replicate, seeds.stream(setup.settings.seed, "init", replicate))
    rng = seeds.stream(setup.settings.seed, "null", replicate, list(NULLS).index(kind))
    if kind == "shuffled":
        shuffled = {name: permuted(subnetwork.weights[name], mask, rng) for name, mask in subnetwork.masks.items()}
        return replace(subnetwork, weights={**subnetwork.weights, **shuffled})
    subnetwork.architecture.require_chain()
    graph, layers = LayeredGraph.from_subnetwork(subnetwork), subnetwork.architecture.layers
    if any(subnetwork.masks[layer.weight].shape != mask.shape for layer, mask in zip(layers, graph.masks, strict=True)):
        raise InputError("null rewired needs a network of linear layers alone; shuffled takes any")
    null = rewired(graph, rng)
    weights = {
        layer.weight: weight.astype(subnetwork.weights[layer.weight].dtype)
        for layer, weight in zip(layers, null.weights, strict=True)
    }
    masks = {layer.weight: mask for layer, mask in zip(layers, null.masks, strict=True)}
    return replace(subnetwork, weights={**subnetwork.weights, **weights}, masks={**subnetwork.masks, **masks})
