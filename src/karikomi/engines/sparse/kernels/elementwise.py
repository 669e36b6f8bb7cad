"""Activations and sums of whole signals, and the way back through them."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import IDENTITY, RELU, TANH
from karikomi.engines.sparse.kernels.loss import hyperbolic_tangent, times_slope
from karikomi.engines.sparse.kernels.planes import first, line, plane
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import (
    LANES,
    kernel,
    load16,
    load64,
    splat64,
    store,
    where_positive,
)

_ZERO, _ONE = np.float32(0), np.float32(1)


@inlined
def rectified(value):
    # A product, so that NaN stays NaN.
    return value * where_positive(value, splat64(_ONE), splat64(_ZERO))


@kernel
def bend(units: np.ndarray, signal, block: int, activation: int) -> None:
    """The activation, in place."""
    for channel in range(signal.channels if activation != IDENTITY else 0):
        for y in range(signal.height):
            start = block + first(signal) + channel * plane(signal) + y * line(signal)
            if activation == RELU:
                for place in range(start, start + signal.width * LANES, LANES):
                    store(units, place, rectified(load64(units, place)))
            elif activation == TANH:
                for place in range(start, start + signal.width * LANES, 16):
                    store(units, place, hyperbolic_tangent(load16(units, place)))


@kernel
def unbend(units: np.ndarray, deltas: np.ndarray, signal, block: int, activation: int) -> None:
    """From the derivatives by an activation's values to those by what it was given, in place."""
    for channel in range(signal.channels if activation != IDENTITY else 0):
        for y in range(signal.height):
            start = block + first(signal) + channel * plane(signal) + y * line(signal)
            for place in range(start, start + signal.width * LANES, LANES):
                store(deltas, place, times_slope(activation, load64(deltas, place), load64(units, place)))


@kernel
def add(units: np.ndarray, signal, other, target, block: int, activation: int) -> None:
    """``target`` is the sum of a ``signal`` and the ``other`` one, or if they are the same that one."""
    two = other.start != signal.start
    for channel in range(target.channels):
        for y in range(target.height):
            place = block + first(target) + channel * plane(target) + y * line(target)
            left = block + first(signal) + channel * plane(signal) + y * line(signal)
            right = block + first(other) + channel * plane(other) + y * line(other)
            for x in range(0, target.width * LANES, LANES):
                value = load64(units, left + x)
                if two:
                    value = value + load64(units, right + x)
                store(units, place + x, rectified(value) if activation == RELU else value)
    if activation != RELU:
        bend(units, target, block, activation)


@kernel
def hand_on(units: np.ndarray, deltas: np.ndarray, target, signal, block: int, activation: int, fresh: bool) -> None:
    """The derivatives by ``target``, after its activation, become (``fresh``) or are added to those by ``signal``."""
    for channel in range(target.channels):
        for y in range(target.height):
            source = block + first(target) + channel * plane(target) + y * line(target)
            place = block + first(signal) + channel * plane(signal) + y * line(signal)
            for x in range(0, target.width * LANES, LANES):
                slope = times_slope(activation, load64(deltas, source + x), load64(units, source + x))
                store(deltas, place + x, slope if fresh else slope + load64(deltas, place + x))
