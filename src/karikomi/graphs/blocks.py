"""From a network to the blocks of links of its graph."""

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.layers import INPUTS, Reading
from karikomi.networks.subnetwork import Subnetwork

Pair = tuple[int, int]
Block = tuple[np.ndarray, np.ndarray]
"""Weight and mask ``[out, in]``."""


class Blocks(NamedTuple):
    """What a :class:`~karikomi.graphs.LayeredGraph` is made of."""

    layers: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    pairs: tuple[Pair, ...]


def blocks(architecture: Architecture, subnetwork: Subnetwork | None = None) -> Blocks:
    """The links between units, by the weights and masks of a subnetwork, or by the module's own weights.

    Raises:
        InputError: if something else than fixed weights joins units.
    """
    if architecture.in_a_row:
        layers = (INPUTS, *(layer.name or "outputs" for layer in architecture.layers))
        found = dict(_of_chain(architecture, subnetwork))
    else:
        layers = tuple(architecture.wiring.units)
        found = dict(sorted(_of_streams(architecture, subnetwork), key=lambda block: block[0][::-1]))
    weights, masks = zip(*found.values(), strict=True)
    return Blocks(layers, weights, masks, tuple(found))


def _of_chain(architecture: Architecture, subnetwork: Subnetwork | None) -> Iterator[tuple[Pair, Block]]:
    for number, layer in enumerate(architecture.layers):
        [reading] = layer.reads
        weight, mask = _values(attrgetter(layer.weight)(architecture.module), layer.weight, subnetwork)
        weight, mask = _by_column(weight, reading.groups), _by_column(mask, reading.groups)
        columns, many = np.arange(weight.shape[1]), weight.shape[1] // reading.places
        yield (number, number + 1), _by_unit(weight, mask, columns, columns // reading.places, many)


def _of_streams(architecture: Architecture, subnetwork: Subnetwork | None) -> Iterator[tuple[Pair, Block]]:
    units, readers = architecture.wiring
    numbers = {name: number for number, name in enumerate(units)}
    for name, reader in readers.items():
        if subnetwork is not None and not isinstance(reader.weight, nn.Parameter):
            raise InputError(f"graph: the weight of {name} is computed from {reader.parameter}, not trained as it is")
        values = _values(reader.weight, reader.parameter, subnetwork)
        weight, mask = (_by_column(reader.oriented(array), reader.groups) for array in values)
        for source, pairs in reader.columns.items():
            columns, read = pairs
            yield (numbers[source], numbers[name]), _by_unit(weight, mask, columns, read, units[source])


def _values(weight: Tensor, name: str, subnetwork: Subnetwork | None) -> Block:
    """A weight, float64, and its mask; what has none, such as a module, has a link where a weight is not 0."""
    own = weight.detach().cpu().double().numpy() if subnetwork is None else subnetwork.weights[name].astype(np.float64)
    return own, own != 0 if subnetwork is None or name not in subnetwork.masks else subnetwork.masks[name]


def _by_column(array: np.ndarray, groups: int) -> np.ndarray:
    """Weights or a mask ``[out, in / groups, …]`` as ``[out, in]``: of kernels the L1 norm, or whether any is left."""
    if array.ndim == 2:
        return array
    rows, columns = array.shape[:2]
    kernels = array.reshape(rows, columns, -1)
    between = np.zeros((rows, groups * columns), array.dtype)
    each = kernels.any(axis=2) if array.dtype == bool else np.abs(kernels).sum(axis=2)
    np.put_along_axis(between, Reading(INPUTS, (rows, columns), groups=groups).units, each, axis=1)
    return between


def _by_unit(weight: np.ndarray, mask: np.ndarray, columns: np.ndarray, units: np.ndarray, many: int) -> Block:
    """Weight and mask ``[out, units]`` from those by column: of a unit that several columns read the L1 norm."""
    between, links = np.zeros((len(weight), many)), np.zeros((len(weight), many), np.int64)
    if len(np.unique(units)) == len(units):
        between[:, units], links[:, units] = weight[:, columns], mask[:, columns]
    else:
        ends = np.arange(len(weight))[:, None], units
        np.add.at(between, ends, np.abs(weight[:, columns]))
        np.add.at(links, ends, mask[:, columns])
    return between, links > 0
