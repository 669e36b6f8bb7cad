"""A linear layer on one block: forward, back to its inputs, and the gradient of its links."""

import numpy as np

from karikomi.engines.kernels.layout import DENSE_COLUMNS, DENSE_ROWS, Network
from karikomi.engines.kernels.vector import (
    LANES,
    add_dots,
    at,
    dot,
    kernel,
    load16,
    load64,
    multiply_add,
    splat16,
    splat64,
    store,
    total,
    transpose16,
)


@kernel
def linear(network: Network, number: int) -> None:
    """Outputs before the activation."""
    layer = network.layers[number]
    for row in range(layer.outputs):
        bias = network.parameters[layer.bias + row] if layer.bias >= 0 else np.float32(0)
        store(network.units, layer.y + row * LANES, splat64(bias))
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
            first, last = at(pointers, pointer + row), at(pointers, pointer + row + 1)
            if first < last:
                y = layer.y + row * LANES
                sums = load64(units, y)
                for link in range(first, last):
                    sums = multiply_add(
                        splat64(at(parameters, link)), load64(units, layer.x + at(index, link)), sums
                    )
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
def back(network: Network, number: int) -> None:
    """The loss's derivatives by the layer's inputs, from those by its outputs (before the activation)."""
    layer = network.layers[number]
    deltas = network.deltas
    for unit in range(layer.inputs):
        store(deltas, layer.x + unit * LANES, splat64(np.float32(0)))
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
            first, last = at(network.back_pointers, pointer + unit), at(network.back_pointers, pointer + unit + 1)
            if first < last:
                x = layer.x + unit * LANES
                sums = load64(deltas, x)
                for link in range(first, last):
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
        a, b = origin + at(index, link), origin + at(index, link + 1)
        c, d = origin + at(index, link + 2), origin + at(index, link + 3)
        add_dots(block, others, a, b, c, d, gradient, link)
        link += 4
    while link < last:
        gradient[link] += dot(block, others, origin + at(index, link))
        link += 1


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
    """product += left · right, six rows by sixteen columns at a time in registers.

    left: array, start, elements from row to row and from step to step. right: array, start, elements from step to
    step. product: array, start, elements from row to row. extent: rows (rounded up to six), which groups of sixteen
    columns and how many, which steps of the sum and how many.
    """
    a, left_start, left_row, left_step = left
    b, right_start, right_step = right
    c, product_start, product_row = product
    rows, groups, many_groups, steps, many_steps = extent
    for row in range(0, rows, DENSE_ROWS):
        a0 = left_start + row * left_row
        a1, a2, a3 = a0 + left_row, a0 + 2 * left_row, a0 + 3 * left_row
        a4, a5 = a0 + 4 * left_row, a0 + 5 * left_row
        for group in range(many_groups):
            column = at(groups, group) * DENSE_COLUMNS
            place = product_start + row * product_row + column
            c0, c1, c2 = load16(c, place), load16(c, place + product_row), load16(c, place + 2 * product_row)
            c3, c4 = load16(c, place + 3 * product_row), load16(c, place + 4 * product_row)
            c5 = load16(c, place + 5 * product_row)
            for number in range(many_steps):
                step = at(steps, number)
                right_values = load16(b, right_start + step * right_step + column)
                offset = step * left_step
                c0 = multiply_add(splat16(at(a, a0 + offset)), right_values, c0)
                c1 = multiply_add(splat16(at(a, a1 + offset)), right_values, c1)
                c2 = multiply_add(splat16(at(a, a2 + offset)), right_values, c2)
                c3 = multiply_add(splat16(at(a, a3 + offset)), right_values, c3)
                c4 = multiply_add(splat16(at(a, a4 + offset)), right_values, c4)
                c5 = multiply_add(splat16(at(a, a5 + offset)), right_values, c5)
            store(c, place, c0)
            store(c, place + product_row, c1)
            store(c, place + 2 * product_row, c2)
            store(c, place + 3 * product_row, c3)
            store(c, place + 4 * product_row, c4)
            store(c, place + 5 * product_row, c5)
