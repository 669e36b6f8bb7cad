"""Links of stacked subnetworks that change between training steps."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from karikomi.engines.contract import Links, Trial
from karikomi.engines.population.optimizer import Optimizer
from karikomi.engines.population.stacking import Population


def due(trials: Sequence[Trial], step: int) -> list[int]:
    """The trials whose links change after iteration ``step``."""
    return [p for p, trial in enumerate(trials) if trial.rewiring and step in trial.rewiring.steps]


def gradients_of_all_links(population: Population) -> dict[str, Tensor]:
    """The gradients as they are now, before those of links that are not there are masked."""
    grads = {name: population.parameters[name].grad for name in population.masks}
    return {name: grad.clone() for name, grad in grads.items() if grad is not None}


def rewire(
    population: Population,
    optimizer: Optimizer,
    trials: Sequence[Trial],
    members: Sequence[int],
    step: int,
    gradients: dict[str, Tensor],
) -> None:
    """Change the links of some members: weights, masks and the optimizer's moments."""
    for p in members:
        member, rewiring = population.members[p], trials[p].rewiring
        assert rewiring
        links = {
            name: _links(member.masks[name], population.row(population.parameters[name], p), gradient)
            for name in population.masks
            for gradient in [population.row(gradients[name], p) if rewiring.growth == "gradient" else None]
        }
        masks = dict(member.masks)
        for name, change in rewiring.change(step, links).items():
            masks[name] = _mask(links[name], links[name].places[change.kept], change.grown)
            leaf = population.parameters[name]
            fresh = torch.from_numpy(_mask(links[name], change.grown)).to(leaf.device)
            there = torch.from_numpy(masks[name]).to(leaf.device)
            population.row(population.masks[name], p).copy_(there)
            for stacked in (leaf.detach(), *optimizer.moments(name)):
                population.row(stacked, p).mul_(there).masked_fill_(fresh, 0)
        population.members[p] = replace(member, masks=masks)


def _links(mask: np.ndarray, weight: Tensor, gradient: Tensor | None) -> Links:
    places = np.flatnonzero(mask)
    flat = weight.detach().cpu().numpy().ravel()
    return Links(mask.shape, places, flat[places], None if gradient is None else partial(_steepest, gradient))


def _steepest(gradient: Tensor, many: int) -> tuple[np.ndarray, np.ndarray]:
    """As ``Links.steepest``; a sample judges how great the ``many`` greatest are."""
    slopes = np.abs(gradient.cpu().numpy().ravel())
    sample = slopes[:: max(1, len(slopes) // 4096)]
    rank = max(0, len(sample) - 1 - many * len(sample) // len(slopes))
    places = np.flatnonzero(~(slopes < np.partition(sample, rank)[rank]))
    return places, slopes[places]


def _mask(links: Links, *places: np.ndarray) -> np.ndarray:
    mask = np.zeros(links.shape, bool)
    mask.ravel()[np.concatenate(places)] = True
    return mask
