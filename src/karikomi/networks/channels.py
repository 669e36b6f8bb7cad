"""Where the units of a program act: each in a channel of one signal."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.parts import Part
from karikomi.networks.program import Program


class Channels(NamedTuple):
    """The number of a signal, and for each unit of a layer the channel of it that it is, int64."""

    signal: int
    of_unit: np.ndarray


def channels_of(program: Program, anatomy: Anatomy) -> Sequence[Channels]:
    """Of every hidden layer, in their order.

    Raises:
        InputError: with the layer whose units are not the channels of one signal.
    """
    return [_channels(program, anatomy, part) for part in anatomy.parts]


def _channels(program: Program, anatomy: Anatomy, part: Part) -> Channels:
    problem = InputError(f"{part.name}: its units are not the channels of one signal")
    if len(part.sites) != 1 or part.sites[0].value not in program.values:
        raise problem
    [site] = part.sites
    signal, value = program.signals[program.values[site.value]].same, anatomy.tape.values[site.value]
    if site.axis == site.examples:
        raise problem
    labels = site.units.view(-1, *[1] * (value.ndim - site.axis - 1)).expand(value.shape[1:])
    by_channel = labels.reshape(program.signals[signal].shape.channels, -1)
    order = torch.argsort(by_channel[:, 0], stable=True)
    order = order[by_channel[order, 0] >= 0]
    whole = torch.equal(by_channel, by_channel[:, :1].expand_as(by_channel))
    if not whole or not torch.equal(by_channel[order, 0], torch.arange(part.units)):
        raise problem
    return Channels(signal, order.numpy())
