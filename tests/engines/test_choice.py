"""Which engine trains which network."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.description import describe
from karikomi.engines import convolutional, population, sparse
from karikomi.engines.choice import choose
from karikomi.engines.contract import Recipe
from karikomi.engines.suitability import why_not_sparse
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize


def images() -> Dataset:
    """Noise of 40 pixels in five classes."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (150, 40), dtype=np.uint8), np.arange(150) % 5
    return Dataset.from_arrays(x[:100], y[:100], x[100:], y[100:])


class Written(nn.Module):
    """A perceptron as people write it."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.hidden = nn.Linear(30, 5), nn.Linear(40, 30)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.hidden(x.flatten(1))))


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(40, 30, bias=False), nn.Tanh(), nn.Linear(30, 5, bias=False)),
        nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.ReLU(), nn.Linear(3, 2)),
        nn.Linear(4, 3),
        Written(),
    ],
)
def test_it_trains_perceptrons(module: nn.Module) -> None:
    assert choose("auto", Architecture(module)) is sparse


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.ReLU()),
        nn.Sequential(nn.Linear(4, 3), nn.ELU(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(4, 3), nn.AlphaDropout(), nn.Linear(3, 2)),
        nn.Sequential(nn.Flatten(0), nn.Linear(4, 3)),
    ],
)
def test_other_networks_are_for_the_population_engine(module: nn.Module) -> None:
    assert choose("auto", Architecture(module)) is population
    with pytest.raises(InputError, match="cannot train this network"):
        choose("sparse", Architecture(module))


@pytest.mark.parametrize(
    "part", [nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU(), nn.Dropout(0.1), nn.LayerNorm(3)], ids=str
)
def test_perceptrons_of_other_parts_are_trained_as_programs(part: nn.Module) -> None:
    assert choose("auto", Architecture(nn.Sequential(nn.Linear(4, 3), part, nn.Linear(3, 2)))) is convolutional


class Whimsical(nn.Module):
    """Another network in training than in evaluation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x if self.training else x


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (nn.ELU(), "1, elu: not among the operations that it knows"),
        (nn.Dropout(1.0), "1, dropout: drops all"),
        (nn.LayerNorm(12), "1, layer_norm: not over all numbers of an example"),
        (nn.Conv2d(4, 4, (2, 3), padding="same"), "1, conv2d: the padding same, uneven"),
        (nn.Conv2d(4, 4, 3).requires_grad_(False), "1, conv2d: its weight is computed, not trained"),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)), "1, conv2d: its weight is computed"),
        (nn.BatchNorm2d(4, track_running_stats=False), "1, batch_norm: no batch normalization with running statistics"),
        (nn.BatchNorm2d(4, momentum=None), "1, batch_norm: no batch normalization with running statistics"),
        (nn.AvgPool2d(2, padding=1, count_include_pad=False), "1, avg_pool2d: windows with holes or of different"),
        (nn.AdaptiveAvgPool2d(5), "1, adaptive_avg_pool2d: windows of different sizes"),
        (Whimsical(), "1 does something else in training than in evaluation"),
    ],
)
def test_it_is_told_which_layer_is_in_the_way(part: nn.Module, reason: str) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), part, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    architecture = Architecture(module, (torch.rand(3, 1, 14, 14),))
    assert choose("auto", architecture) is population
    with pytest.raises(InputError, match=re.escape(reason)):
        choose("sparse", architecture)
    assert reason in describe(module, torch.rand(3, 1, 14, 14)).explanation
    without = nn.Sequential(*(layer for layer in module if layer is not part))
    assert choose("auto", Architecture(without, (torch.rand(3, 1, 14, 14),))) is convolutional


def test_weights_used_twice_are_for_the_population_engine() -> None:
    shared = nn.Linear(4, 4)
    reason = why_not_sparse(Architecture(nn.Sequential(shared, nn.ReLU(), shared), (torch.rand(3, 4),)))
    assert "used twice" in (reason or "")


@pytest.mark.parametrize(
    "extra", [{"label_smoothing": 0.1}, {"clip": 1.0}, {"augment": ("shift",)}, {"precision": "bf16"}]
)
def test_recipes_with_extras_are_for_the_population_engine(extra: dict[str, Any]) -> None:
    architecture, data = Architecture(Written()), images()
    recipe = replace(Recipe(1, 20, "adam", 1e-3, 0.0, 0.0, 1), **extra)
    name = next(iter(extra)).replace("_", " ")
    assert choose("auto", architecture, recipe) is population
    with pytest.raises(InputError, match=f"does not know {name}; use the engine population"):
        choose("sparse", architecture, recipe)
    with pytest.raises(InputError, match=f"does not know {name}"):
        sparse.train([], data, recipe)


def test_a_perceptron_may_be_written_in_any_way() -> None:
    data = images()
    network = initialize(Architecture(Written()), "pytorch", np.random.default_rng(0))
    for one, other in zip(
        sparse.evaluate([network], data.test), population.evaluate([network], data.test), strict=True
    ):
        assert (one.accuracy, one.loss) == (other.accuracy, pytest.approx(other.loss, abs=1e-6))
