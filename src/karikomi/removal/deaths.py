"""Who dies in which cycle of an ageing network.

A schedule says for every cycle which units die, or which links. It is drawn once per replicate, from the healthy
network, and is the same in every arm. Scored on the network that one arm retrains it would be aimed at that arm, and a
mere list of units to the others.

Unit deaths are an order of units, cut by :func:`in_cycles`. Beside the orders here there are those of
:mod:`karikomi.removal.orders`: random, by score, scored again as units die (without retraining); and ``layer_matched``,
which scatters the deaths of an order: as many units from each layer in every cycle, at random places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.removal.masks import links_left
from karikomi.removal.orders import order

if TYPE_CHECKING:
    from scipy.sparse import coo_array, csr_array

    from karikomi.engines.contract import OptimizerState
    from karikomi.networks.subnetwork import Subnetwork

Deaths = np.ndarray | Mapping[str, np.ndarray]
"""What dies in a cycle: int64 unit numbers; or links, for every weight by name a bool array, True where one dies."""


def die(subnetwork: Subnetwork, dead: Deaths) -> Subnetwork:
    """The subnetwork without the units or links that die, see :func:`~karikomi.removal.units.remove_units`."""
    if isinstance(dead, Mapping):
        return subnetwork.masked({name: mask & ~dead[name] for name, mask in subnetwork.masks.items()})
    from karikomi.removal.units import remove_units  # here, so that a schedule can be drawn without loading torch

    return remove_units(subnetwork, dead)


def surviving_state(state: OptimizerState, subnetwork: Subnetwork, dead: Deaths) -> OptimizerState:
    """The optimizer's state of ``subnetwork``, but 0 for what dies: not even a dead unit's bias moves on."""

    def survivors(moments: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return die(replace(subnetwork, weights=moments), dead).weights

    return replace(state, first=survivors(state.first), second=survivors(state.second))


def death_counts(units: int, deaths: float, cycles: int) -> np.ndarray:
    """How many of ``units`` die in each cycle, int64 ``[cycles]``.

    Args:
        units: those at the start.
        deaths: a whole number from 1: in every cycle as many; or a share below 1 of the units that are left. Whole
            units are rounded once, in what is left, so the shares never drift.
        cycles: how many.

    >>> death_counts(100, 0.2, 3)
    array([20, 16, 13])

    Raises:
        InputError: if ``deaths`` is neither.
    """
    if 0 < deaths < 1:
        return -np.diff([links_left(units, deaths, cycle) for cycle in range(cycles + 1)])
    if not (deaths >= 1 and float(deaths).is_integer()):
        raise InputError(f"deaths is a whole number of units from 1, or a share between 0 and 1; it is {deaths}")
    return np.full(cycles, int(deaths))


def in_cycles(order: np.ndarray, counts: Sequence[int] | np.ndarray, layers: Mapping[str, int]) -> list[np.ndarray]:
    """Cut an order into cycles: the units that die in each.

    Args:
        order: distinct units, ``[steps]``; not all of them need die.
        counts: how many die in each cycle, see :func:`death_counts`.
        layers: the hidden layers with their units, :attr:`~karikomi.networks.architecture.Architecture.hidden_units`.

    >>> in_cycles(np.array([4, 0, 2, 1, 3]), [2, 1], {"fc1": 3, "fc2": 2})
    [array([4, 0]), array([2])]

    Raises:
        InputError: if more units are to die than there are, or a layer would lose all of its own.
    """
    ends = np.cumsum(counts)
    if ends[-1] > len(order):
        raise InputError(f"{ends[-1]} units cannot die in {len(counts)} cycles: there are {len(order)} to choose from")
    layer_of = np.repeat(np.arange(len(layers)), list(layers.values()))[order[: ends[-1]]]
    for number, (name, units) in enumerate(layers.items()):
        steps = np.flatnonzero(layer_of == number)
        if len(steps) == units:
            cycle = 1 + int(np.searchsorted(ends, steps[-1], side="right"))
            raise InputError(
                f"the last unit of {name} would die in cycle {cycle} of {len(counts)}, and no signal passes an empty"
                " layer; take fewer cycles, fewer deaths in each, or a pattern that spares that layer"
            )
    return np.split(order[: ends[-1]], ends[:-1])


def regional_order(groups: np.ndarray, rng: np.random.Generator, dying: Sequence[int] | None = None) -> np.ndarray:
    """One group after the other, the units of a group at random: int64, the units of the groups that die.

    Args:
        groups: the group of every unit, ``[units]``, see :attr:`karikomi.networks.modular.Layout.unit_groups`.
        rng: draws the order of the groups, unless they are named, and that within each.
        dying: the groups that die, in this order; all if not given.

    >>> regional_order(np.array([0, 0, 1, 2]), np.random.default_rng(0), dying=[2, 1])
    array([3, 2])

    Raises:
        InputError: for a group that does not exist, or one named twice.
    """
    known = np.unique(groups)
    chosen = rng.permutation(known) if dying is None else np.asarray(dying, np.int64)
    if strangers := set(chosen.tolist()) - set(known.tolist()):
        raise InputError(f"there is no group {min(strangers)}; there are {', '.join(map(str, known.tolist()))}")
    if len(set(chosen.tolist())) < len(chosen):
        raise InputError(f"every group dies once; those named are {', '.join(map(str, chosen.tolist()))}")
    return np.concatenate([np.empty(0, np.int64), *(rng.permutation(np.flatnonzero(groups == one)) for one in chosen)])


def cluster_in_space(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A unit, drawn, and all others by their distance from it: a growing disk. int64 ``[units]``.

    Args:
        positions: the place of every unit, ``[units, dimensions]``, see
            :attr:`karikomi.networks.modular.Layout.unit_positions`.
        rng: draws the first unit, and between units of equal distance.
    """
    seed = positions[rng.integers(len(positions))]
    return order(np.linalg.norm(positions - seed, axis=1), "low", rng)


