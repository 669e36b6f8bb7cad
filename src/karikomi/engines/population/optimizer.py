"""PyTorch's optimizers on a population: begun anew or from earlier states, and their states at the end."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from karikomi.engines.contract import ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON, OptimizerState, Recipe, Trial
from karikomi.engines.population.stacking import Population
from karikomi.networks.subnetwork import Arrays


class Optimizer:
    """One for all networks of a population, whose trials have taken the same number of steps before.

    PyTorch's fused functions without its classes, whose bookkeeping takes as long as the step of a small network.
    """

    def __init__(self, recipe: Recipe, trials: Sequence[Trial], population: Population) -> None:
        self._recipe, self._population = recipe, population
        leaves = population.parameters.values()
        self._leaves = list(leaves)
        before = [trial.state for trial in trials if trial.state is not None]
        self._first = [torch.zeros_like(leaf) for leaf in leaves]
        self._second = [torch.zeros_like(leaf) for leaf in leaves]
        steps = float(before[0].steps) if before else 0.0
        self._steps = [torch.tensor(steps, device=population.device) for _ in leaves]
        for i, name in enumerate(population.parameters if before else ()):
            for moments, which in ((self._first, "first"), (self._second, "second")):
                moments[i].copy_(
                    population.in_place_of(name, np.stack([getattr(state, which)[name] for state in before]))
                )
                moments[i].mul_(population.masks.get(name, 1.0))

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step by the gradients that are there; a parameter without one stays as it is."""
        recipe, known = self._recipe, [i for i, leaf in enumerate(self._leaves) if leaf.grad is not None]
        leaves, first, second, steps = (
            [values[i] for i in known] for values in (self._leaves, self._first, self._second, self._steps)
        )
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        if recipe.optimizer in ("adam", "adamw"):
            (adamw if recipe.optimizer == "adamw" else adam)(
                *(leaves, gradients, first, second, [], steps),
                **{"beta1": ADAM_BETA1, "beta2": ADAM_BETA2, "eps": ADAM_EPSILON, "lr": rate},
                **{"weight_decay": recipe.weight_decay, "amsgrad": False, "maximize": False, "fused": True},
            )
        else:
            momenta: list[Tensor | None] = [*first]
            sgd(
                *(leaves, gradients, momenta),
                **{"lr": rate, "momentum": recipe.momentum, "nesterov": recipe.optimizer == "nesterov"},
                **{"weight_decay": recipe.weight_decay, "dampening": 0.0, "maximize": False, "fused": True},
            )

    def moments(self, name: str) -> tuple[Tensor, Tensor]:
        """Those of a parameter, stacked like it: to change in place."""
        place = list(self._population.parameters).index(name)
        return self._first[place], self._second[place]

    def states(self, steps: int) -> list[OptimizerState]:
        """Each network's, after ``steps`` steps in all."""
        together = len(self._population)
        moments = [
            {
                name: moment.cpu().numpy().reshape(together, *moment.shape[together > 1 :])
                for name, moment in zip(self._population.parameters, some, strict=True)
            }
            for some in (self._first, self._second)
        ]
        return [
            OptimizerState(steps, *({name: value[p].copy() for name, value in moment.items()} for moment in moments))
            for p in range(together)
        ]


def stacked(each: Sequence[Arrays | None], population: Population) -> dict[str, Tensor]:
    """What each network has for its links, by weight; 0 where it has nothing, and no weight that none has any for."""
    names = {name for arrays in each for name in arrays or {}}
    return {
        name: population.in_place_of(
            name,
            np.stack(
                [
                    (arrays or {}).get(name, np.zeros_like(member.weights[name]))
                    for arrays, member in zip(each, population.members, strict=True)
                ]
            ),
        )
        for name in population.parameters
        if name in names
    }
