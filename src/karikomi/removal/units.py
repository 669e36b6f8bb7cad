"""Removal of units from a subnetwork: rows and biases, and columns of the next layer."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from torch import nn

from karikomi.networks.chain import Stage, follow
from karikomi.networks.subnetwork import Subnetwork
from karikomi.networks.units import Numbers, check_numbers


def remove_units(subnetwork: Subnetwork, units: Numbers) -> Subnetwork:
    """The subnetwork without the hidden units ``units``.

    Every link into and out of a removed unit becomes exactly 0 and its mask False; its bias, and its scale and shift
    in a batch normalization, become 0. What was removed before stays so.

    Args:
        subnetwork: a chain of linear and convolutional layers.
        units: their numbers, as :func:`~karikomi.networks.units.hidden_units` counts them.

    Raises:
        InputError: for a unit that is unknown or named twice, or a network that is no such chain.
    """
    stages = list(hidden_stages(subnetwork.module))
    sizes = [stage.units for stage, _ in stages]
    gone = np.zeros(sum(sizes), bool)
    gone[check_numbers(units, len(gone))] = True
    masks, weights = dict(subnetwork.masks), dict(subnetwork.weights)
    for (stage, following), lost in zip(stages, np.split(gone, np.cumsum(sizes))[:-1], strict=True):
        for name, cut in ((stage.name, lost[:, None]), (following.name, lost[sources(following)])):
            mask = masks[f"{name}.weight"]
            masks[f"{name}.weight"] = mask & ~cut.reshape(*cut.shape, *[1] * (mask.ndim - 2))
        for name in parameters_of_units(stage):
            if name in weights:
                weights[name] = np.where(lost.repeat(len(weights[name]) // stage.units), 0, weights[name])
    return replace(subnetwork, weights=weights).masked(masks)


def hidden_stages(module: nn.Module) -> Iterator[tuple[Stage, Stage]]:
    """Every hidden layer of a chain with the layer after it.

    Raises:
        InputError: if the module is no chain of linear and convolutional layers.
    """
    return pairwise(follow(module).stages)


def sources(stage: Stage) -> np.ndarray:
    """For every row and column of a layer's weight the unit of the layer before that it comes from, ``[out, in]``.

    A column of a linear layer behind flattened channels belongs to a channel; in a grouped convolution the columns of
    every group of rows count from the group's first channel.
    """
    outs, columns = stage.layer.weight.shape[:2]
    group = np.arange(outs) * getattr(stage.layer, "groups", 1) // outs
    return (group[:, None] * columns + np.arange(columns)) // stage.places


def parameters_of_units(stage: Stage) -> Iterator[str]:
    """Names that parameters have which hold a number, or a number per place, for each unit; they need not be there."""
    yield f"{stage.name}.bias"
    for step in stage.after:
        if isinstance(step.part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            yield from (f"{step.name}.weight", f"{step.name}.bias")
