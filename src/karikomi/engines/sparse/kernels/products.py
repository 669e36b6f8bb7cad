"""A linear layer: forward and back to its inputs on one block, the gradient of its links over all blocks."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU
from karikomi.engines.sparse.kernels.fused import (
    DENSE_COLUMNS,
    DENSE_ROWS,
    WIDE_COLUMNS,
    WIDE_ROWS,
    add_products,
    add_wide_products,
    total,
    transpose16,
)
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.links import GROUP, add_group, add_group_back, correlate_group
from karikomi.engines.sparse.kernels.loss import times_slope
from karikomi.engines.sparse.kernels.placement import DENSE_TILE, TILE
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, load16, load64, put, splat16, splat64, store


@kernel
def linear(network: Network, number: int, block: int, rectify: bool) -> bool:
    """Outputs before the activation; after it, which is returned, where a sparse layer can ``rectify`` them at once."""
    layer = network.layers[number]
    rectify = rectify and layer.activation == RELU and layer.tiles > 0
    units, parameters = network.units, network.parameters
    x, y = block + layer.x, block + layer.y
    # What listed inputs bring has the biases in it; a sparse layer's first tile starts from them.
    fresh = number > 0 or network.listed.inputs == 0
    biased = fresh and layer.tiles > 0 and layer.bias >= 0
    if fresh and not biased:
        for row in range(layer.outputs):
            store(units, y + row * LANES, splat64(bias_of(parameters, layer.bias, row)))
    if layer.stride:
        for first in range(0, layer.inputs, DENSE_TILE):
            tile = first, min(first + DENSE_TILE, layer.inputs)
            for row in range(0, layer.outputs, WIDE_ROWS):
                links = layer.links + row * layer.stride
                for lane in range(0, LANES, WIDE_COLUMNS):
                    place = y + row * LANES + lane
                    add_wide_products(
                        parameters, links, layer.stride, 1, units, x + lane, LANES, tile, units, place, LANES
                    )
        return False
    rows, index, pointers, first = network.rows, network.partner, network.pointers, layer.pointer
    for tile in range(layer.tiles):
        shift, origin = at(network.shifts, layer.tile_link + tile), x + tile * TILE * LANES
        bias, last = layer.bias if biased and tile == 0 else -1, rectify and tile == layer.tiles - 1
        for _ in range(0, layer.outputs, GROUP):
            add_group(units, y, rows, first, parameters, shift, origin, index, pointers, bias, last)
            first += GROUP
    return rectify


@kernel
def bias_of(parameters: np.ndarray, start: int, row: int) -> np.float32:
    return at(parameters, start + row) if start >= 0 else np.float32(0)


@kernel
def back(network: Network, number: int, block: int, activation: int) -> None:
    """The loss's derivatives by the outputs of the layer before, from those by the layer's own; before activations.

    ``activation`` is that of the layer before.
    """
    layer = network.layers[number]
    units, deltas, parameters = network.units, network.deltas, network.parameters
    x, y = block + layer.x, block + layer.y
    zero = np.float32(0)
    if layer.back_tiles == 0:
        for unit in range(layer.inputs):
            store(deltas, x + unit * LANES, splat64(zero))
    if layer.stride:
        for first in range(0, layer.outputs, DENSE_TILE):
            tile = first, min(first + DENSE_TILE, layer.outputs)
            for unit in range(0, layer.inputs, WIDE_ROWS):
                for lane in range(0, LANES, WIDE_COLUMNS):
                    links, place = layer.links + unit, x + unit * LANES + lane
                    add_wide_products(
                        parameters, links, 1, layer.stride, deltas, y + lane, LANES, tile, deltas, place, LANES
                    )
    rows, index, position, pointers = network.back_rows, network.back_partner, network.back_link, network.back_pointers
    first = layer.back_pointer
    for tile in range(layer.back_tiles):
        origin, fresh = y + tile * TILE * LANES, tile == 0
        for _ in range(0, layer.inputs, GROUP):
            add_group_back(deltas, x, rows, first, parameters, position, origin, index, pointers, fresh)
            first += GROUP
    for place in range(x, x + layer.inputs * LANES, LANES):
        store(deltas, place, times_slope(activation, load64(deltas, place), load64(units, place)))


@kernel
def dense_gradient(network: Network, number: int, row: int, batch: int, gradient: np.ndarray) -> None:
    """The gradient of DENSE_ROWS rows of a dense layer's links from ``row`` on."""
    layer = network.layers[number]
    if row == 0:
        transpose_inputs(network, number, batch)
    for place in range(0, DENSE_ROWS * layer.stride, 16):
        store(gradient, place, splat16(np.float32(0)))
    for first in range(0, batch, LANES):
        y = first // LANES * network.block + layer.y + row * LANES
        lanes = 0, min(LANES, batch - first)
        for column in range(0, layer.inputs, DENSE_COLUMNS):
            x = first * layer.stride + column * LANES
            add_products(
                *(network.deltas, y, LANES, 1, network.transposed, x, DENSE_COLUMNS),
                *(lanes, gradient, column, layer.stride),
            )
    if layer.keep >= 0:
        # Removed links have no gradient, and so stay 0.
        keep = layer.keep + row * layer.stride
        for place in range(0, DENSE_ROWS * layer.stride, 16):
            store(gradient, place, load16(gradient, place) * load16(network.keep, keep + place))


@kernel
def transpose_inputs(network: Network, number: int, batch: int) -> None:
    """The layer's inputs in groups of DENSE_COLUMNS, in a group lane by lane."""
    layer = network.layers[number]
    one = np.float32(1)
    rows, columns = network.unit_starts, network.lane_starts
    for first in range(0, batch, LANES):
        x = first // LANES * network.block + layer.x
        for unit in range(0, layer.inputs, DENSE_COLUMNS):
            shift = first * layer.stride + unit * LANES
            for column in range(0, DENSE_COLUMNS, 16):
                for lane in range(0, LANES, 16):
                    place = shift + column
                    transpose16(
                        network.units, rows, unit + column, x + lane, network.transposed, columns, lane, place, one
                    )


@inlined
def group_gradient(
    network: Network, number: int, tile: int, lists: int, batch: int, gradient: np.ndarray, place: int
) -> int:
    """The gradient of the links of GROUP rows in one tile of a sparse layer becomes ``gradient`` from ``place`` on.

    Returns the place after the last.
    """
    layer, rows, index, pointers = network.layers[number], network.rows, network.partner, network.pointers
    units, deltas, x, y = network.units, network.deltas, layer.x + tile * TILE * LANES, layer.y
    end = correlate_group(deltas, y, rows, lists, units, x, index, pointers, gradient, place)
    for first in range(LANES, batch, LANES):
        block, more = first // LANES * network.block, network.longest + place
        correlate_group(deltas, block + y, rows, lists, units, block + x, index, pointers, gradient, more)
        for here in range(place, end, 16):
            store(gradient, here, load16(gradient, here) + load16(gradient, network.longest + here))
    return end


@kernel
def bias_gradient(network: Network, number: int, batch: int, gradient: np.ndarray) -> None:
    layer = network.layers[number]
    store(gradient, layer.outputs, splat16(np.float32(0)))
    for row in range(layer.outputs):
        slope = np.float32(0)
        for first in range(0, batch, LANES):
            slope += total(load64(network.deltas, first // LANES * network.block + layer.y + row * LANES))
        put(gradient, row, slope)
