"""Removal of units from a subnetwork: rows and biases, and columns of what reads them."""

from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.architecture import Architecture
from karikomi.networks.cuts import Cuts
from karikomi.networks.layers import Numbers, check_numbers
from karikomi.networks.parts import Part
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.networks.tape import record

TOLERANCE = 1e-4
"""How far outputs may be from those of the lesioned model, as a share of the largest."""


def remove_units(subnetwork: Subnetwork, units: Numbers) -> Subnetwork:
    """The subnetwork without the hidden units ``units``.

    Every link into and out of a removed unit becomes exactly 0 and its mask False; its bias, and its scale and shift
    in a batch normalization, become 0. What was removed before stays so. Where not weights alone read the units, as in
    residual networks, biases and normalization get masks too: training must not bring them back.

    Args:
        subnetwork: a network of any layers.
        units: their numbers, as :attr:`~karikomi.networks.architecture.Architecture.hidden` counts them.

    Raises:
        InputError: for a unit that is unknown or named twice, or as :func:`check_removable`.
    """
    check_removable(subnetwork.architecture)
    gone = np.zeros(subnetwork.architecture.units, bool)
    gone[check_numbers(units, len(gone))] = True
    return _without(subnetwork, gone)


@lru_cache(maxsize=8)
def check_removable(architecture: Architecture) -> None:
    """Raise an InputError, with layer and reason, if weights of 0 do not take the units out of a network.

    In a chain of layers they do. Elsewhere it is tried, at weights other than the module's own, on every second unit of
    each layer: outputs must be those of the network whose units are held at 0.
    """
    if architecture.in_a_row:
        return
    anatomy, module = architecture.anatomy, _elsewhere(architecture.module)
    lesioned = deepcopy(module)
    network, cuts = Subnetwork.from_module(module, architecture), Cuts(anatomy, anatomy.parts)
    given = tuple(anatomy.tape.values[number] for number in anatomy.tape.inputs)
    with torch.no_grad():
        tape = record(module, given)
        for part, (start, end) in zip(anatomy.parts, pairwise(cuts.bounds), strict=True):
            gone = np.zeros(cuts.units, bool)
            gone[start:end:2] = True
            expected = cuts.without(tape, gone, {}, tape.result)
            _load(lesioned, _without(network, gone).weights)
            found = record(lesioned, given)
            if not _alike(found.values[found.result], expected):
                raise InputError(_why_not(anatomy, part))


def _without(subnetwork: Subnetwork, gone: np.ndarray) -> Subnetwork:
    architecture = subnetwork.architecture
    masks, weights = dict(subnetwork.masks), dict(subnetwork.weights)
    ends = np.cumsum([layer.units for layer in architecture.hidden])
    for layer, lost in zip(architecture.hidden, np.split(gone, ends)[:-1], strict=True):
        for one in architecture.belongings[layer.name] if lost.any() else ():
            cut = one.of(lost)
            if one.name in masks:
                masks[one.name] = masks[one.name] & ~cut
            elif architecture.in_a_row:
                weights[one.name] = np.where(cut, 0, weights[one.name])
            else:
                masks[one.name] = np.broadcast_to(~cut, weights[one.name].shape)
    return replace(subnetwork, weights=weights).masked(masks)


def _elsewhere(module: nn.Module) -> nn.Module:
    """A copy of other weights: at those of the module's own that happen to be 0 anything would seem removable."""
    copy, generator = deepcopy(module).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in copy.parameters():
            fan_in = value[0].numel() if value.ndim > 1 else 4
            value += torch.randn(value.shape, generator=generator) / fan_in**0.5 / 2
        for name, value in copy.named_buffers():
            if name.endswith("running_mean"):
                value += torch.randn(value.shape, generator=generator)
    return copy


def _load(module: nn.Module, weights: Arrays) -> None:
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})


def _alike(found: Tensor, expected: Tensor) -> bool:
    apart = (found - expected).abs().max()
    return bool(apart <= TOLERANCE * expected.abs().max())


def _why_not(anatomy: Anatomy, part: Part) -> str:
    readers = {anatomy.tape.ops[place].name for site in part.sites for place in site.readers}
    return (
        f"units of {part.name} cannot be removed for good: their signal goes to {', '.join(sorted(readers))}, where no"
        " weight can be 0 in their place"
    )
