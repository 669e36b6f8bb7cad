"""PyTorch's optimizers on a population: begun anew or from earlier states, and their states at the end."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from karikomi.engines.contract import ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON, OptimizerState, Recipe, Trial
from karikomi.engines.population.stacking import Population


def begin(recipe: Recipe, trials: Sequence[Trial], population: Population) -> Optimizer:
    """The optimizer of a population whose trials have taken the same number of steps before."""
    leaves, rate, decay = list(population.parameters.values()), float(recipe.rates[0]), recipe.weight_decay
    if recipe.optimizer in ("adam", "adamw"):
        adam = AdamW if recipe.optimizer == "adamw" else Adam
        optimizer = adam(leaves, rate, (ADAM_BETA1, ADAM_BETA2), ADAM_EPSILON, decay, fused=True)
    else:
        nesterov = recipe.optimizer == "nesterov"
        optimizer = SGD(leaves, rate, recipe.momentum, weight_decay=decay, nesterov=nesterov, fused=True)
    states = [trial.state for trial in trials if trial.state is not None]
    if states:
        _go_on(optimizer, states, population)
    return optimizer


def _go_on(optimizer: Optimizer, states: Sequence[OptimizerState], population: Population) -> None:
    for name, leaf in population.parameters.items():

        def moment(which: str, name: str = name, leaf: Tensor = leaf) -> Tensor:
            stacked = population.in_place_of(np.stack([getattr(state, which)[name] for state in states]))
            return stacked.to(leaf) * population.masks.get(name, 1.0)

        if isinstance(optimizer, Adam):
            step = torch.tensor(float(states[0].steps), device=leaf.device)
            optimizer.state[leaf] = {"step": step, "exp_avg": moment("first"), "exp_avg_sq": moment("second")}
        else:
            optimizer.state[leaf] = {"momentum_buffer": moment("first")}


def states_of(optimizer: Optimizer, population: Population, steps: int) -> list[OptimizerState]:
    """Each network's state of the optimizer, after ``steps`` steps in all."""
    moments = [
        {name: _moment(optimizer, leaf, keys) for name, leaf in population.parameters.items()}
        for keys in (("exp_avg", "momentum_buffer"), ("exp_avg_sq",))
    ]
    if len(population) == 1:
        moments = [{name: value[None] for name, value in moment.items()} for moment in moments]
    return [
        OptimizerState(steps, *({name: value[p].copy() for name, value in moment.items()} for moment in moments))
        for p in range(len(population))
    ]


def _moment(optimizer: Optimizer, leaf: Tensor, keys: Sequence[str]) -> np.ndarray:
    kept = [value for key in keys if (value := optimizer.state[leaf].get(key)) is not None]
    return (kept[0] if kept else torch.zeros_like(leaf)).detach().cpu().numpy()


def stacked_costs(trials: Sequence[Trial], population: Population) -> dict[str, Tensor]:
    """What links cost by their size, for every weight that costs something in some network."""
    names = {name for trial in trials for name in trial.link_cost or {}}
    return {
        name: population.in_place_of(
            np.stack(
                [
                    (trial.link_cost or {}).get(name, np.zeros_like(member.weights[name]))
                    for trial, member in zip(trials, population.members, strict=True)
                ]
            )
        ).to(leaf)
        for name, leaf in population.parameters.items()
        if name in names
    }
