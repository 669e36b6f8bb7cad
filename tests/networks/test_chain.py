"""Modules followed as one chain of layers."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp


class Pooled(nn.Module):
    """Channels averaged over a field whose size the forward asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 5, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.out(torch.flatten(functional.avg_pool2d(x, x.shape[2:]), start_dim=1))


def normalized() -> nn.Module:
    """All that may lie between layers."""
    between = (nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(), nn.Flatten())
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), *between, nn.Linear(12, 6), nn.Sigmoid(), nn.Linear(6, 2), nn.LogSoftmax(1)
    )


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Choosing(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if x.sum() > 0 else x


class Twice(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x))


def repeated() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(OrderedDict(first=layer, relu=nn.ReLU(), second=layer))


def tied() -> nn.Module:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    return nn.Sequential(OrderedDict(first=first, second=second))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Twice(), "the last layer is used more than once"),
        (nn.Sequential(nn.Linear(3, 3), Skip()), "0 is not read by 1.inner alone"),
        (nn.Sequential(nn.Linear(3, 3), Skip(), nn.Linear(3, 3)), "0 is not read by 1.inner alone"),
        (nn.LSTM(3, 3), "neither"),
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)), "0 is not read by 2 alone"),
        (nn.Sequential(nn.Conv1d(2, 2, 3), nn.ConvTranspose1d(2, 2, 3)), "1 is neither"),
        (nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 4)), "0 is not read by 2 alone"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 4)), "cannot take inputs"),
        (nn.Sequential(nn.ReLU()), "which inputs the model takes is not known"),
        (tied(), "the last layer is used more than once"),
        (repeated(), "the last layer is used more than once"),
    ],
)
def test_what_is_no_chain_is_refused_in_one_line(module: nn.Module, message: str) -> None:
    architecture = Architecture(module)
    assert not architecture.in_a_row
    assert architecture.perceptron is None
    with pytest.raises(InputError, match=message) as refused:
        architecture.require_chain()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("module", [mlp((3,), (2,), 2), nn.Linear(3, 2), normalized(), Pooled()])
def test_a_chain_is_one_whatever_lies_between_its_layers(module: nn.Module) -> None:
    assert Architecture(module).in_a_row


class Transposing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.fc(x.mT.flatten(1))))


@pytest.mark.parametrize(
    ("module", "activations"),
    [
        (mlp((2, 3), (4, 3), 2), ("relu", "relu", "identity")),
        (mlp((2, 3), (4,), 2, activation="tanh"), ("tanh", "identity")),
        (nn.Sequential(nn.Linear(6, 3), nn.Identity(), nn.Linear(3, 2), nn.ReLU(inplace=True)), ("identity", "relu")),
        (mlp((2, 3), (4,), 2, activation="gelu"), None),
        (mlp((2, 3), (4,), 2, dropout=0.5), None),
        (mlp((2, 3), (4,), 2, normalization="batch"), None),
        (nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Tanh(), nn.Linear(3, 2)), None),
        (nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2), nn.Softmax(1)), None),
        (nn.Sequential(nn.ReLU(), nn.Linear(6, 3)), None),
        (Pooled(), None),
    ],
)
def test_a_perceptron_is_known_by_what_its_forward_does(module: nn.Module, activations: tuple[str, ...] | None) -> None:
    layers = Architecture(module).perceptron
    assert (layers and tuple(layer.activation for layer in layers)) == activations


def test_inputs_in_another_order_are_no_perceptron_s() -> None:
    assert Architecture(Transposing(), sample_shape=(2, 2)).perceptron is None
