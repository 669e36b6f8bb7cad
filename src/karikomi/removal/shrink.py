"""Removed units taken out of the model itself, which becomes smaller in memory and faster everywhere."""

import copy
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.layers import Numbers
from karikomi.networks.tracing import Stage


def shrink(model: nn.Module, removed: Numbers | Mapping[str, Numbers]) -> nn.Module:
    """A smaller model that gives the outputs of ``model`` without the hidden units ``removed``.

    Removed are their rows, biases and normalization, and the columns of the next layer that read them.

    Args:
        model: a chain of linear and convolutional layers, see :func:`~karikomi.networks.tracing.follow`.
        removed: unit numbers, or by layer the indices in it, see
            :meth:`~karikomi.networks.architecture.Architecture.unit_numbers`.

    Returns:
        A new model of the class, device and mode of ``model``, which stays as it is. A layer that loses all its units
        keeps one, without links to the next layer: PyTorch has no convolution over 0 channels.

    Raises:
        InputError: for an unknown or repeated unit, a model that is no such chain, and layers that cannot lose units:
            in grouped convolutions, or where the forward writes out how many numbers there are.

    References:
        Fang et al. 2023, DepGraph: Towards any structural pruning (arXiv 2301.12900).

    >>> from karikomi.networks.mlp import mlp
    >>> shrink(mlp((28, 28), (300, 100), 10), {"fc1": range(50)}).fc2
    Linear(in_features=250, out_features=100, bias=True)
    """
    architecture = Architecture(model)
    stages = architecture.require_chain().stages
    numbers = architecture.unit_numbers(removed)
    if prune.is_pruned(model) or any(map(parametrize.is_parametrized, model.modules())):
        raise InputError("weights are still computed from others; make pruning and parametrizations permanent first")
    smaller = copy.deepcopy(model)
    gone = np.isin(np.arange(architecture.units), numbers)
    ends = np.cumsum([layer.units for layer in architecture.hidden], dtype=np.int64)
    for (stage, following), lost in zip(pairwise(stages), np.split(gone, ends)[:-1], strict=True):
        if lost.any():
            _refuse_fixed(stage, following)
            _take_out(smaller, stage, following, lost)
    return smaller


def _refuse_fixed(stage: Stage, following: Stage) -> None:
    for name, layer in ((stage.name, stage.part), (following.name, following.part)):
        if getattr(layer, "groups", 1) > 1:
            raise InputError(f"{name} is a grouped convolution; neither its units nor its inputs can be taken out")
    for step in stage.after:
        written = [size for size in step.call.constants if isinstance(size, int) and size > 1]
        if step.name in ("view", "reshape") and written:
            raise InputError(
                f"the forward writes out that there are {written[-1]} numbers behind {stage.name}; let it flatten(1)"
            )


def _take_out(smaller: nn.Module, stage: Stage, following: Stage, gone: np.ndarray) -> None:
    kept, reader = np.flatnonzero(~gone), smaller.get_submodule(following.name)
    if len(kept) == 0:
        kept = np.zeros(1, np.int64)
        reader.get_parameter("weight").data[:, : following.places] = 0
    names = (stage.name, *(step.name for step in stage.after if step.part))
    for part in map(smaller.get_submodule, names):
        for name, values in [*part.named_parameters(), *part.named_buffers()]:
            if values.ndim and len(values) > 1:  # else one number for all units
                _keep(part, name, _numbers(kept, len(values) // len(gone)))
    _keep(reader, "weight", _numbers(kept, following.places), axis=1)


def _numbers(units: np.ndarray, each: int) -> np.ndarray:
    """Places of the numbers of ``units``, where every unit has ``each`` of them in a row."""
    return (units[:, None] * each + np.arange(each)).ravel()


def _keep(part: nn.Module, name: str, places: np.ndarray, axis: int = 0) -> None:
    """Leave of a parameter or buffer what is at ``places``, and let the layer know its width."""
    values = getattr(part, name)
    left = values.detach().index_select(axis, torch.from_numpy(places).to(values.device))
    setattr(part, name, nn.Parameter(left, values.requires_grad) if isinstance(values, nn.Parameter) else left)
    widths = (
        ("in_features", "in_channels") if axis else ("out_features", "out_channels", "num_features", "num_parameters")
    )
    for width in widths:
        if hasattr(part, width):
            setattr(part, width, len(places))
