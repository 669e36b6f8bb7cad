"""From a network to the blocks of links of its graph."""

from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
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
    units, readers = architecture.wiring
    numbers = {name: number for number, name in enumerate(units)}
    found = dict[Pair, Block]()
    for name, reader in readers.items():
        if subnetwork is not None and not isinstance(reader.weight, nn.Parameter):
            raise InputError(f"graph: the weight of {name} is computed from {reader.parameter}, not trained as it is")
        values = _values(reader.weight, reader.parameter, subnetwork)
        weight, mask = (_by_column(reader.oriented(array), reader.groups) for array in values)
        for source, (columns, read) in reader.columns.items():
            found[numbers[source], numbers[name]] = _by_unit(weight, mask, columns, read, units[source])
    pairs = sorted(found, key=lambda pair: pair[::-1])
    weights, masks = zip(*(found[pair] for pair in pairs), strict=True)
    return Blocks(tuple(name or "outputs" for name in units), weights, masks, tuple(pairs))


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
    group = np.arange(rows) * groups // rows
    np.put_along_axis(between, group[:, None] * columns + np.arange(columns), each, axis=1)
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
