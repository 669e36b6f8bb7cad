"""Networks of random weights, and what plain PyTorch measures of their units."""

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Activations, Outcomes
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.scores import UnitEvidence


def _subnetwork(module: nn.Module, density: float = 1.0, seed: int = 0) -> Subnetwork:
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.standard_normal(value.shape).astype(np.float32) if value.is_floating_point() else value.numpy()
        for name, value in module.state_dict().items()
    }
    weights |= {name: np.abs(value) + 0.5 for name, value in weights.items() if name.endswith("running_var")}
    masks = {name: rng.random(weights[name].shape) < density for name in Architecture(module).link_weights}
    return Subnetwork(Architecture(module), weights, masks).masked(masks)


@pytest.fixture(scope="session")
def subnetwork() -> Callable[..., Subnetwork]:
    """A module with random weights, of which the share ``density`` is left."""
    return _subnetwork


@pytest.fixture(scope="session")
def small(subnetwork: Callable[..., Subnetwork]) -> Subnetwork:
    """6-4-3-3, some links gone; each unit has some."""
    return subnetwork(mlp((2, 3), [4, 3], 3), 0.7, 5)


@pytest.fixture(scope="session")
def examples() -> Examples:
    rng = np.random.default_rng(1)
    return Examples(rng.standard_normal((50, 2, 3)).astype(np.float32), np.arange(50) % 3)


class Measured:
    """A perceptron's units one by one, by hooks behind its ReLUs."""

    def __init__(self, subnetwork: Subnetwork, examples: Examples) -> None:
        self.module = subnetwork.module.eval()
        self.weights = {name: torch.tensor(value) for name, value in subnetwork.weights.items()}
        self.x, self.y = torch.tensor(examples.x), torch.tensor(examples.y)
        self.relus = [part for part in self.module.modules() if isinstance(part, nn.ReLU)]
        self.width = [len(self.weights[name]) for name in Architecture(self.module).link_weights[:-1]]
        self.units = sum(self.width)

    def losses(self, silent: tuple[int, ...] = ()) -> torch.Tensor:
        """Every example's loss with some units' activations at 0; keeps the signals around the ReLUs."""
        keep = torch.ones(self.units)
        keep[list(silent)] = 0
        left = iter(torch.split(keep, self.width))
        self.befores: list[torch.Tensor] = []
        self.afters: list[torch.Tensor] = []

        def hook(relu: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
            self.befores.append(given[0])
            self.afters.append((out * next(left)).requires_grad_())
            return self.afters[-1]

        hooks = [relu.register_forward_hook(hook) for relu in self.relus]
        logits = functional_call(self.module, self.weights, (self.x,))
        for each in hooks:
            each.remove()
        return nn.functional.cross_entropy(logits, self.y, reduction="none")

    def activations(self) -> Activations:
        self.losses()
        return Activations(*(torch.cat(some, 1).detach().T.numpy() for some in (self.befores, self.afters)))

    def attributions(self) -> np.ndarray:
        gradients = torch.autograd.grad(self.losses().sum(), self.afters)
        return (torch.cat(self.afters, 1) * torch.cat(gradients, 1)).detach().T.numpy()

    def knock_out(self) -> Outcomes:
        loss = [self.losses(silent).mean().item() for silent in [(), *((unit,) for unit in range(self.units))]]
        return Outcomes(np.array(loss), np.zeros((len(loss), 3), int), np.ones(3, int))

    def shapley(self) -> np.ndarray:
        """Of −loss, by the formula over all sets of the other units."""
        everyone = range(self.units)
        value = {
            there: -self.losses(tuple(set(everyone) - set(there))).mean().item()
            for size in range(self.units + 1)
            for there in combinations(everyone, size)
        }
        found = np.zeros(self.units)
        for unit in everyone:
            for there in value:
                if unit not in there:
                    share = factorial(len(there)) * factorial(self.units - len(there) - 1) / factorial(self.units)
                    found[unit] += share * (value[tuple(sorted((*there, unit)))] - value[there])
        return found


@pytest.fixture(scope="session")
def evidence() -> Callable[..., UnitEvidence]:
    """What there is to know of a perceptron; everything by brute force."""

    def build(subnetwork: Subnetwork, examples: Examples, seed: int = 0) -> UnitEvidence:
        measured = Measured(subnetwork, examples)
        return UnitEvidence(
            subnetwork,
            examples,
            np.random.SeedSequence(seed),
            activations=measured.activations,
            attributions=measured.attributions,
            knock_out=measured.knock_out,
            shapley=measured.shapley,
        )

    return build
