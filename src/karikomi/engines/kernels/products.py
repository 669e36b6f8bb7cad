"""A linear layer on one block: forward, back to its inputs, and the gradient of its links."""

import numpy as np

from karikomi.engines.kernels.layout import DENSE_COLUMNS, Network
from karikomi.engines.kernels.vector import (
    LANES,
    DENSE_ROWS,
    add_2_dots,
    add_4_dots,
    add_dot,
    add_products,
    at,
    kernel,
    load64,
    multiply_add,
    splat64,
    store,
    total,
    transpose16,
)


@kernel
def linear(network: Network, number: int) -> None:
    """Outputs before the activation."""
    layer = network.layers[number]
    if layer.tiles == 0:
        for row in range(layer.outputs):
            store(network.units, layer.y + row * LANES, splat64(bias_of(network, layer.bias, row)))
    if layer.stride:
        steps, many = (network.everything, layer.inputs) if number else (network.present, network.counts[0])
        multiply_into(
            (network.parameters, layer.links, layer.stride, 1),
            (network.units, layer.x, LANES),
            (network.units, layer.y, LANES),
            (layer.outputs, network.everything, LANES // DENSE_COLUMNS, steps, many),
        )
    else:
        follow_links(network, number)


@kernel
def follow_links(network: Network, number: int) -> None:
    layer = network.layers[number]
    parameters, index, pointers, units = network.parameters, network.index, network.pointers, network.units
    for tile in range(layer.tiles):
        pointer = layer.pointer + tile * layer.outputs
        for row in range(layer.outputs):
            y = layer.y + row * LANES
            sums = load64(units, y) if tile else splat64(bias_of(network, layer.bias, row))
            for link in range(at(pointers, pointer + row), at(pointers, pointer + row + 1)):
                sums = multiply_add(splat64(at(parameters, link)), load64(units, layer.x + at(index, link)), sums)
            store(units, y, sums)
    if number == 0:
        pointer = layer.pointer + layer.tiles * layer.outputs - network.popular
        for rare in range(network.popular, network.counts[0]):
            unit = at(network.present, rare)
            value = load64(units, layer.x + unit * LANES)
            for link in range(at(pointers, pointer + unit), at(pointers, pointer + unit + 1)):
                y = layer.y + at(index, link)
                store(units, y, multiply_add(splat64(at(parameters, link)), value, load64(units, y)))


@kernel
def bias_of(network: Network, start: int, row: int) -> np.float32:
    return at(network.parameters, start + row) if start >= 0 else np.float32(0)


@kernel
def back(network: Network, number: int) -> None:
    """The loss's derivatives by the layer's inputs, from those by its outputs (before the activation)."""
    layer = network.layers[number]
    deltas = network.deltas
    zero = np.float32(0)
    if layer.back_tiles == 0:
        for unit in range(layer.inputs):
            store(deltas, layer.x + unit * LANES, splat64(zero))
    if layer.stride:
        multiply_into(
            (network.parameters, layer.links, 1, layer.stride),
            (deltas, layer.y, LANES),
            (deltas, layer.x, LANES),
            (layer.inputs, network.everything, LANES // DENSE_COLUMNS, network.everything, layer.outputs),
        )
        return
    for tile in range(layer.back_tiles):
        pointer = layer.back_pointer + tile * layer.inputs
        for unit in range(layer.inputs):
            x = layer.x + unit * LANES
            sums = load64(deltas, x) if tile else splat64(zero)
            for link in range(at(network.back_pointers, pointer + unit), at(network.back_pointers, pointer + unit + 1)):
                weight = at(network.parameters, at(network.back_position, link))
                sums = multiply_add(splat64(weight), load64(deltas, layer.y + at(network.back_index, link)), sums)
            store(deltas, x, sums)


@kernel
def add_gradient(network: Network, number: int, gradient: np.ndarray, count: int) -> None:
    """The gradient of the layer's links and biases over the first ``count`` lanes, added to ``gradient``."""
    layer = network.layers[number]
    if layer.bias >= 0:
        for row in range(layer.outputs):
            gradient[layer.bias + row] += total(load64(network.deltas, layer.y + row * LANES))
    if layer.stride:
        groups, many = network.everything, (layer.inputs + DENSE_COLUMNS - 1) // DENSE_COLUMNS
        if number == 0:
            groups, many = network.groups, network.counts[1]
        transpose_inputs(network, number, groups, many)
        multiply_into(
            (network.deltas, layer.y, LANES, 1),
            (network.transposed, 0, network.lane_starts[1]),
            (gradient, layer.links, layer.stride),
            (layer.outputs, groups, many, network.everything, count),
        )
        return
    pointers, units, deltas = network.pointers, network.units, network.deltas
    for tile in range(layer.tiles):
        pointer = layer.pointer + tile * layer.outputs
        for row in range(layer.outputs):
            span = at(pointers, pointer + row), at(pointers, pointer + row + 1)
            correlate(deltas, layer.y + row * LANES, units, layer.x, network.index, span, gradient)
    if number == 0:
        pointer = layer.pointer + layer.tiles * layer.outputs - network.popular
        for rare in range(network.popular, network.counts[0]):
            unit = at(network.present, rare)
            span = at(pointers, pointer + unit), at(pointers, pointer + unit + 1)
            correlate(units, layer.x + unit * LANES, deltas, layer.y, network.index, span, gradient)


@kernel
def correlate(
    one: np.ndarray,
    start: int,
    others: np.ndarray,
    origin: int,
    index: np.ndarray,
    span: tuple[int, int],
    gradient: np.ndarray,
) -> None:
    """One unit's values times those of the units it is linked with."""
    block = load64(one, start)
    link, last = span
    while link + 4 <= last:
        add_4_dots(block, others, origin, index, link, gradient)
        link += 4
    if link + 2 <= last:
        add_2_dots(block, others, origin, index, link, gradient)
        link += 2
    if link < last:
        add_dot(block, others, origin, index, link, gradient)


@kernel
def transpose_inputs(network: Network, number: int, groups: np.ndarray, many: int) -> None:
    """The layer's inputs with a row per lane, as far as ``groups`` of units go."""
    layer = network.layers[number]
    one = np.float32(1)
    for group in groups[:many]:
        unit = group * DENSE_COLUMNS
        for lane in range(0, LANES, 16):
            rows, columns = network.unit_starts, network.lane_starts
            transpose16(network.units, rows, unit, layer.x + lane, network.transposed, columns, lane, unit, one)


@kernel
def multiply_into(left, right, product, extent):
    """product += left · right, a few rows by sixteen columns at a time in registers.

    left: array, start, elements from row to row and from step to step. right: array, start, elements from step to
    step. product: array, start, elements from row to row. extent: rows (rounded up), which groups of sixteen
    columns and how many, which steps of the sum and how many.
    """
    a, left_start, left_row, left_step = left
    b, right_start, right_step = right
    c, product_start, product_row = product
    rows, groups, many_groups, steps, many_steps = extent
    for row in range(0, rows, DENSE_ROWS):
        for group in range(many_groups):
            column = at(groups, group) * DENSE_COLUMNS
            add_products(
                *(a, left_start + row * left_row, left_row, left_step),
                *(b, right_start + column, right_step, steps, many_steps),
                *(c, product_start + row * product_row + column, product_row),
            )
