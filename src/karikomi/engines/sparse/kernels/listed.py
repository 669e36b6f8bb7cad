"""Inputs that are 0 in many examples, as most pixels of a drawing are: only their other values are multiplied.

These are listed, for each minibatch anew, and each one meets the input's links to all units at once: the lanes of a
vector are units, not examples. So removed links cost here as much as others; zeros cost nothing.
"""

import numpy as np

from karikomi.engines.sparse.kernels.fused import lanes_not_zero, lowest_bit, transpose16
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.multiples import add_multiples
from karikomi.engines.sparse.kernels.placement import LISTED_TILE
from karikomi.engines.sparse.kernels.products import bias_of
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, load64, put, splat64, store

_ZERO, _ONE = np.float32(0), np.float32(1)
_LOWEST_BIT, _ALL_BITS = np.uint64(1), np.uint64(2**64 - 1)


@kernel
def multiply_listed(network: Network, block: int, size: int) -> None:
    """The first layer's outputs for the first ``size`` examples of a block: biases and what listed inputs bring."""
    listed, layer, units, parameters = network.listed, network.layers[0], network.units, network.parameters
    turned, lane_of = listed.turned, network.unit_starts
    start = block // network.block * listed.rows * LANES
    for first in range(0, listed.inputs, LISTED_TILE):
        last = min(first + LISTED_TILE, listed.inputs)
        list_values(network, block, first, last, size)
        for row in range(0, listed.rows, LANES):
            links = listed.links + row * listed.inputs + first * LANES
            for lane in range(size):
                place, entry = start + (row + lane) * LANES, lane * LISTED_TILE
                sums = load64(turned, place) if first else splat64(_ZERO)
                span = entry, at(listed.ends, lane)
                sums = add_multiples(sums, listed.lane_values, parameters, links, listed.lane_inputs, span)
                store(turned, place, sums)
    for row in range(0, layer.outputs, 16):
        place = start + row // LANES * LANES * LANES + row % LANES
        for lane in range(0, size, 16):
            y = block + layer.y + lane
            transpose16(turned, lane_of, lane, place, units, lane_of, row, y, _ONE)
    for row in range(layer.outputs):
        place = block + layer.y + row * LANES
        store(units, place, load64(units, place) + splat64(bias_of(parameters, layer.bias, row)))


@kernel
def list_values(network: Network, block: int, first: int, last: int, size: int) -> None:
    """Input by input and lane by lane the values, not 0, of the listed inputs from ``first`` to before ``last``."""
    listed, units = network.listed, network.units
    for lane in range(size):
        listed.ends[lane] = lane * LISTED_TILE
    in_use = _ALL_BITS >> np.uint64(LANES - size)
    number = block // network.block * listed.inputs
    entry = at(listed.starts, number + first)
    for unit in range(first, last):
        place = block + network.layers[0].x + (listed.first + unit) * LANES
        bits = lanes_not_zero(load64(units, place)) & in_use
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - _LOWEST_BIT
            value, end = at(units, place + lane), at(listed.ends, lane)
            put(listed.lanes, entry, lane)
            put(listed.values, entry, value)
            put(listed.lane_inputs, end, unit - first)
            put(listed.lane_values, end, value)
            put(listed.ends, lane, end + 1)
            entry += 1
        put(listed.starts, number + unit + 1, entry)


@kernel
def turn_deltas(
    deltas: np.ndarray,
    block: int,
    y: int,
    outputs: int,
    starts: np.ndarray,
    lane_of: np.ndarray,
    turned: np.ndarray,
    batch: int,
) -> None:
    """The loss's derivatives by a layer's outputs, from ``y`` on at ``starts``, with outputs as lanes."""
    rows = (outputs + LANES - 1) // LANES * LANES
    for first in range(0, batch, LANES):
        number = first // LANES
        for row in range(0, outputs, 16):
            place = (number * rows + row // LANES * LANES) * LANES + row % LANES
            for lane in range(0, LANES, 16):
                start = number * block + y + lane
                transpose16(deltas, starts, row, start, turned, lane_of, lane, place, _ONE)


@inlined
def listed_gradient(network: Network, row: int, unit: int, batch: int):
    """The gradient of the links of LANES units, from ``row`` on, with a listed input."""
    listed = network.listed
    sums = splat64(_ZERO)
    for number in range((batch + LANES - 1) // LANES):
        of_unit = number * listed.inputs + unit
        span = at(listed.starts, of_unit), at(listed.starts, of_unit + 1)
        origin = (number * listed.rows + row) * LANES
        sums = add_multiples(sums, listed.values, listed.turned, origin, listed.lanes, span)
    if listed.keep >= 0:
        # Removed links have no gradient, and so stay 0.
        sums = sums * load64(network.keep, listed.keep + row * listed.inputs + unit * LANES)
    return sums
