"""Activations and sums of planes, and the way back through them, on one block."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import IDENTITY, RELU, TANH
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.loss import hyperbolic_tangent
from karikomi.engines.sparse.kernels.planes import ROW, first, line, plane
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import kernel, load16, splat16, store, where_positive

_ZERO, _ONE = np.float32(0), np.float32(1)


@inlined
def line_of(signal, start: int, channel: int, y: int) -> int:
    """Where a line of places starts, in a block that begins at ``start``."""
    return start + first(signal) + channel * plane(signal) + y * line(signal)


@inlined
def rectified(value):
    # A product, so that NaN stays NaN.
    return value * where_positive(value, splat16(_ONE), splat16(_ZERO))


@inlined
def sloped(activation: int, delta, value):
    """From the derivative by an activation's ``value`` to that by what it was given."""
    if activation == RELU:
        return where_positive(value, delta, splat16(_ZERO))
    if activation == TANH:
        return delta * (splat16(_ONE) - value * value)
    return delta


@kernel
def bend(units: np.ndarray, signal, start: int, activation: int) -> None:
    """The activation, in place, in a block that begins at ``start``."""
    for channel in range(signal.channels if activation != IDENTITY else 0):
        for y in range(signal.height):
            row = line_of(signal, start, channel, y)
            for place in range(row, row + signal.width * ROW, ROW):
                value = load16(units, place)
                store(units, place, rectified(value) if activation == RELU else hyperbolic_tangent(value))


@kernel
def unbend(flow: Flow, number: int, block: int) -> None:
    """From the derivatives by an activation's values to those by what it was given, in place."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    signal, slopes = flow.signals[operation.y], flow.slopes[operation.y]
    for channel in range(signal.channels if operation.bent != IDENTITY else 0):
        for y in range(signal.height):
            source = line_of(signal, block * flow.block, channel, y)
            place = line_of(slopes, block * flow.slope_block, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                store(deltas, place + x, sloped(operation.bent, load16(deltas, place + x), load16(units, source + x)))


@kernel
def add(flow: Flow, number: int, start: int) -> None:
    """The sum of two signals, or one as it is; the block begins at ``start``."""
    operation, units = flow.operations[number], flow.units
    one, other, target = flow.signals[operation.x], flow.signals[operation.z], flow.signals[operation.y]
    two = operation.x != operation.z
    for channel in range(target.channels):
        for y in range(target.height):
            left, right = line_of(one, start, channel, y), line_of(other, start, channel, y)
            place = line_of(target, start, channel, y)
            for x in range(0, target.width * ROW, ROW):
                value = load16(units, left + x)
                if two:
                    value = value + load16(units, right + x)
                store(units, place + x, rectified(value) if operation.activation == RELU else value)
    if operation.activation != RELU:
        bend(units, target, start, operation.activation)


@kernel
def hand_on(flow: Flow, number: int, block: int, signal: int, fresh: bool) -> None:
    """The derivatives by what an operation made become (``fresh``) or are added to those by a ``signal`` it read."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    target, slopes, goal = flow.signals[operation.y], flow.slopes[operation.y], flow.slopes[signal]
    for channel in range(target.channels):
        for y in range(target.height):
            made = line_of(target, block * flow.block, channel, y)
            source = line_of(slopes, block * flow.slope_block, channel, y)
            place = line_of(goal, block * flow.slope_block, channel, y)
            for x in range(0, target.width * ROW, ROW):
                slope = sloped(operation.bent, load16(deltas, source + x), load16(units, made + x))
                store(deltas, place + x, slope if fresh else slope + load16(deltas, place + x))
