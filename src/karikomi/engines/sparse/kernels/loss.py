"""Activations, cross-entropy and their derivatives, on one block."""

import math

import numba
import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU, TANH
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import (
    LANES,
    absolute,
    kernel,
    larger,
    load16,
    load64,
    multiply_add,
    splat16,
    splat64,
    store,
    times_power_of_two,
    where_positive,
    with_sign,
)

_f32 = np.float32
_ZERO, _ONE, _MINUS_TWO = _f32(0), _f32(1), _f32(-2)
_LOG2_E = _f32(1 / math.log(2))
# ln 2 in two parts; the first has so few bits that its multiples are exact.
_LN2, _LN2_REST = _f32(-0.693359375), _f32(0.693359375 - math.log(2))
# Adding it rounds to a whole number, which is then in the lowest bits.
_ROUNDING = _f32(1.5 * 2**23)
_LOWEST = _f32(-87)
_E2, _E3, _E4, _E5, _E6, _E7 = (_f32(1 / math.factorial(k)) for k in range(2, 8))
# tanh x = x + x³ · (T0 + T1 x² + …) below SMALL: fitted at Chebyshev nodes, relative error 1e-8.
_SMALL = _f32(0.6)
_T0, _T1, _T2 = _f32(-0.3333333043134468), _f32(0.13332924006453353), _f32(-0.05387513819322631)
_T3, _T4 = _f32(0.021116213957639303), _f32(-0.0062763875914823245)


@numba.njit(inline="always")
def exponential(x):
    """e^x of 16 lanes for x up to 88, within 2e-7; below e^-87 it stays there."""
    x = larger(x, splat16(_LOWEST))
    shifted = multiply_add(x, splat16(_LOG2_E), splat16(_ROUNDING))
    whole = shifted - splat16(_ROUNDING)
    x = multiply_add(whole, splat16(_LN2_REST), multiply_add(whole, splat16(_LN2), x))
    series = multiply_add(splat16(_E7), x, splat16(_E6))
    series = multiply_add(series, x, splat16(_E5))
    series = multiply_add(series, x, splat16(_E4))
    series = multiply_add(series, x, splat16(_E3))
    series = multiply_add(series, x, splat16(_E2))
    series = multiply_add(series, x, splat16(_ONE))
    return times_power_of_two(multiply_add(series, x, splat16(_ONE)), shifted)


@numba.njit(inline="always")
def hyperbolic_tangent(x):
    """tanh x of 16 lanes."""
    size, square = absolute(x), x * x
    small = multiply_add(splat16(_T4), square, splat16(_T3))
    small = multiply_add(small, square, splat16(_T2))
    small = multiply_add(small, square, splat16(_T1))
    small = multiply_add(small, square, splat16(_T0))
    small = multiply_add(small * square, x, x)
    e = exponential(splat16(_MINUS_TWO) * size)
    large = with_sign((splat16(_ONE) - e) / (splat16(_ONE) + e), x)
    return where_positive(splat16(_SMALL) - size, small, large)


@kernel
def activate(network: Network, number: int, block: int) -> None:
    layer, units = network.layers[number], network.units
    first, last = block + layer.y, block + layer.y + layer.outputs * LANES
    if layer.activation == RELU:
        for place in range(first, last, LANES):
            # A product, so that NaN stays NaN. (Choosing the value itself, to store it where it came from, would
            # become a masked store, which some processors take hundreds of cycles for.)
            value = load64(units, place)
            store(units, place, value * where_positive(value, splat64(_ONE), splat64(_ZERO)))
    elif layer.activation == TANH:
        for place in range(first, last, 16):
            store(units, place, hyperbolic_tangent(load16(units, place)))


@inlined
def times_slope(activation: int, delta, value):
    """From the derivative by an activation's ``value`` to that by what it was given."""
    if activation == RELU:
        return where_positive(value, delta, splat64(_ZERO))
    if activation == TANH:
        return delta * (splat64(_ONE) - value * value)
    return delta


@kernel
def cross_entropy(network: Network, block: int, labels: np.ndarray, examples: np.ndarray, weight: np.float32) -> float:
    """The summed cross-entropy of ``examples``; ``deltas`` get the derivatives of ``weight`` times it.

    These are by the last layer's outputs before the activation; in lanes beyond the examples they are exactly 0.
    """
    layer, units, deltas, scratch = network.layers[-1], network.units, network.deltas, network.scratch
    first, last = block + layer.y, block + layer.y + layer.outputs * LANES
    for lane in range(LANES):
        scratch[lane] = weight if lane < examples.size else _ZERO
    for lane in range(0, LANES, 16):
        highest = load16(units, first + lane)
        for place in range(first + lane, last, LANES):
            highest = larger(highest, load16(units, place))
        sums = splat16(_ZERO)
        for place in range(first + lane, last, LANES):
            power = exponential(load16(units, place) - highest)
            sums = sums + power
            store(deltas, place, power)
        factor = load16(scratch, lane) / sums
        for place in range(first + lane, last, LANES):
            store(deltas, place, load16(deltas, place) * factor)
        store(scratch, LANES + lane, sums)
        store(scratch, 2 * LANES + lane, highest)
    loss = 0.0
    for lane in range(examples.size):
        place = first + labels[examples[lane]] * LANES + lane
        deltas[place] -= weight
        loss += np.log(scratch[LANES + lane]) + (scratch[2 * LANES + lane] - units[place])
    for place in range(first, last, LANES):
        store(deltas, place, times_slope(layer.activation, load64(deltas, place), load64(units, place)))
    return loss


@kernel
def score(network: Network, labels: np.ndarray, examples: np.ndarray, correct: np.ndarray) -> float:
    """The summed cross-entropy of ``examples``; right answers (the first of the highest) are counted per class."""
    layer, units, scratch = network.layers[-1], network.units, network.scratch
    first, last = layer.y, layer.y + layer.outputs * LANES
    for lane in range(0, LANES, 16):
        highest, answer, number = load16(units, first + lane), splat16(_ZERO), _ZERO
        for place in range(first + lane, last, LANES):
            value = load16(units, place)
            lead = value - highest
            answer = where_positive(lead, splat16(number), answer)
            highest = where_positive(lead, value, highest)
            number += _ONE
        sums = splat16(_ZERO)
        for place in range(first + lane, last, LANES):
            sums = sums + exponential(load16(units, place) - highest)
        store(scratch, lane, answer)
        store(scratch, LANES + lane, sums)
        store(scratch, 2 * LANES + lane, highest)
    loss = 0.0
    for lane in range(examples.size):
        label = labels[examples[lane]]
        correct[label] += label == scratch[lane]
        loss += np.log(scratch[LANES + lane]) + (scratch[2 * LANES + lane] - units[first + label * LANES + lane])
    return loss
