"""The greatest gradients among all links of a layer, also those that are not there, of the step that was taken last."""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.fused import lanes_at_least, lanes_not_zero, lowest_bit
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.listed import turn_deltas
from karikomi.engines.sparse.kernels.multiples import add_multiples
from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import LANES, absolute, at, kernel, load64, put, splat64, store

_ALL_BITS = np.uint64(2**64 - 1)
# How great the greatest gradients are is judged by a sample: of so many places those in one lane of four, of which so
# many at least are as great. Its inputs are a golden section of all apart: no regular grid, as borders of images are.
_SAMPLED, _ONE_OF_FOUR, _HITS, _GOLDEN = 8192, np.uint64(0x1111111111111111), 16, 0.6180339887
# Of a float32 the sign, the exponent, and three bits more.
_LEADING_BITS = 12


class Everywhere(NamedTuple):
    """What a step left of a layer, and room to look for the greatest gradients.

    ``turned`` holds the loss's derivatives by its outputs, with units, of which there is room for ``rows``, as lanes.
    In block b of the examples input i is not 0 in the ``lanes`` from ``starts[b * inputs + i]`` to before
    ``starts[b * inputs + i + 1]``, where it has ``values``. ``sizes`` are those of the gradients that were found, at
    ``places``; ``bits`` are the same as whole numbers, ``counts`` how many begin alike.
    """

    outputs: int
    inputs: int
    rows: int
    turned: np.ndarray
    lanes: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    sums: np.ndarray
    places: np.ndarray
    sizes: np.ndarray
    bits: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, outputs: int, inputs: int, batch: int) -> Self:
        rows, blocks = padded(outputs, LANES), -(-batch // LANES)
        values, sizes = blocks * inputs * LANES, aligned(outputs * inputs)
        return cls(
            *(outputs, inputs, rows),
            *(aligned(blocks * LANES * rows), np.zeros(values, np.uint8), aligned(values)),
            *(np.zeros(blocks * inputs + 1, np.int64), aligned(LANES), np.empty(sizes.size, np.int64), sizes),
            *(sizes.view(np.int32), np.empty(1 << _LEADING_BITS, np.int64)),
        )

    def greatest(self, many: int) -> tuple[np.ndarray, np.ndarray]:
        """Places and sizes of about the ``many`` greatest gradients, and of all as great as the least of them."""
        found = find_greatest(self, many)
        return self.places[:found], self.sizes[:found]


@kernel
def keep_step(network: Network, number: int, batch: int, room: Everywhere) -> None:
    """What the gradient of a layer's links needs of the minibatch that was trained on last."""
    turn_deltas(network, number, room.rows, room.turned, batch)
    entry, place = np.intp(0), np.intp(0)
    for first in range(0, batch, LANES):
        in_use = _ALL_BITS >> np.uint64(LANES - min(batch - first, LANES))
        x = first // LANES * network.block + network.layers[number].x
        for unit in range(room.inputs):
            bits = lanes_not_zero(load64(network.units, x + unit * LANES)) & in_use
            while bits:
                lane = lowest_bit(bits)
                bits &= bits - np.uint64(1)
                put(room.lanes, entry, lane)
                put(room.values, entry, at(network.units, x + unit * LANES + lane))
                entry += 1
            place += 1
            put(room.starts, place, entry)


@kernel
def find_greatest(room: Everywhere, many: int) -> np.intp:
    """Lists about the ``many`` greatest gradients; returns how many they are."""
    size, bound = room.outputs * room.inputs, np.float32(0)
    if many < size:
        some, step = min(room.inputs, -(-_SAMPLED // room.outputs)), np.intp(_GOLDEN * room.inputs)
        sampled = list_above(room, bound, some, step, _ONE_OF_FOUR)
        bound = _exceeded_by(room, sampled, max(_HITS, many * sampled // size))
    return list_above(room, bound, room.inputs, np.intp(1), _ALL_BITS)


@kernel
def list_above(room: Everywhere, bound: np.float32, some: int, step: int, lanes: int) -> np.intp:
    """Lists the gradients that are not below ``bound``; returns how many.

    Of all in ``lanes``, with ``some`` inputs, each so many ``step``s behind the one before.
    """
    found, unit = np.intp(0), np.intp(0)
    for row in range(0, room.outputs, LANES):
        in_use = lanes & _ALL_BITS >> np.uint64(LANES - min(room.outputs - row, LANES))
        for _ in range(some):
            unit += step
            unit -= room.inputs if unit >= room.inputs else 0
            sums = absolute(_gradient(room, row, unit))
            bits = lanes_at_least(sums, bound) & in_use
            if bits:
                store(room.sums, 0, sums)
            while bits:
                lane = lowest_bit(bits)
                bits &= bits - np.uint64(1)
                put(room.places, found, (row + lane) * room.inputs + unit)
                put(room.sizes, found, at(room.sums, lane))
                found += 1
    return found


@inlined
def _exceeded_by(room, sampled, many):
    """A number that at least ``many`` of the sample reach, and few more."""
    for digit in range(room.counts.size):
        put(room.counts, digit, 0)
    for number in range(sampled):
        digit = at(room.bits, number) >> (32 - _LEADING_BITS)
        put(room.counts, digit, at(room.counts, digit) + 1)
    digit, above = np.intp(room.counts.size), np.intp(0)
    while digit > 0 and above < many:
        digit -= 1
        above += at(room.counts, digit)
    put(room.bits, 0, digit << (32 - _LEADING_BITS))
    return at(room.sizes, 0)


@inlined
def _gradient(room: Everywhere, row: int, unit: int):
    """Of the links of LANES units, from ``row`` on, with an input."""
    sums = splat64(np.float32(0))
    for block in range(room.starts.size // room.inputs):
        place = block * room.inputs + unit
        span = at(room.starts, place), at(room.starts, place + 1)
        sums = add_multiples(sums, room.values, room.turned, (block * room.rows + row) * LANES, room.lanes, span)
    return sums
