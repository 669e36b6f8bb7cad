"""Packs of examples under many lesions: the entry points from Python."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.kernels.fused import any_bit
from karikomi.engines.kernels.gather import Source, find_present, gather
from karikomi.engines.kernels.layout import Network
from karikomi.engines.kernels.loss import activate
from karikomi.engines.kernels.packs import LOWEST, Circuit, Signals, State, activated, pass_on, send, shift
from karikomi.engines.kernels.products import linear
from karikomi.engines.kernels.rows import PACK, inlined
from karikomi.engines.kernels.vector import LANES, add, at, kernel, load16, splat16, store, subtract
from karikomi.engines.kernels.verdicts import Tally, count, judge, set_margin

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
    """``before`` and ``after`` of ``signals`` for the packs that ``examples`` make up."""
    # A literal 0 would be compiled as a type of its own.
    block = np.intp(0)
    for first in range(0, examples.size, LANES):
        some = examples[first : first + LANES]
        gather(source, some, network, block)
        find_present(network, some.size)
        for number in range(network.layers.size):
            linear(network, number, block)
            copy(network, circuit, number, signals.before, first, some.size)
            activate(network, number, block)
            copy(network, circuit, number, signals.after, first, some.size)


@kernel
def copy(network: Network, circuit: Circuit, number: int, packs: np.ndarray, first: int, size: int) -> None:
    rows, level, source = circuit.level_of.size, circuit.levels[number], network.layers[number].y
    for unit in range(level.units):
        for lane in range(0, size, PACK):
            target = (first + lane) * rows + (level.row + unit) * PACK
            # Plus 0, which turns -0 into the 0 that has no bits.
            store(packs, target, add(load16(network.units, source + unit * LANES + lane), splat16(_ZERO)))


@kernel
def knock_out_each(
    circuit: Circuit, state: State, signals: Signals, pack: int, rows: np.ndarray, sequence: np.ndarray, tally: Tally
) -> None:
    """Lesion 0 is the whole network, lesion 1 + k the one without ``rows[k]``."""
    last, nothing = circuit.levels.size - 1, splat16(_ZERO)
    start, label = pack * circuit.level_of.size * PACK, at(signals.labels, pack)
    valid = load16(_VALID, PACK - at(signals.sizes, pack))
    set_margin(circuit, state, signals, start)
    for lesion in range(rows.size + 1):
        row = at(rows, lesion - 1) if lesion else np.intp(0)
        number: int = at(circuit.level_of, row)
        level = circuit.levels[number]
        links = level.links + (row - level.row) * level.stride
        place = start + row * PACK
        change = subtract(load16(signals.removed, place), load16(signals.after, place)) if lesion else nothing
        behind = number + 1 if any_bit(change) else last
        pass_on(circuit, state, behind, sequence, links, change, signals.before, start)
        judge(circuit, state, label, valid)
        count(state, tally, lesion, label)


@kernel
def remove_in_orders(circuit: Circuit, state: State, signals: Signals, pack: int, orders: Orders, tally: Tally) -> None:
    """Lesion r (steps + 1) + s is the network without the first s units of order r.

    Units are given back, the last one first: sums are then rounded like sums over what is left.
    """
    many, steps = orders.rows.shape
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
            count(state, tally, number * (steps + 1) + step, label)


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
                value = load16(signals.after, start + place)
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
    level, behind = circuit.levels[number], circuit.levels[number + 1]
    links, place = level.links + (row - level.row) * level.stride, row * PACK
    removed, value = load16(signals.removed, start + place), load16(signals.after, start + place)
    if number:
        value = activated(level.activation, load16(state.sums, place))
        if any_bit(removed):
            units = sequence[behind.row : behind.row + behind.units]
            shift(circuit, number + 1, links, subtract(splat16(_ZERO), removed), state.fixed, 0, state.fixed, units)
    state.kept[number] += 1
    return number + 1, links, subtract(value, removed)
