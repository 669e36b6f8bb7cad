"""From a network to the blocks of its graph."""

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.detection import CONVOLUTIONS, TRANSPOSED
from karikomi.networks.layers import INPUTS, Layer, Reading
from karikomi.networks.streams import Reader
from karikomi.networks.subnetwork import Subnetwork

Block = tuple[np.ndarray, np.ndarray]
"""Weight and mask ``[out, in]`` between the units of two layers."""


class Blocks(NamedTuple):
    """What a :class:`~karikomi.graphs.LayeredGraph` is made of."""

    layers: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    pairs: tuple[tuple[int, int], ...] = ()


def blocks(architecture: Architecture, subnetwork: Subnetwork | None = None) -> Blocks:
    """The links between units, from the weights and masks of a subnetwork, or from the module's own weights.

    Raises:
        InputError: if something else than fixed weights joins units.
    """
    return _of_chain(architecture, subnetwork) if architecture.in_a_row else _of_streams(architecture, subnetwork)


def _of_chain(architecture: Architecture, subnetwork: Subnetwork | None) -> Blocks:
    def values(name: str) -> Block:
        if subnetwork is not None:
            return subnetwork.weights[name], subnetwork.masks[name]
        weight = attrgetter(name)(architecture.module).detach().cpu().numpy()
        return weight, weight != 0

    found = [_between_units(layer, *values(layer.weight)) for layer in architecture.layers]
    weights, masks = zip(*found, strict=True)
    return Blocks((INPUTS, *(layer.name or "outputs" for layer in architecture.layers)), weights, masks)


def _between_units(layer: Layer, weight: np.ndarray, mask: np.ndarray) -> Block:
    """Weight and mask ``[out, in]`` between the units of a layer and those that it reads.

    Of kernels, and of the columns of a flattened channel, the L1 norm.
    """
    weight, [reading] = np.asarray(weight, np.float64), layer.reads
    if weight.ndim == 2 and reading.places == 1:
        return weight, mask
    rows, columns = reading.shape
    between, links = (np.zeros((rows, reading.groups * columns // reading.places), kind) for kind in (float, int))
    ends = np.arange(rows)[:, None], reading.units
    np.add.at(between, ends, np.abs(weight).reshape(rows, columns, -1).sum(axis=2))
    np.add.at(links, ends, mask.reshape(rows, columns, -1).sum(axis=2))
    return between, links > 0


def _of_streams(architecture: Architecture, subnetwork: Subnetwork | None) -> Blocks:
    wiring = architecture.wiring
    numbers = {name: number for number, name in enumerate(wiring.units)}
    found = dict[tuple[int, int], Block]()
    for name, reader in wiring.readers.items():
        weight, mask = _values(name, reader, subnetwork)
        for source in sorted(reader.columns, key=numbers.__getitem__):
            ...
