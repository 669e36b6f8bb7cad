"""Layers that follow one another, and multilayer perceptrons among them."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS
from karikomi.networks.layers import Linear
from karikomi.networks.parts import Part
from karikomi.networks.tape import Op, Tape

FLATTENING = {"flatten", "view", "reshape"}
BENDS: Mapping[str, Literal["relu", "tanh"]] = {
    "relu": "relu",
    "relu_": "relu",
    "tanh": "tanh",
    "tanh_": "tanh",
}


def why_no_chain(anatomy: Anatomy) -> str:
    """Why a model is no chain, in which each layer reads the one before it and nothing else; "" if it is one.

    Between the layers there may be what acts on each unit independently, such as activations, pooling and batch
    normalization.
    """
    layers = [*anatomy.parts, *anatomy.last]
    problems = [*filter(None, (_own_problem(anatomy, layer) for layer in layers))]
    if not layers:
        problems = ["the model has none"]
    elif not anatomy.last:
        problems = ["the last layer is used more than once"]
    elif anatomy.left_out and not problems:
        problems = [": ".join(next(iter(anatomy.left_out.items())))]
    problems += [
        f"{layer.name} is not read by {following.name} alone, each of its units once"
        for layer, following in pairwise(layers)
        if not _handed_on(layer, following)
    ]
    return f"a chain of linear or convolutional layers is needed, but {problems[0]}" if problems else ""


def _handed_on(layer: Part, following: Part) -> bool:
    """Whether only one layer reads another, whose units lie one behind the other, each in as many places."""
    if [site.readers for site in layer.sites] != [frozenset(following.calls)]:
        return False
    units = layer.sites[0].units
    return torch.equal(units, torch.arange(len(units)) // max(len(units) // layer.units, 1))


def _own_problem(anatomy: Anatomy, layer: Part) -> str:
    op = anatomy.tape.ops[layer.calls[0]]
    if len(layer.calls) > 1:
        return f"{layer.name} is used more than once"
    if op.name not in ("linear", *CONVOLUTIONS):
        return f"{layer.name} is neither ({op.name})"
    return "" if isinstance(op.argument(1, "weight"), nn.Parameter) else f"the weight of {layer.name} is computed"


def perceptron(tape: Tape) -> tuple[Linear, ...] | None:
    """The layers of a chain that is a multilayer perceptron with ReLU or tanh behind its layers; None if it is not."""
    signal, layers = tape.inputs[0], list[Linear]()
    for op in tape.ops:
        if op.refs != [signal] or len(op.results) != 1:
            return None
        if op.name == "linear":
            weight, bias = (tape.origin(op.argument(place, name)) for place, name in ((1, "weight"), (2, "bias")))
            layers.append(Linear(weight, bias or None, "identity"))
        elif op.name in BENDS and layers and layers[-1].activation == "identity":
            layers[-1] = layers[-1]._replace(activation=BENDS[op.name])
        elif layers or not _flattens(op, tape):
            return None
        signal = op.results[0]
    return tuple(layers)


def _flattens(op: Op, tape: Tape) -> bool:
    """Whether an operation makes one row of each example."""
    sample = tape.values[op.refs[0]][0]
    return op.name in FLATTENING and tape.values[op.results[0]].shape[1:] == (sample.numel(),)
