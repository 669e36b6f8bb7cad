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
def line_of(signal, block: int, channel: int, y: int) -> int:
    """Where a line of places starts."""
    return block + first(signal) + channel * plane(signal) + y * line(signal)


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
def bend(units: np.ndarray, signal, block: int, activation: int) -> None:
    """The activation, in place."""
    for channel in range(signal.channels if activation != IDENTITY else 0):
        for y in range(signal.height):
            start = line_of(signal, block, channel, y)
            for place in range(start, start + signal.width * ROW, ROW):
                value = load16(units, place)
                store(units, place, rectified(value) if activation == RELU else hyperbolic_tangent(value))


@kernel
def unbend(units: np.ndarray, deltas: np.ndarray, signal, block: int, activation: int) -> None:
    """From the derivatives by an activation's values to those by what it was given, in place."""
    for channel in range(signal.channels if activation != IDENTITY else 0):
        for y in range(signal.height):
            start = line_of(signal, block, channel, y)
            for place in range(start, start + signal.width * ROW, ROW):
                store(deltas, place, sloped(activation, load16(deltas, place), load16(units, place)))


@kernel
def add(flow: Flow, number: int, block: int) -> None:
    """The sum of two signals, or one as it is."""
    operation, units = flow.operations[number], flow.units
    one, other, target = flow.signals[operation.x], flow.signals[operation.z], flow.signals[operation.y]
    two = operation.x != operation.z
    for channel in range(target.channels):
        for y in range(target.height):
            left, right = line_of(one, block, channel, y), line_of(other, block, channel, y)
            place = line_of(target, block, channel, y)
            for x in range(0, target.width * ROW, ROW):
                value = load16(units, left + x)
                if two:
                    value = value + load16(units, right + x)
                store(units, place + x, rectified(value) if operation.activation == RELU else value)
    if operation.activation != RELU:
        bend(units, target, block, operation.activation)


@kernel
def hand_on(flow: Flow, number: int, block: int, signal, fresh: bool) -> None:
    """The derivatives by what an operation made become (``fresh``) or are added to those by ``signal``."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    target = flow.signals[operation.y]
    for channel in range(target.channels):
        for y in range(target.height):
            source, place = line_of(target, block, channel, y), line_of(signal, block, channel, y)
            for x in range(0, target.width * ROW, ROW):
                slope = sloped(operation.bent, load16(deltas, source + x), load16(units, source + x))
                store(deltas, place + x, slope if fresh else slope + load16(deltas, place + x))
