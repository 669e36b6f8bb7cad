"""Pooling on one block: the largest value or the mean of windows, and the way back."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU
from karikomi.engines.sparse.kernels.elementwise import line_of, rectified, sloped
from karikomi.engines.sparse.kernels.flow import MAXIMUM, Flow
from karikomi.engines.sparse.kernels.planes import ROW, line
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import kernel, larger, load16, splat16, store, where_positive

_ZERO = np.float32(0)


@inlined
def span_of(place: int, stride: int, kernel: int, padding: int, size: int) -> tuple[int, int]:
    """What a window sees of an axis, without the padding."""
    start = place * stride - padding
    return max(start, 0), min(start + kernel, size)


@inlined
def lines_of(operation, y: int, height: int) -> tuple[int, int]:
    return span_of(y, operation.stride_height, operation.kernel_height, operation.padding_height, height)


@inlined
def columns_of(operation, x: int, width: int) -> tuple[int, int]:
    return span_of(x, operation.stride_width, operation.kernel_width, operation.padding_width, width)


@inlined
def in_squares(operation, signal) -> bool:
    """Whether the windows are squares of four places, which share none and leave none out."""
    two = operation.kernel_height == 2 and operation.kernel_width == 2
    apart = operation.stride_height == 2 and operation.stride_width == 2
    whole = signal.height % 2 == 0 and signal.width % 2 == 0
    return two and apart and whole and operation.padding_height == 0 and operation.padding_width == 0


@kernel
def pool_squares(flow: Flow, number: int, block: int) -> None:
    """The largest of every four places."""
    operation, units = flow.operations[number], flow.units
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    down = line(signal)
    for channel in range(target.channels):
        for y in range(target.height):
            source, place = line_of(signal, block, channel, 2 * y), line_of(target, block, channel, y)
            for x in range(0, target.width * ROW, ROW):
                here = source + 2 * x
                above = larger(load16(units, here), load16(units, here + ROW))
                below = larger(load16(units, here + down), load16(units, here + down + ROW))
                value = larger(above, below)
                store(units, place + x, rectified(value) if operation.activation == RELU else value)


@kernel
def pool_squares_back(flow: Flow, number: int, block: int) -> None:
    """The derivative goes to the first of the largest of every four places; the others get 0."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    source_slopes, slopes = flow.slopes[operation.x], flow.slopes[operation.y]
    start, slope_start = block * flow.block, block * flow.slope_block
    down, zero = line(signal), splat16(_ZERO)
    for channel in range(target.channels):
        for y in range(target.height):
            source, place = line_of(signal, start, channel, 2 * y), line_of(target, start, channel, y)
            goal = line_of(source_slopes, slope_start, channel, 2 * y)
            own = line_of(slopes, slope_start, channel, y)
            for x in range(0, target.width * ROW, ROW):
                value, here, there = load16(units, place + x), source + 2 * x, goal + 2 * x
                slope = sloped(operation.bent, load16(deltas, own + x), value)
                first = where_positive(value - load16(units, here), zero, slope)
                slope = slope - first
                second = where_positive(value - load16(units, here + ROW), zero, slope)
                slope = slope - second
                third = where_positive(value - load16(units, here + down), zero, slope)
                store(deltas, there, first)
                store(deltas, there + ROW, second)
                store(deltas, there + down, third)
                store(deltas, there + down + ROW, slope - third)


@kernel
def pool(flow: Flow, number: int, block: int) -> None:
    operation, units = flow.operations[number], flow.units
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    down, share = line(signal), np.float32(1 / (operation.kernel_height * operation.kernel_width))
    for channel in range(target.channels):
        origin = line_of(signal, block, channel, 0)
        for y in range(target.height):
            top, bottom = lines_of(operation, y, signal.height)
            place = line_of(target, block, channel, y)
            for x in range(target.width):
                left, right = columns_of(operation, x, signal.width)
                if operation.kind == MAXIMUM:
                    value = load16(units, origin + top * down + left * ROW)
                    for row in range(origin + top * down, origin + bottom * down, down):
                        for here in range(row + left * ROW, row + right * ROW, ROW):
                            value = larger(value, load16(units, here))
                else:
                    value = splat16(_ZERO)
                    for row in range(origin + top * down, origin + bottom * down, down):
                        for here in range(row + left * ROW, row + right * ROW, ROW):
                            value = value + load16(units, here)
                    value = value * splat16(share)
                store(units, place, rectified(value) if operation.activation == RELU else value)
                place += ROW


@kernel
def pool_back(flow: Flow, number: int, block: int) -> None:
    """The derivative by a window's result goes to the first of the largest values, or to all in equal parts."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    source_slopes, slopes = flow.slopes[operation.x], flow.slopes[operation.y]
    start, slope_start = block * flow.block, block * flow.slope_block
    down, share = line(signal), np.float32(1 / (operation.kernel_height * operation.kernel_width))
    for channel in range(target.channels):
        # As far as a value is from here its derivative is from ``goal``: a signal has one geometry.
        origin, goal = line_of(signal, start, channel, 0), line_of(source_slopes, slope_start, channel, 0)
        shift = goal - origin
        for row in range(goal, goal + (signal.height * down if operation.fresh_x else 0), down):
            for here in range(row, row + signal.width * ROW, ROW):
                store(deltas, here, splat16(_ZERO))
        for y in range(target.height):
            top, bottom = lines_of(operation, y, signal.height)
            place, own = line_of(target, start, channel, y), line_of(slopes, slope_start, channel, y)
            for x in range(target.width):
                left, right = columns_of(operation, x, signal.width)
                value = load16(units, place)
                slope = sloped(operation.bent, load16(deltas, own), value)
                if operation.kind != MAXIMUM:
                    slope = slope * splat16(share)
                for row in range(origin + top * down, origin + bottom * down, down):
                    for here in range(row + left * ROW, row + right * ROW, ROW):
                        part = slope
                        if operation.kind == MAXIMUM:
                            part = where_positive(value - load16(units, here), splat16(_ZERO), slope)
                            slope = slope - part
                        store(deltas, here + shift, load16(deltas, here + shift) + part)
                place += ROW
                own += ROW
