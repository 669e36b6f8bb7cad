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
# Gradients from which the size of the others is judged.
_SAMPLED = 8192


class Everywhere(NamedTuple):
    """What a step left of a layer, and room to look for the greatest gradients.

    ``turned`` holds the loss's derivatives by its outputs, with units, of which there is room for ``rows``, as lanes.
    In block b of the examples input i is not 0 in the ``lanes`` from ``starts[b * inputs + i]`` to before
    ``starts[b * inputs + i + 1]``, where it has ``values``. ``sizes`` are those of the gradients that were found, at
    ``places``; one input of ``every`` is in the sample.
    """

    outputs: int
    inputs: int
    rows: int
    every: int
    turned: np.ndarray
    lanes: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    sums: np.ndarray
    places: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, outputs: int, inputs: int, batch: int) -> Self:
        rows, blocks = padded(outputs, LANES), -(-batch // LANES)
        size, values = outputs * inputs, blocks * inputs * LANES
        return cls(
            *(outputs, inputs, rows, max(1, size // _SAMPLED)),
            *(aligned(blocks * LANES * rows), np.zeros(values, np.uint8), aligned(values)),
            *(np.zeros(blocks * inputs + 1, np.int64), aligned(LANES), np.empty(size, np.int64), aligned(size)),
        )

    def greatest(self, many: int) -> tuple[np.ndarray, np.ndarray]:
        """Places and sizes of about the ``many`` greatest gradients, and of all as great as the least of them."""
        size, bound = self.outputs * self.inputs, np.float32(0)
        if many < size:
            sample = self.sizes[: find_greatest(self, bound, self.every)]
            rank = max(0, len(sample) - 1 - many * len(sample) // size)
            bound = np.partition(sample, rank)[rank]
        found = find_greatest(self, bound, 1)
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
def find_greatest(room: Everywhere, bound: np.float32, every: int) -> int:
    """Lists the gradients that are not below ``bound``, with one input of ``every``; returns how many."""
    found = np.intp(0)
    for row in range(0, room.outputs, LANES):
        in_use = _ALL_BITS >> np.uint64(LANES - min(room.outputs - row, LANES))
        # Other inputs for every LANES rows: neighbours are alike.
        for unit in range(row // LANES % every, room.inputs, every):
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
def _gradient(room: Everywhere, row: int, unit: int):
    """Of the links of LANES units, from ``row`` on, with an input."""
    sums = splat64(np.float32(0))
    for block in range(room.starts.size // room.inputs):
        place = block * room.inputs + unit
        span = at(room.starts, place), at(room.starts, place + 1)
        sums = add_multiples(sums, room.values, room.turned, (block * room.rows + row) * LANES, room.lanes, span)
    return sums