def cluster_by_links(subnetwork: Subnetwork, rng: np.random.Generator) -> np.ndarray:
    """A unit, drawn, and all others by their distance from it along links that are 1 / \\|w\\| long. int64 ``[units]``.

    Directions do not count, and a way leads over hidden units alone. So the most strongly linked unit is the next,
    every further one is linked to one before it: the dead region grows at its edge. Where no way leads on, another
    unit is drawn. Of a convolution the weight between two channels is the L1 norm of the kernel.

    Args:
        subnetwork: a chain of linear and convolutional layers.
        rng: draws the first unit and, where no way leads on, others; and between units of equal distance.

    Raises:
        InputError: if no two hidden units are linked, or the network is no such chain.
    """
    from scipy.sparse.csgraph import dijkstra  # here, so that a schedule can be drawn without loading scipy

    subnetwork.architecture.require_chain()
    ways = _ways(LayeredGraph.from_subnetwork(subnetwork))
    if ways.nnz == 0:
        raise InputError("a cluster by links grows along links between hidden units, and this network has none")
    left, gone = rng.permutation(ways.shape[0]), np.empty(0, np.int64)
    while len(left):
        distance = dijkstra(ways, directed=False, indices=left[0])[left]
        nearest_first = left[np.argsort(distance, kind="stable")]
        gone = np.concatenate([gone, nearest_first[: np.isfinite(distance).sum()]])
        left = left[np.isinf(distance)]
    return gone


def _ways(graph: LayeredGraph) -> csr_array:
    """How long the links between hidden units are, ``[units, units]``."""
    from scipy.sparse import block_array, coo_array

    sizes = graph.sizes[1:-1]
    blocks: list[list[coo_array | None]] = [[None] * len(sizes) for _ in sizes]
    for gap, length in enumerate(graph.lengths("inverse")[1:-1]):
        blocks[gap + 1][gap] = coo_array(np.where(np.isfinite(length), length, 0))
    # Without them the first row and the last column would have no block, and so no size.
    blocks[0][0], blocks[-1][-1] = (coo_array((units, units)) for units in (sizes[0], sizes[-1]))
    return block_array(blocks, format="csr")
