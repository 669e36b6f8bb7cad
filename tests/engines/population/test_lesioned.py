"""Modules whose units cannot be removed."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork


class OutputFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out, self.inner = nn.Linear(36, 4), nn.Linear(36, 36)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.out(x + self.inner(x))


class Choosing(OutputFirst):
    """Cannot be traced, so that its output layer is the one declared last."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else -x)


class Repeating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.Linear(36, 36), nn.Linear(36, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x.flatten(1))
        return self.out(x + self.inner(x))


class Bypassing(OutputFirst):
    """Uses the weights of a layer, but not the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.late(self.out(x + x @ self.inner.weight))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(36, 4)), "no hidden units"),
        (Choosing(), "declare the output layer last"),
        (Repeating(), "call inner once.*calls it 2 times"),
        (Bypassing(), "call inner once.*calls it 0 times"),
        (nn.Sequential(nn.Flatten(2), nn.Flatten(0, 1), nn.RNN(36, 4)), "units of 2, a RNN, are not known"),
    ],
)
def test_networks_whose_units_cannot_be_removed_are_refused_in_one_line(module, message):
    examples = Examples(np.ones((3, 1, 6, 6), np.float32), np.arange(3))
    network = Subnetwork.from_module(module)
    with pytest.raises(InputError, match=message) as refused:
        population.knock_out(network, examples, device="cpu")
    assert "\n" not in str(refused.value)


def test_data_flow_says_which_layer_is_the_output():
    module = OutputFirst()
    examples = Examples(np.random.default_rng(0).normal(size=(20, 1, 6, 6)).astype(np.float32), np.arange(20) % 4)
    found = population.knock_out(Subnetwork.from_module(module), examples, device="cpu")
    assert len(found.loss) == 1 + 36
    with torch.no_grad():
        module.inner.weight[7], module.inner.bias[7] = 0, 0
        expected = functional.cross_entropy(module(torch.from_numpy(examples.x)), torch.from_numpy(examples.y))
    assert found.loss[8] == pytest.approx(expected.item(), abs=1e-6)
