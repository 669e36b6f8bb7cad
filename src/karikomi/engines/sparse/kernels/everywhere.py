"""The greatest gradients among all places of a layer without a link, in the step that was taken last.

A gradient is the product of a row of derivatives and a row of values, so no greater than the product of their norms:
rows are sorted by theirs, and most of the work is not done.
"""

from typing import Any, NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.bits import put_some
from karikomi.engines.sparse.kernels.choosing import Room, nth
from karikomi.engines.sparse.kernels.draws import has_bit
from karikomi.engines.sparse.kernels.fused import lanes_at_least, lanes_not_zero, lowest_bit, total
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.listed import turn_deltas
from karikomi.engines.sparse.kernels.memory import Floats, Ints, Longs, taker
from karikomi.engines.sparse.kernels.multiples import add_multiples
from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import LANES, absolute, at, kernel, load64, put, splat64, store

_ALL_BITS, _LOWEST_BIT = np.uint64(2**64 - 1), np.uint64(1)
# How great the greatest gradients are is judged by those of so many inputs, in one lane of four. They are a golden
# section of all apart: no regular grid, as borders of images are.
_SAMPLED, _ONE_OF_FOUR, _GOLDEN = 32, np.uint64(0x1111111111111111), 0.6180339887
# Norms are rounded.
_MARGIN = np.float32(1.001)
_TINY, _INFINITE = np.float32(1e-30), np.float32(np.inf)


