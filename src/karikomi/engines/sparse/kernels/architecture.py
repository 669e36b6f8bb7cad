"""Which modules the sparse engine understands, as a list of their linear layers."""

from typing import NamedTuple

from torch import nn

IDENTITY, RELU, TANH = range(3)
ACTIVATIONS: dict[type[nn.Module], int] = {nn.ReLU: RELU, nn.Tanh: TANH}


class Linear(NamedTuple):
    weight: str
    bias: str | None
    activation: int


def linear_layers(module: nn.Module) -> list[Linear] | None:
    """The linear layers of a multilayer perceptron, each with the activation after it; None for anything else."""
    if type(module) is not nn.Sequential:
        return None
    layers: list[Linear] = []
    for name, part in module.named_children():
        if type(part) is nn.Linear:
            bias = None if part.bias is None else f"{name}.bias"
            layers.append(Linear(f"{name}.weight", bias, IDENTITY))
        elif type(part) in ACTIVATIONS and layers and layers[-1].activation == IDENTITY:
            layers[-1] = layers[-1]._replace(activation=ACTIVATIONS[type(part)])
        elif not (type(part) is nn.Identity or (type(part) is nn.Flatten and not layers and _whole(part))):
            return None
    return layers or None


def _whole(flatten: nn.Flatten) -> bool:
    return (flatten.start_dim, flatten.end_dim) == (1, -1)
