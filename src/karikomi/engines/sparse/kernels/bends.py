"""Activations whose slope is told by what they are given, on planes and back."""

import math

import numba
import numpy as np

from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.loss import exponential
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import (
    absolute,
    kernel,
    load16,
    multiply_add,
    splat16,
    store,
    where_positive,
)

BENDS = ("leaky_relu", "gelu", "gelu_tanh", "silu", "sigmoid")
LEAKY_RELU, GELU, GELU_TANH, SILU, SIGMOID = range(len(BENDS))

_f32 = np.float32
_ZERO, _HALF, _ONE = _f32(0), _f32(0.5), _f32(1)
_HALF_ROOT, _DENSITY = _f32(math.sqrt(0.125)), _f32(1 / math.sqrt(2 * math.pi))
# GELU by tanh (Hendrycks & Gimpel 2016); (1 + tanh u) / 2 is the sigmoid of 2 u, without cancellation.
_INNER, _CUBIC, _SLOPE = _f32(2 * math.sqrt(2 / math.pi)), _f32(0.044715), _f32(3 * 0.044715)
# exp(z²) erfc(z) = t (C0 + C1 t + …), t = 1 / (1 + z / 2), for z from 0 to 10: fitted at Chebyshev nodes, relative
# error 5e-8.
_C0, _C1, _C2 = _f32(0.2820823575053984), _f32(0.28245384207490576), _f32(0.24247937866437447)
_C3, _C4, _C5 = _f32(0.20536042900282536), _f32(-0.033399019881616615), _f32(0.28851514574368686)
_C6, _C7, _C8 = _f32(-0.49682957636900626), _f32(0.28944610061542203), _f32(-0.06010870772768519)


@numba.njit(inline="always")
def sigmoid(x):
    power = exponential(splat16(_ZERO) - absolute(x))
    share = splat16(_ONE) / (splat16(_ONE) + power)
    return where_positive(x, share, power * share)


@numba.njit(inline="always")
def normal(x):
    """The normal distribution's Φ(x) and its density φ(x)."""
    size, gauss = absolute(x), exponential(splat16(-_HALF) * x * x)
    t = splat16(_ONE) / multiply_add(splat16(_HALF_ROOT), size, splat16(_ONE))
    series = multiply_add(splat16(_C8), t, splat16(_C7))
    series = multiply_add(series, t, splat16(_C6))
    series = multiply_add(series, t, splat16(_C5))
    series = multiply_add(series, t, splat16(_C4))
    series = multiply_add(series, t, splat16(_C3))
    series = multiply_add(series, t, splat16(_C2))
    series = multiply_add(series, t, splat16(_C1))
    series = multiply_add(series, t, splat16(_C0))
    beyond = splat16(_HALF) * t * series * gauss
    return where_positive(x, splat16(_ONE) - beyond, beyond), splat16(_DENSITY) * gauss


@kernel
def bent(function: int, negative: np.float32, x):
    if function == LEAKY_RELU:
        return where_positive(x, x, splat16(negative) * x)
    if function == GELU:
        below, _ = normal(x)
        return x * below
    if function == GELU_TANH:
        return x * sigmoid(splat16(_INNER) * multiply_add(splat16(_CUBIC) * x * x, x, x))
    if function == SILU:
        return x * sigmoid(x)
    return sigmoid(x)


@kernel
def slope(function: int, negative: np.float32, x):
    if function == LEAKY_RELU:
        return where_positive(x, splat16(_ONE), splat16(negative))
    if function == GELU:
        below, density = normal(x)
        return multiply_add(x, density, below)
    if function == GELU_TANH:
        share = sigmoid(splat16(_INNER) * multiply_add(splat16(_CUBIC) * x * x, x, x))
        steep = splat16(_INNER) * multiply_add(splat16(_SLOPE) * x, x, splat16(_ONE))
        return share * multiply_add(x * steep, splat16(_ONE) - share, splat16(_ONE))
    share = sigmoid(x)
    if function == SILU:
        return share * multiply_add(x, splat16(_ONE) - share, splat16(_ONE))
    return share * (splat16(_ONE) - share)


@kernel
def bend_into(flow: Flow, number: int, start: int) -> None:
    """An activation of a signal, in a block that begins at ``start``."""
    operation, units = flow.operations[number], flow.units
    signal, target, negative = flow.signals[operation.x], flow.signals[operation.y], np.float32(operation.epsilon)
    for channel in range(signal.channels):
        for y in range(signal.height):
            source, place = line_of(signal, start, channel, y), line_of(target, start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                store(units, place + x, bent(operation.number, negative, load16(units, source + x)))


@kernel
def bend_back(flow: Flow, number: int, block: int) -> None:
    """The derivatives by what an activation was given."""
    operation, deltas, negative = flow.operations[number], flow.deltas, np.float32(flow.operations[number].epsilon)
    signal, slopes, goal = flow.signals[operation.x], flow.slopes[operation.y], flow.slopes[operation.x]
    slope_start = block * flow.slope_block
    for channel in range(signal.channels):
        for y in range(signal.height):
            given = line_of(signal, block * flow.block, channel, y)
            source, place = line_of(slopes, slope_start, channel, y), line_of(goal, slope_start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                value = load16(deltas, source + x) * slope(operation.number, negative, load16(flow.units, given + x))
                store(deltas, place + x, value if operation.fresh_x else value + load16(deltas, place + x))
