"""Layer normalization (Ba et al. 2016) over all numbers of an example, lane by lane, on one block."""

import numpy as np

from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import total
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import at, kernel, load16, multiply_add, splat16, square_root, store

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def moments_of(units: np.ndarray, signal, start: int, epsilon: float):
    """Mean and 1 / standard deviation of every lane."""
    share = splat16(np.float32(1 / (signal.channels * signal.height * signal.width)))
    middle, spread = splat16(_ZERO), splat16(_ZERO)
    for channel in range(signal.channels):
        for y in range(signal.height):
            line = line_of(signal, start, channel, y)
            for place in range(line, line + signal.width * ROW, ROW):
                middle = middle + load16(units, place)
    middle = middle * share
    for channel in range(signal.channels):
        for y in range(signal.height):
            line = line_of(signal, start, channel, y)
            for place in range(line, line + signal.width * ROW, ROW):
                distance = load16(units, place) - middle
                spread = multiply_add(distance, distance, spread)
    return middle, splat16(_ONE) / square_root(multiply_add(spread, share, splat16(np.float32(epsilon))))


@inlined
def gain_at(flow: Flow, operation, number: int) -> np.float32:
    return at(flow.network.parameters, operation.weight + number) if operation.weight >= 0 else _ONE


@kernel
def normalize_examples(flow: Flow, number: int, start: int) -> None:
    operation, units, parameters = flow.operations[number], flow.units, flow.network.parameters
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    middle, inverse = moments_of(units, signal, start, operation.epsilon)
    element = 0
    for channel in range(signal.channels):
        for y in range(signal.height):
            source, place = line_of(signal, start, channel, y), line_of(target, start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                bias = at(parameters, operation.bias + element) if operation.bias >= 0 else _ZERO
                value = (load16(units, source + x) - middle) * inverse
                gain = splat16(gain_at(flow, operation, element))
                store(units, place + x, multiply_add(value, gain, splat16(bias)))
                element += 1


@kernel
def normalize_examples_back(flow: Flow, number: int, block: int) -> None:
    """The derivatives by what was normalized, and what the block brings to those by gains and biases."""
    operation, units, deltas, gradient = flow.operations[number], flow.units, flow.deltas, flow.gradient
    signal, start, slope_start = flow.signals[operation.x], block * flow.block, block * flow.slope_block
    slopes, goal = flow.slopes[operation.y], flow.slopes[operation.x]
    middle, inverse = moments_of(units, signal, start, operation.epsilon)
    sums, products, element, own = splat16(_ZERO), splat16(_ZERO), 0, block * flow.gradient_block
    for channel in range(signal.channels):
        for y in range(signal.height):
            given, source = line_of(signal, start, channel, y), line_of(slopes, slope_start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                value = (load16(units, given + x) - middle) * inverse
                slope = load16(deltas, source + x)
                if operation.weight >= 0:
                    gradient[own + operation.weight + element] += total(slope * value)
                if operation.bias >= 0:
                    gradient[own + operation.bias + element] += total(slope)
                slope = slope * splat16(gain_at(flow, operation, element))
                sums, products = sums + slope, multiply_add(slope, value, products)
                element += 1
    if not operation.back_x:
        return
    share = splat16(np.float32(1 / (signal.channels * signal.height * signal.width)))
    sums, products, element = sums * share, products * share, 0
    for channel in range(signal.channels):
        for y in range(signal.height):
            given, source = line_of(signal, start, channel, y), line_of(slopes, slope_start, channel, y)
            place = line_of(goal, slope_start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                value = (load16(units, given + x) - middle) * inverse
                slope = load16(deltas, source + x) * splat16(gain_at(flow, operation, element))
                slope = (slope - sums - value * products) * inverse
                store(deltas, place + x, slope if operation.fresh_x else slope + load16(deltas, place + x))
                element += 1
