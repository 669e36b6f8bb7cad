"""One pack of examples on its way through a network that lost units.

The values of a unit in a pack are one vector of 16 lanes. Units have *rows*: those of the first hidden layer come
first, those of the output layer last; the values of row k start at 16 k. After a lesion only what lies behind it is
computed anew: the next layer's sums change by one weight times one value each, and only what follows is a product.
"""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU, TANH
from karikomi.engines.sparse.kernels.loss import hyperbolic_tangent
from karikomi.engines.sparse.kernels.rows import PACK, ROWS, add_multiples, inlined, load_rows, store_rows
from karikomi.engines.sparse.kernels.vector import at, kernel, larger, load16, multiply_add, splat16, store

LEVEL = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("units", "row", "activation"),
            # Where in ``weights`` the links to the next level start, a row for each unit of this one, and how long.
            *("links", "stride"),
        )
    ],
    align=True,
)

# Groups of neighbouring units: bounds by group are nearly as tight as bounds by unit.
GROUPS = 8
_ZERO, LOWEST = np.float32(0), np.float32(-np.inf)


class Circuit(NamedTuple):
    """What no lesion changes: the levels (hidden layers, then the output layer) and the links between them."""

    levels: np.ndarray
    level_of: np.ndarray
    weights: np.ndarray
    # A vector of equal values for each row.
    biases: np.ndarray
    # The same regardless of sign.
    weight_sizes: np.ndarray
    bias_sizes: np.ndarray
    # Of each row the largest weight from each of GROUPS groups of the units of the level before.
    peaks: np.ndarray


class Signals(NamedTuple):
    """Some packs in the whole network: ``[packs, rows, 16]``, flat.

    ``before`` are every unit's values before its activation, ``removed`` those that it shows once it is removed. Pack k
    holds ``examples[k]``, of which the first ``sizes[k]`` count, all of the class ``labels[k]``.
    """

    before: np.ndarray
    removed: np.ndarray
    examples: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray


class State(NamedTuple):
    """A pack in a network that lost units.

    ``sums`` is what enters each unit's activation, ``fixed`` the part of it that comes from the bias and from removed
    units. ``outputs`` is what leaves the activation, where a product cannot apply it on the way. Of every level the
    first ``kept`` units of a sequence are left; ``sequence`` is one, and ``some`` room for a list of units. ``verdict``
    and ``close`` are what :func:`~karikomi.engines.sparse.kernels.verdicts.judge` says, with this ``margin``.
    """

    sums: np.ndarray
    fixed: np.ndarray
    outputs: np.ndarray
    kept: np.ndarray
    sequence: np.ndarray
    some: np.ndarray
    verdict: np.ndarray
    close: np.ndarray
    margin: np.ndarray


@kernel
def activated(activation: int, value):
    if activation == RELU:
        value = larger(value, splat16(_ZERO))
    elif activation == TANH:
        value = hyperbolic_tangent(value)
    # Plus 0, which turns -0 into the 0 that has no bits.
    return value + splat16(_ZERO)


@inlined
def pass_on(
    circuit: Circuit,
    state: State,
    number: int,
    sequence: np.ndarray,
    links: int,
    change,
    source: np.ndarray,
    start: int,
) -> None:
    """The level's sums become those of ``source`` plus the weights at ``links`` times ``change``; then all behind it.

    ``sequence`` lists the units of each level, those that are left first.
    """
    last, level = circuit.levels.size - 1, circuit.levels[number]
    middle, end = level.row + at(state.kept, number), level.row + level.units
    if number == last or level.activation == TANH:
        shift(circuit, number, links, change, source, start, state.sums, sequence[level.row : end])
    else:
        # The first rows of the next level on the way, while the sums are in registers.
        shift(circuit, number, links, change, source, start, state.sums, sequence[middle:end])
        left, lowest = sequence[level.row : middle], _lowest(level.activation)
        shift_and_send(circuit, state, number, links, change, source, start, left, lowest)
        send(circuit, number, left, state.sums, lowest, state.fixed, state.sums, ROWS)
        number += 1
    while number < last:
        level = circuit.levels[number]
        left = sequence[level.row : level.row + at(state.kept, number)]
        values = state.sums
        if level.activation == TANH:
            values = state.outputs
            for unit in left:
                place = (level.row + unit) * PACK
                store(values, place, activated(TANH, load16(state.sums, place)))
        send(circuit, number, left, values, _lowest(level.activation), state.fixed, state.sums, 0)
        number += 1


@inlined
def _lowest(activation: int) -> np.float32:
    return _ZERO if activation == RELU else LOWEST


@inlined
def shift(
    circuit: Circuit,
    number: int,
    links: int,
    change,
    source: np.ndarray,
    start: int,
    target: np.ndarray,
    units: np.ndarray,
) -> None:
    """The rows of ``target`` of some units: those of ``source`` plus the weights at ``links`` times ``change``."""
    weights, row = circuit.weights, circuit.levels[number].row
    for entry in range(units.size):
        unit = at(units, entry)
        place = (row + unit) * PACK
        store(target, place, multiply_add(splat16(at(weights, links + unit)), change, load16(source, start + place)))


@inlined
def shift_and_send(
    circuit: Circuit,
    state: State,
    number: int,
    links: int,
    change,
    source: np.ndarray,
    start: int,
    units: np.ndarray,
    lowest: np.float32,
) -> None:
    """``shift`` and, for the first rows of the next level, ``send`` at once."""
    weights, level, behind = circuit.weights, circuit.levels[number], circuit.levels[number + 1].row * PACK
    row, outgoing, stride, floor = level.row, level.links, level.stride, splat16(lowest)
    sums = load_rows(state.fixed, behind)
    for entry in range(units.size):
        unit = at(units, entry)
        place = (row + unit) * PACK
        value = multiply_add(splat16(at(weights, links + unit)), change, load16(source, start + place))
        store(state.sums, place, value)
        sums = add_multiples(weights, outgoing + unit * stride, larger(value, floor), sums)
    store_rows(state.sums, behind, sums)


@inlined
def send(
    circuit: Circuit,
    number: int,
    units: np.ndarray,
    values: np.ndarray,
    lowest: np.float32,
    source: np.ndarray,
    target: np.ndarray,
    first: int,
) -> None:
    """The next level's rows of ``target`` from ``first`` on: those of ``source`` plus what ``units`` send.

    They send their links times their ``values``, or times ``lowest`` where it is larger.
    """
    weights, level, behind = circuit.weights, circuit.levels[number], circuit.levels[number + 1]
    row, links, stride, floor = level.row, level.links, level.stride, splat16(lowest)
    while first < behind.units:
        place = (behind.row + first) * PACK
        sums = load_rows(source, place)
        for entry in range(units.size):
            unit = at(units, entry)
            value = larger(load16(values, (row + unit) * PACK), floor)
            sums = add_multiples(weights, links + unit * stride + first, value, sums)
        store_rows(target, place, sums)
        first += ROWS
