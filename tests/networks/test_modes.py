"""Forwards that are others in training than in evaluation, and those that are not."""

import pytest
import torch
from torch import Tensor, nn

from karikomi.engines import population
from karikomi.engines.choice import choose
from karikomi.networks import build
from karikomi.networks.architecture import Architecture


class Noisy(nn.Module):
    """Noise that a method of its own draws."""

    def forward(self, x: Tensor) -> Tensor:
        return self.disturbed(x)

    def disturbed(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x) if self.training else x


class Scaled(nn.Module):
    """The same operations, another number."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (0.5 if self.training else 1.0)


class Less(nn.Module):
    """Something that only evaluation does, behind a method that PyTorch gives."""

    def forward(self, x: Tensor) -> Tensor:
        return x if self.training else x.relu()


class Reading(nn.Module):
    """Looks at its mode and does nothing else for it."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.training in (True, False)
        return x.relu()


def convolutional(part: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), part, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def perceptron(part: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 4), part, nn.Linear(4, 3))


@pytest.mark.parametrize("around", [convolutional, perceptron])
@pytest.mark.parametrize(("part", "same"), [(Noisy(), False), (Scaled(), False), (Less(), False), (Reading(), True)])
def test_only_what_training_does_as_evaluation_is_trained_as_it_is_read(around, part: nn.Module, same: bool) -> None:
    architecture = Architecture(around(part), (torch.rand(3, 1, 6, 6),))
    assert (choose("auto", architecture) is not population) == same
    if not same:
        assert architecture.perceptron is None


@pytest.mark.parametrize("name", ["lenet-5", "resnet-8", "conv-2-small", "mlp-8-4"])
def test_looking_changes_neither_the_module_nor_what_is_drawn_next(name: str) -> None:
    module = build(name, (28, 28), 10).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert choose("auto", Architecture(module, sample_shape=(28, 28))) is not population
    assert torch.equal(torch.rand(2), expected)
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
