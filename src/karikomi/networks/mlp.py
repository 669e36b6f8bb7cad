"""Multilayer perceptrons as plain PyTorch modules."""

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """The perceptron called ``name``: its hidden layers are the numbers in it, but for a modular network's groups."""
    numbers = [int(number) for number in name.split("-")[1:]]
    return mlp(sample_shape, numbers[1:] if name.startswith("modular-") else numbers, classes)


def mlp(sample_shape: tuple[int, ...], hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Flatten, then linear layers ``fc1``, ``fc2``, … with ReLU, then the linear layer ``output``.

    >>> mlp((28, 28), (300, 100), 10).fc1
    Linear(in_features=784, out_features=300, bias=True)
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = math.prod(sample_shape)
    for number, units in enumerate(hidden, start=1):
        layers[f"fc{number}"] = nn.Linear(width, units)
        layers[f"relu{number}"] = nn.ReLU()
        width = units
    layers["output"] = nn.Linear(width, classes)
    return nn.Sequential(layers)
