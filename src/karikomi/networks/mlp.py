"""Multilayer perceptrons as plain PyTorch modules."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from karikomi.networks import Activation, Normalization

ACTIVATIONS: Mapping[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
}
NORMALIZATIONS: Mapping[Normalization, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def build(name: str, sample_shape: tuple[int, ...], classes: int, **options: Any) -> nn.Sequential:
    """The perceptron called ``name``: its hidden layers are the numbers in it, but for a modular network's groups."""
    numbers = [int(number) for number in name.split("-")[1:]]
    return mlp(sample_shape, numbers[1:] if name.startswith("modular-") else numbers, classes, **options)


def mlp(
    sample_shape: tuple[int, ...],
    hidden: Sequence[int],
    classes: int,
    *,
    activation: Activation = "relu",
    dropout: float = 0.0,
    normalization: Normalization = "none",
) -> nn.Sequential:
    """Flatten, then linear layers ``fc1``, ``fc2``, … with ReLU, then the linear layer ``output``.

    Args:
        sample_shape: shape of a sample.
        hidden: units of the hidden layers.
        classes: units of the output layer.
        activation: behind every hidden layer.
        dropout: probability of a hidden unit to be 0 in a training step, behind the activation.
        normalization: between every hidden layer and its activation.

    >>> mlp((28, 28), (300, 100), 10).fc1
    Linear(in_features=784, out_features=300, bias=True)
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = math.prod(sample_shape)
    for number, units in enumerate(hidden, start=1):
        layers[f"fc{number}"] = nn.Linear(width, units)
        if normalization != "none":
            layers[f"norm{number}"] = NORMALIZATIONS[normalization](units)
        layers[f"{activation}{number}"] = ACTIVATIONS[activation]()
        if dropout:
            layers[f"dropout{number}"] = nn.Dropout(dropout)
        width = units
    layers["output"] = nn.Linear(width, classes)
    return nn.Sequential(layers)
