"""Where the units of a modular network are: their groups, their places and how far apart they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from karikomi.networks.layers import INPUTS

if TYPE_CHECKING:
    from karikomi.networks.architecture import Architecture
    from karikomi.networks.subnetwork import Arrays

GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))

# Groups lie on a circle of this radius, so that no two are more than 1 apart.
RADIUS = 0.5
# A group's own radius, as a share of the way to the next group: neighbours keep a fifth of it between them.
EXTENT = 0.4


@dataclass(frozen=True)
class Layout:
    """Groups and places of all units, by layer: ``inputs``, ``fc1``, …, ``output``, as in the network's graph.

    Attributes:
        groups: int64 ``[units]``, from 0; inputs are of the entry group, outputs of the exit group. They are
            communities for :func:`karikomi.graphs.whole_measure` and ``node_measure``.
        positions: float64 ``[units, 2]``. Group centres are on a circle of diameter 1 round the origin, group 0 at the
            left, the others clockwise, y upwards; each group's hidden units fill a disk, all layers among each other.
            Inputs and outputs lie outside, each next to its group.
    """

    groups: Mapping[str, np.ndarray]
    positions: Mapping[str, np.ndarray]

    @property
    def unit_groups(self) -> np.ndarray:
        """The group of every hidden unit, int64 ``[units]``, as ``hidden_units`` numbers them."""
        return np.concatenate(list(self.groups.values())[1:-1])

    @property
    def unit_positions(self) -> np.ndarray:
        """The place of every hidden unit, float64 ``[units, 2]``."""
        return np.concatenate(list(self.positions.values())[1:-1])

    def distances(self) -> dict[str, np.ndarray]:
        """For every place that a link can have the distance between its ends, float64 ``[out, in]`` by weight."""
        return {
            weight: np.linalg.norm(after[:, None] - before, axis=2)
            for weight, before, after in self._gaps(self.positions)
        }

    def long_range(self) -> dict[str, np.ndarray]:
        """For every place that a link can have whether it joins two groups, bool ``[out, in]`` by weight."""
        return {weight: after[:, None] != before for weight, before, after in self._gaps(self.groups)}

    def links(self, masks: Arrays | None = None) -> dict[str, np.ndarray]:
        """How many links go from each group to each, int64 ``[to group, from group]`` by weight.

        Args:
            masks: which links there are, bool ``[out, in]`` by weight; every possible one if not given.
        """
        member = np.eye(1 + max(int(group.max()) for group in self.groups.values()), dtype=np.int64)
        counts = {}
        for weight, before, after in self._gaps(self.groups):
            mask = np.ones((len(after), len(before)), bool) if masks is None else masks[weight]
            counts[weight] = member[after].T @ mask @ member[before]
        return counts

    @staticmethod
    def _gaps(by_layer: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Every weight with what ``by_layer`` has for the layer before and the layer after it."""
        for before, after in pairwise(by_layer):
            yield f"{after}.weight", by_layer[before], by_layer[after]


def lay_out(architecture: Architecture, groups: int, entry: int, leaving: int) -> Layout:
    """Give every unit of a perceptron a group and a place, always the same ones.

    The first hidden layer is the entry group's and the last one the exit group's: a unit of another group would get no
    signal there, or have nowhere to pass it. Those between are divided among all groups; the sizes of the groups in a
    layer differ by at most 1, the larger ones come first.

    Args:
        architecture: a chain of linear layers, at least two of them hidden.
        groups: how many, at least 2.
        entry: the group of the inputs.
        leaving: the group of the outputs.
    """
    layers = [INPUTS, *(layer.name for layer in architecture.layers)]
    inputs = architecture.module.get_parameter(architecture.layers[0].weight).shape[1]
    sizes = [inputs, *(layer.units for layer in architecture.layers)]
    members = [
        *(np.full(size, entry) for size in sizes[:2]),
        *(divide(size, groups) for size in sizes[2:-2]),
        *(np.full(size, leaving) for size in sizes[-2:]),
    ]
    extent = EXTENT * 2 * RADIUS * np.sin(np.pi / groups)
    angle = np.pi - 2 * np.pi * np.arange(groups) / groups
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    outside = RADIUS + 3 * extent
    positions = [
        outside * direction[entry] + _disk(sizes[0], extent),
        *_in_groups(members[1:-1], RADIUS * direction, extent),
        outside * direction[leaving] + _disk(sizes[-1], extent),
    ]
    return Layout(dict(zip(layers, members, strict=True)), dict(zip(layers, positions, strict=True)))


def divide(width: int, groups: int) -> np.ndarray:
    """The group of each of ``width`` units, in order; sizes differ by at most 1.

    >>> divide(7, 3)
    array([0, 0, 0, 1, 1, 2, 2])
    """
    return np.repeat(np.arange(groups), [len(part) for part in np.array_split(np.empty(width), groups)])


def _in_groups(members: list[np.ndarray], centres: np.ndarray, extent: float) -> list[np.ndarray]:
    """Places of the hidden units, per layer ``[units, 2]``."""
    group_of = np.concatenate(members)
    places = np.empty((len(group_of), 2))
    for group, centre in enumerate(centres):
        units = np.flatnonzero(group_of == group)
        # Mixed, so that any neighbourhood has units of every layer; regular dealing falls into step with the spiral.
        places[np.random.default_rng(group).permutation(units)] = centre + _disk(len(units), extent)
    return np.split(places, np.cumsum([len(group) for group in members])[:-1])


def _disk(points: int, radius: float) -> np.ndarray:
    """Points spread evenly over a disk round the origin, from its middle outwards ``[points, 2]`` (Vogel 1979)."""
    number = np.arange(points)
    distance, angle = radius * np.sqrt((number + 0.5) / points), number * GOLDEN_ANGLE
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])
