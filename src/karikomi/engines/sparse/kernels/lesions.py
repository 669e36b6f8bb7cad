"""Packs of examples under many lesions: the entry points from Python."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU
from karikomi.engines.sparse.kernels.fused import any_bit
from karikomi.engines.sparse.kernels.gather import Source, gather
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.listed import multiply_listed
from karikomi.engines.sparse.kernels.loss import activate
from karikomi.engines.sparse.kernels.packs import (
    GROUPS,
    LOWEST,
    Circuit,
    Signals,
    State,
    activated,
    pass_on,
    send,
    shift,
)
from karikomi.engines.sparse.kernels.products import linear
from karikomi.engines.sparse.kernels.rows import PACK, inlined
from karikomi.engines.sparse.kernels.vector import (
    LANES,
    absolute,
    at,
    kernel,
    larger,
    load16,
    multiply_add,
    splat16,
    store,
)
from karikomi.engines.sparse.kernels.verdicts import Tally, count, judge, set_margin

_ZERO = np.float32(0)
# A pack's lanes beyond its examples do not count.
_VALID = np.repeat(np.array([1, 0], np.float32), PACK)


class Orders(NamedTuple):
    """In which orders units go: ``rows`` ``[orders, steps]``.

    ``sequences`` ``[orders, rows]`` lists the units of every level, those that go first last; ``lasting`` ``[orders,
    levels]`` says how many of them never go.
    """

    rows: np.ndarray
    sequences: np.ndarray
    lasting: np.ndarray


@kernel
def pass_whole(source: Source, examples: np.ndarray, network: Network, circuit: Circuit, signals: Signals) -> None:
    """``before`` of ``signals`` for the packs that ``examples`` make up."""
    # A literal 0 would be compiled as a type of its own.
    block = np.intp(0)
    for first in range(0, examples.size, LANES):
        some = examples[first : first + LANES]
        gather(source, some, network, block, examples[first + LANES : first + 2 * LANES])
        if network.listed.inputs:
            multiply_listed(network, block, some.size)
        for number in range(network.layers.size):
            linear(network, number, block, False)
            copy(network, circuit, number, signals.before, first, some.size)
            activate(network, number, block)


@kernel
def activate_packs(circuit: Circuit, values: np.ndarray) -> None:
    """All units' ``values`` ``[packs, rows, 16]``, flat, from before their activation to after it."""
    rows = circuit.level_of.size
    for place in range(0, values.size, PACK):
        number: int = at(circuit.level_of, place // PACK % rows)
        store(values, place, activated(circuit.levels[number].activation, load16(values, place)))


@kernel
def copy(network: Network, circuit: Circuit, number: int, packs: np.ndarray, first: int, size: int) -> None:
    rows, level, source = circuit.level_of.size, circuit.levels[number], network.layers[number].y
    for unit in range(level.units):
        for lane in range(0, size, PACK):
            target = (first + lane) * rows + (level.row + unit) * PACK
            store(packs, target, load16(network.units, source + unit * LANES + lane))


@kernel
def knock_out_each(
    circuit: Circuit, state: State, signals: Signals, packs: tuple[int, int], rows: np.ndarray, tally: Tally
) -> None:
    """Lesion 0 is the whole network, lesion 1 + k the one without ``rows[k]``; of ``packs`` from one to before another.

    Many a unit is silent in all of a pack, whose verdict then is that on the whole network.
    """
    last, nothing = circuit.levels.size - 1, splat16(_ZERO)
    for pack in range(*packs):
        start, label = pack * circuit.level_of.size * PACK, at(signals.labels, pack)
        valid = load16(_VALID, PACK - at(signals.sizes, pack))
        set_margin(circuit, state, signals, start)
        pass_on(circuit, state, last, state.sequence, np.intp(0), nothing, signals.before, start)
        judge(circuit, state, label, valid)
        count(state, signals, pack, tally, 0)
        for number in range(rows.size):
            if not any_bit(change_by(circuit, signals, start, at(rows, number))):
                count(state, signals, pack, tally, 1 + number)
        sorted_out = 0
        for number in range(rows.size):
            row = at(rows, number)
            change = change_by(circuit, signals, start, row)
            if any_bit(change):
                behind, links = links_behind(circuit, row)
                if behind != sorted_out:
                    state.kept[sorted_out] = circuit.levels[sorted_out].units
                    sort_out(circuit, state, signals, start, behind)
                    sorted_out = behind
                pass_on(circuit, state, behind, state.sequence, links, change, signals.before, start)
                judge(circuit, state, label, valid)
                count(state, signals, pack, tally, 1 + number)
        state.kept[sorted_out] = circuit.levels[sorted_out].units


@kernel
def sort_out(circuit: Circuit, state: State, signals: Signals, start: int, number: int) -> None:
    """Keep only units of the level that some lesion of a unit before it can leave above 0.

    That moves a sum by a weight times what the unit shows less, at most by the largest of both in its group; rounding
    does not reorder. What is not kept, a rectifier leaves silent.
    """
    level, before = circuit.levels[number], circuit.levels[number - 1]
    if level.activation != RELU:
        return
    width, kept, dropped = (before.units + GROUPS - 1) // GROUPS, 0, level.row + level.units
    for group in range(GROUPS):
        largest = splat16(_ZERO)
        for unit in range(group * width, min((group + 1) * width, before.units)):
            largest = larger(absolute(change_by(circuit, signals, start, before.row + unit)), largest)
        store(state.outputs, group * PACK, largest)
    for unit in range(level.units):
        row = level.row + unit
        value, highest = load16(signals.before, start + row * PACK), splat16(_ZERO)
        for group in range(GROUPS):
            peak = splat16(at(circuit.peaks, row * GROUPS + group))
            highest = larger(multiply_add(peak, load16(state.outputs, group * PACK), value), highest)
        if any_bit(highest):
            state.sequence[level.row + kept] = unit
            kept += 1
        else:
            dropped -= 1
            state.sequence[dropped] = unit
    state.kept[number] = kept


@kernel
def remove_in_orders(
    circuit: Circuit, state: State, signals: Signals, packs: tuple[int, int], orders: Orders, tally: Tally
) -> None:
    """Lesion r (steps + 1) + s is the network without the first s units of order r; ``packs`` as above.

    Units are given back, the last one first: sums are then rounded like sums over what is left.
    """
    many, steps = orders.rows.shape
    for pack in range(*packs):
        start, label = pack * circuit.level_of.size * PACK, at(signals.labels, pack)
        valid = load16(_VALID, PACK - at(signals.sizes, pack))
        set_margin(circuit, state, signals, start)
        for number in range(many):
            order, sequence = orders.rows[number], orders.sequences[number]
            remove_all(circuit, state, signals, start, sequence, orders.lasting[number])
            behind, links, change = 1, np.intp(0), splat16(_ZERO)
            for step in range(steps, -1, -1):
                if step < steps:
                    behind, links, change = give_back(circuit, state, signals, start, sequence, at(order, step))
                if step == steps or any_bit(change):
                    pass_on(circuit, state, behind, sequence, links, change, state.sums, 0)
                    judge(circuit, state, label, valid)
                count(state, signals, pack, tally, number * (steps + 1) + step)


@inlined
def shown(circuit: Circuit, signals: Signals, start: int, row: int):
    """What a unit of the whole network does, after its activation."""
    number: int = at(circuit.level_of, row)
    return activated(circuit.levels[number].activation, load16(signals.before, start + row * PACK))


@inlined
def change_by(circuit: Circuit, signals: Signals, start: int, row: int):
    """By how much more a unit shows once it is removed."""
    return load16(signals.removed, start + row * PACK) - shown(circuit, signals, start, row)


@inlined
def links_behind(circuit: Circuit, row: int) -> tuple[int, int]:
    """The number of the level behind a unit, and where the unit's links to there start."""
    number: int = at(circuit.level_of, row)
    level = circuit.levels[number]
    return number + 1, level.links + (row - level.row) * level.stride


@kernel
def remove_all(
    circuit: Circuit, state: State, signals: Signals, start: int, sequence: np.ndarray, lasting: np.ndarray
) -> None:
    """The sums behind the first hidden layer at the end of an order, and what is fixed of all others."""
    for number in range(circuit.levels.size - 1):
        level, many = circuit.levels[number], 0
        state.kept[number] = at(lasting, number)
        for entry in range(level.units):
            unit = at(sequence, level.row + entry)
            place, value = (level.row + unit) * PACK, splat16(_ZERO)
            if entry >= at(lasting, number):
                value = load16(signals.removed, start + place)
            elif number == 0:
                value = shown(circuit, signals, start, level.row + unit)
            store(state.outputs, place, value)
            if any_bit(value):
                state.some[many] = unit
                many += 1
        target = state.fixed if number else state.sums
        send(circuit, number, state.some[:many], state.outputs, LOWEST, circuit.biases, target, 0)


@inlined
def give_back(circuit: Circuit, state: State, signals: Signals, start: int, sequence: np.ndarray, row: int):
    """One more unit: the number of the level behind it, where the links to there start, and the change they pass on."""
    number: int = at(circuit.level_of, row)
    level, following = circuit.levels[number], circuit.levels[number + 1]
    behind, links = links_behind(circuit, row)
    place = row * PACK
    removed = load16(signals.removed, start + place)
    if number == 0:
        value = shown(circuit, signals, start, row)
    else:
        value = activated(level.activation, load16(state.sums, place))
        if any_bit(removed):
            units = sequence[following.row : following.row + following.units]
            shift(circuit, behind, links, splat16(_ZERO) - removed, state.fixed, 0, state.fixed, units)
    state.kept[number] += 1
    return behind, links, value - removed
