"""Supermasks: the mask is trained, the weights never (Zhou et al. 2019, arXiv 1905.01067)."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import starmap

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from karikomi.data.dataset import Dataset
from karikomi.engines.contract import Advance, Recipe, Trained, Trial
from karikomi.engines.population.training import train
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Arrays, Subnetwork

class Masked(nn.Module):
    """A module whose links are there with probability σ(score), the scores its only parameters.

    Training draws links anew for every minibatch, the same ones for its examples; scores learn by the straight-through
    gradient ∂L/∂score = ∂L/∂(weight · mask) · weight · σ'(score). In evaluation the links are one such draw that stays
    while the scores do: those whose score is above the logit of a fixed uniform number.
    """

    def __init__(self, module: nn.Module, links: Sequence[str]) -> None:
        super().__init__()
        self.module, self.links = deepcopy(module).requires_grad_(False), tuple(links)
        weights = [self.module.get_parameter(name) for name in self.links]
        self.scores = nn.ParameterList(torch.zeros_like(weight) for weight in weights)
        self.draws = nn.ParameterList(nn.Parameter(torch.zeros_like(weight), requires_grad=False) for weight in weights)

    def forward(self, x: Tensor) -> Tensor:
        masks = map(self._mask, self.scores, self.draws)
        masked = {name: self.module.get_parameter(name) * mask for name, mask in zip(self.links, masks, strict=True)}
        return functional_call(self.module, masked, (x,))

    def _mask(self, score: Tensor, draw: Tensor) -> Tensor:
        chance = score.sigmoid()
        if not self.training:
            return (draw < chance).float()
        there = (torch.rand_like(chance) < chance).float()
        return there + chance - chance.detach()