class Everywhere(NamedTuple):
    """The last step, and room to look for the greatest gradients of a layer.

    Outputs are sorted by the norm of the loss's derivatives, but for those within a half of each other; ``starts`` says
    where in ``deltas`` each one is, ``origins`` where its links begin. ``turned`` holds the derivatives with outputs as
    lanes; the greatest norm from each LANES of them on is in ``reach``. ``norms`` are those of the inputs. One of them
    is not 0 in the ``lanes`` from ``spans[b]`` to before ``spans[b + 1]`` in block b of the examples, where it has
    ``values``; ``numbers`` are those of all lanes. ``sizes`` are those of the gradients that were found, at ``places``;
    ``bits`` are the same as whole numbers.
    """

    batch: int
    block: int
    units: Floats
    deltas: Floats
    unit_starts: Ints
    starts: Ints
    origins: Ints
    turned: Floats
    reach: Floats
    norms: Floats
    norm_bits: Ints
    numbers: Ints
    lanes: Ints
    values: Floats
    spans: Longs
    sums: Floats
    places: Ints
    sizes: Floats
    bits: Ints

    @classmethod
    def of(cls, network: Network, batch: int) -> Self:
        """For minibatches of so many examples; 0: no room."""
        widest = int(max(network.layers["inputs"].max(), network.layers["outputs"].max()))
        size = int((network.layers["inputs"] * network.layers["outputs"]).max()) if batch else 0
        blocks, rows = -(-batch // LANES), padded(widest, LANES)
        sizes, norms, (starts, origins) = aligned(size + 16), aligned(rows), np.zeros((2, rows), np.int32)
        values, lanes = aligned(blocks * LANES + 16), np.empty(blocks * LANES + 16, np.int32)
        return cls(
            *(batch, network.block, network.units, network.deltas, network.unit_starts),
            *(starts, origins, aligned(blocks * rows * LANES), aligned(rows // LANES), norms, norms.view(np.int32)),
            *(np.arange(LANES, dtype=np.int32), lanes, values, np.zeros(blocks + 1, np.int64)),
            *(aligned(LANES), np.empty(size + 16, np.int32), sizes, sizes.view(np.int32)),
        )


take_everywhere = taker(Everywhere)


@kernel
def list_greatest(room: Everywhere, part: Any, free: np.ndarray, many: int, count: int, choice: Room) -> int:
    """Lists the gradients at the ``count`` places, of the ``many`` free ones, where they are greatest, and at others.

    Returns how many they are.
    """
    _sort_rows(room, part, choice.counts)
    turn_deltas(room.deltas, room.block, part.y, part.outputs, room.starts, room.unit_starts, room.turned, room.batch)
    for unit in range(part.inputs):
        put(room.norms, unit, _norm(room, room.units, part.x + unit * LANES))
    bound = _bound(room, part, free, many, count, choice) if part.inputs > 4 * _SAMPLED else np.float32(0)
    found = _list_all(room, part, free, bound)
    if found < count:
        found = _list_all(room, part, free, bound / np.float32(4))
    return found if found >= count else _list_all(room, part, free, np.float32(0))


@inlined
def _bound(room, part, free, many, count, choice):
    """What hardly less than ``count`` gradients exceed, judged by a sample."""
    sampled, unit, step, none = np.intp(0), np.intp(0), np.intp(_GOLDEN * part.inputs), np.float32(0)
    for _ in range(_SAMPLED):
        unit += step
        unit -= part.inputs if unit >= part.inputs else 0
        sampled = _list_unit(room, part, unit, none, none, _ONE_OF_FOUR, sampled)
    sampled = _free_ones(room, free, sampled)
    expected = count * sampled / many
    wanted = np.intp(1.25 * expected + 4 * np.sqrt(expected) + 4)
    if wanted >= sampled:
        return none
    put(room.bits, 0, nth(room.bits, sampled, sampled - wanted, choice.others, choice.counts))
    return at(room.sizes, 0)


@inlined
def _list_all(room, part, free, bound):
    """Lists the gradients that are not below ``bound``."""
    found, least = np.intp(0), bound / (at(room.reach, 0) * _MARGIN)
    for first in range(0, part.inputs, LANES):
        in_use = _ALL_BITS >> np.uint64(LANES - min(part.inputs - first, LANES))
        units = lanes_at_least(load64(room.norms, first), least) & in_use
        while units:
            unit = first + lowest_bit(units)
            units &= units - _LOWEST_BIT
            found = _list_unit(room, part, unit, bound, bound, _ALL_BITS, found)
    return _free_ones(room, free, found)


@inlined
def _list_unit(room, part, unit, bound, least, lanes, found):
    """The same of an input and outputs that may reach ``least``."""
    _list_values(room, part, unit)
    norm, blocks = at(room.norms, unit) * _MARGIN, (room.batch + LANES - 1) // LANES
    for row in range(0, part.outputs, LANES):
        if norm * at(room.reach, row // LANES) < least:
            break
        sums = splat64(np.float32(0))
        for block in range(blocks):
            span = at(room.spans, block), at(room.spans, block + 1)
            origin = (block * ((part.outputs + LANES - 1) // LANES * LANES) + row) * LANES
            sums = add_multiples(sums, room.values, room.turned, origin, room.lanes, span)
        sums = absolute(sums)
        bits = lanes_at_least(sums, bound) & lanes & _ALL_BITS >> np.uint64(LANES - min(part.outputs - row, LANES))
        if bits:
            store(room.sums, 0, sums)
            put_some(room.places, found, room.origins, row, bits, unit)
            found = put_some(room.sizes, found, room.sums, 0, bits, 0)
    return found


@inlined
def _free_ones(room, free, found):
    """Only those at free places stay listed; returns how many they are."""
    left = np.intp(0)
    for entry in range(found):
        place = at(room.places, entry)
        put(room.places, left, place)
        put(room.bits, left, at(room.bits, entry))
        left += has_bit(free, place)
    return left


@inlined
def _list_values(room, part, unit):
    """Where an input is not 0, and what it is there."""
    entry = np.intp(0)
    for first in range(0, room.batch, LANES):
        start = first // LANES * room.block + part.x + unit * LANES
        bits = lanes_not_zero(load64(room.units, start)) & _ALL_BITS >> np.uint64(
            LANES - min(room.batch - first, LANES)
        )
        put_some(room.lanes, entry, room.numbers, 0, bits, 0)
        entry = put_some(room.values, entry, room.units, start, bits, 0)
        put(room.spans, first // LANES + 1, entry)


@inlined
def _norm(room, values, place):
    """Of a row of values: no smaller than it is, but for rounding."""
    squares, sizes = splat64(np.float32(0)), splat64(np.float32(0))
    for first in range(0, room.batch, LANES):
        some = load64(values, first // LANES * room.block + place)
        squares = squares + some * some
        sizes = sizes + absolute(some)
    square = total(squares)
    # Squares of very small numbers are 0.
    norm = np.sqrt(square) if square > _TINY else total(sizes)
    return norm if norm == norm else _INFINITE


@inlined
def _sort_rows(room, part, counts):
    """By falling norm of the derivatives, but for those within a half of each other."""
    for row in range(part.outputs):
        put(room.norms, row, _norm(room, room.deltas, part.y + row * LANES))
    for digit in range(512):
        put(counts, digit, 0)
    for row in range(part.outputs):
        digit = 511 - (at(room.norm_bits, row) >> 22)
        put(counts, digit, at(counts, digit) + 1)
    before = np.intp(0)
    for digit in range(512):
        here = at(counts, digit)
        put(counts, digit, before)
        before += here
    for first in range(0, part.outputs, LANES):
        put(room.reach, first // LANES, np.float32(0))
    for row in range(part.outputs):
        norm, digit = at(room.norms, row), 511 - (at(room.norm_bits, row) >> 22)
        place = at(counts, digit)
        put(counts, digit, place + 1)
        put(room.starts, place, row * LANES)
        put(room.origins, place, row * part.inputs)
        put(room.reach, place // LANES, max(at(room.reach, place // LANES), norm))
    for block in range((part.outputs - 1) // LANES - 1, -1, -1):
        put(room.reach, block, max(at(room.reach, block), at(room.reach, block + 1)))
    for place in range(part.outputs, (part.outputs + 15) // 16 * 16):
        put(room.starts, place, 0)
