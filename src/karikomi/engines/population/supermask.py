"""Supermasks: the mask is trained, the weights never (Zhou et al. 2019, arXiv 1905.01067)."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from operator import attrgetter

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from karikomi.data.dataset import Dataset
from karikomi.engines.contract import Advance, Recipe, Trained, Trial
from karikomi.engines.population.training import train
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork

# Zhou et al. take SGD at a rate of 100 for 440,000 steps; Adam at this rate needs some 10,000 (LeNet-300-100, MNIST).
RATE = 0.03


class Supermask(nn.Module):
    """A module whose links are there with probability σ(score); the scores are its only parameters, and begin at 0.

    Training draws links anew for every minibatch, and scores learn by the straight-through gradient
    ∂L/∂score = ∂L/∂(mask · weight) · weight · σ'(score). Evaluation draws with the same uniform numbers each time, so
    that the mask changes with the scores alone.
    """

    def __init__(self, module: nn.Module, links: Sequence[str]) -> None:
        super().__init__()
        self.module, self.links = deepcopy(module).requires_grad_(False), tuple(links)
        weights = [self.module.get_parameter(name) for name in self.links]
        self.scores = nn.ParameterList(torch.zeros_like(weight) for weight in weights)
        self.uniform = nn.ParameterList(nn.Parameter(torch.zeros_like(w), requires_grad=False) for w in weights)
        for part in self.module.modules():
            if isinstance(part, nn.RNNBase):
                part.register_forward_pre_hook(_look_up_weights)

    def forward(self, x: Tensor) -> Tensor:
        masked = {
            name: attrgetter(name)(self.module) * self._mask(score, uniform)
            for name, score, uniform in zip(self.links, self.scores, self.uniform, strict=True)
        }
        return functional_call(self.module, masked, (x,))

    def _mask(self, score: Tensor, uniform: Tensor) -> Tensor:
        chance = score.sigmoid()
        if not self.training:
            return (uniform < chance).to(chance.dtype)
        there = (torch.rand_like(chance) < chance).to(chance.dtype)
        return there + chance - chance.detach()


def _look_up_weights(layer: nn.RNNBase, inputs: object) -> None:
    """A recurrent layer keeps a list of its weights, which ``functional_call`` does not know of."""
    layer._flat_weights = [getattr(layer, name) for name in layer._flat_weights_names]


def train_supermasks(
    trials: Sequence[Trial],
    draws: Sequence[np.random.Generator],
    data: Dataset,
    recipe: Recipe,
    advance: Advance | None = None,
) -> list[Trained]:
    """Train the masks of networks of one architecture by Adam, whatever the recipe's optimizer; the weights stay.

    Args:
        trials: the networks; links that are not there stay away.
        draws: for each the generator that its masks are drawn with.
        data: as for :func:`~karikomi.engines.population.train`, as are ``recipe`` and ``advance``.
        recipe: the rate follows its schedule, up to ``RATE``.

    Returns:
        The networks under masks that the scores drew, at the minimum validation loss and at the end.
    """
    if not trials:
        return []
    whole = trials[0].subnetwork.architecture
    architecture = Architecture(Supermask(whole.module, whole.link_weights))
    scored = [
        replace(trial, subnetwork=_scored(trial.subnetwork, architecture, rng), link_cost=None)
        for trial, rng in zip(trials, draws, strict=True)
    ]
    rates = RATE * recipe.rates / recipe.rates.max()
    found = train(scored, data, replace(recipe, optimizer="adam", learning_rate=rates, weight_decay=0.0), advance)
    return [
        replace(
            one,
            best=_drawn(trial.subnetwork, one.best),
            final=_drawn(trial.subnetwork, one.final),
            snapshots={at: _drawn(trial.subnetwork, network) for at, network in one.snapshots.items()},
        )
        for trial, one in zip(trials, found, strict=True)
    ]


def _scored(network: Subnetwork, architecture: Architecture, rng: np.random.Generator) -> Subnetwork:
    weights = {f"module.{name}": value for name, value in network.weights.items()}
    for place, name in enumerate(network.architecture.link_weights):
        weights[f"scores.{place}"] = np.zeros_like(network.weights[name])
        weights[f"uniform.{place}"] = rng.random(network.weights[name].shape, np.float32)
    return Subnetwork(architecture, weights, {})


def _drawn(network: Subnetwork, scored: Subnetwork) -> Subnetwork:
    """The network under the mask that its scores draw in evaluation, with training's statistics of normalization."""
    weights = {name: scored.weights[f"module.{name}"] for name in network.weights}
    masks = dict(network.masks)
    for place, name in enumerate(network.architecture.link_weights):
        score, uniform = (torch.from_numpy(scored.weights[f"{group}.{place}"]) for group in ("scores", "uniform"))
        masks[name] = masks[name] & (uniform < score.sigmoid()).numpy()
    return replace(network, weights=weights).masked(masks)
