"""Which layers a subnetwork's signal no longer passes."""

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.networks.subnetwork import Subnetwork


def cut_off(subnetwork: Subnetwork) -> list[str]:
    """The layers, in order, of which no link lies on a path from the inputs to the outputs.

    An empty layer is one of them. Where the links make no layered graph (attention, recurrent layers), only empty
    layers are found.

    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    >>> with torch.no_grad():
    ...     weights = module[0].weight.copy_(torch.tensor([[1.0, 1], [0, 0]])), module[2].weight.copy_(torch.eye(2)[1:])
    >>> cut_off(Subnetwork.from_module(module))
    ['0', '2']
    """
    empty = [name for name in subnetwork.architecture.link_weights if not subnetwork.masks[name].any()]
    try:
        graph = LayeredGraph.from_subnetwork(subnetwork)
    except InputError:
        return [name.removesuffix(".weight") for name in empty]
    forward, backward = _reached(graph), _reached(graph.reversed)[::-1]
    passed = {
        last
        for (first, last), mask in zip(graph.pairs, graph.masks, strict=True)
        if (mask & np.outer(backward[last], forward[first])).any()
    }
    return [graph.layers[layer] for layer, into in enumerate(graph.into) if into and layer not in passed]


def _reached(graph: LayeredGraph) -> list[np.ndarray]:
    """Per layer bool ``[units]``: what a path from a layer that nothing leads to reaches."""
    reached = [np.full(size, not into) for size, into in zip(graph.sizes, graph.into, strict=True)]
    for layer, into in enumerate(graph.into):
        for block in into:
            reached[layer] |= (graph.masks[block] & reached[graph.pairs[block][0]]).any(axis=1)
    return reached
