"""The gradient of all links of a layer, also of those that are not there, from what the last step left behind."""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.fused import lanes_not_zero, lowest_bit, transpose16
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.listed import turn_deltas
from karikomi.engines.sparse.kernels.multiples import add_multiples
from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, load64, put, splat64, store


class Everywhere(NamedTuple):
    """Room for a layer's gradient.

    ``gradient`` is ``[rows, columns]``, of which the first ones are the layer's units and inputs; ``by_input`` the same
    the other way round; ``turned`` the loss's derivatives by the outputs, with units as lanes. ``lanes`` and ``values``
    list an input's values other than 0 in a block of examples. ``numbers`` times the strides are where rows start.
    """

    rows: int
    columns: int
    turned: np.ndarray
    by_input: np.ndarray
    gradient: np.ndarray
    lanes: np.ndarray
    values: np.ndarray
    row_starts: np.ndarray
    column_starts: np.ndarray

    @classmethod
    def of(cls, outputs: int, inputs: int, batch: int) -> Self:
        rows, columns = padded(outputs, LANES), padded(inputs, 16)
        return cls(
            *(rows, columns, aligned(padded(batch, LANES) * rows), aligned(columns * rows), aligned(rows * columns)),
            *(np.zeros(LANES, np.uint8), aligned(LANES), np.arange(rows) * columns, np.arange(columns) * rows),
        )

    def flat(self, outputs: int, inputs: int) -> np.ndarray:
        """The gradient without what fills it up."""
        return self.gradient.reshape(self.rows, self.columns)[:outputs, :inputs].ravel()


@kernel
def gradient_everywhere(network: Network, number: int, batch: int, room: Everywhere) -> None:
    """∂L/∂w of all places of a layer for the minibatch that was trained on last: only values other than 0 count."""
    layer = network.layers[number]
    turn_deltas(network, number, room.rows, room.turned, batch)
    for first in range(0, batch, LANES):
        in_use = np.uint64(2**64 - 1) >> np.uint64(LANES - min(batch - first, LANES))
        for unit in range(layer.inputs):
            bits = lanes_not_zero(load64(network.units, first // LANES * network.block + layer.x + unit * LANES))
            bits &= in_use
            end = np.intp(0)
            while bits:
                lane = lowest_bit(bits)
                bits &= bits - np.uint64(1)
                put(room.lanes, end, lane)
                put(room.values, end, at(network.units, first // LANES * network.block + layer.x + unit * LANES + lane))
                end += 1
            for row in range(0, room.rows, LANES):
                place = unit * room.rows + row
                sums = load64(room.by_input, place) if first else splat64(np.float32(0))
                span = np.intp(0), end
                sums = add_multiples(sums, room.values, room.turned, first * room.rows + row * LANES, room.lanes, span)
                store(room.by_input, place, sums)
    for unit in range(0, layer.inputs, 16):
        for row in range(0, layer.outputs, 16):
            starts, rows = room.column_starts, room.row_starts
            transpose16(room.by_input, starts, unit, row, room.gradient, rows, row, unit, np.float32(1))
