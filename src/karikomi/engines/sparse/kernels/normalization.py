"""Batch normalization (Ioffe & Szegedy 2015), by the minibatch in training and by running statistics in evaluation.

In training all blocks pass :func:`gather_moments`, which are then joined, before the first one passes
:func:`normalize`; on the way back :func:`gather_sums`, which are joined before :func:`normalize_back`. Each channel has
four moments: mean, 1 / standard deviation, and the sums of the derivatives by the outputs, alone and times what was
normalized.
"""

import numpy as np

from karikomi.engines.sparse.kernels.activations import IDENTITY, RELU
from karikomi.engines.sparse.kernels.elementwise import line_of, rectified, sloped
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import folded, total
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import (
    LANES,
    at,
    filled,
    kernel,
    load16,
    load64,
    multiply_add,
    put,
    splat16,
    splat64,
    store,
)

_ZERO, _ONE = np.float32(0), np.float32(1)


@inlined
def gain_of(flow: Flow, start: int, channel: int) -> np.float32:
    return at(flow.network.parameters, start + channel) if start >= 0 else _ONE


@kernel
def gather_moments(flow: Flow, number: int, block: int, batch: int) -> None:
    """Mean of a block, and the sum of squared distances from it.

    Both are found in one pass, as sums about the mean of a single line, which is near enough to lose no digits.
    """
    operation, start, units = flow.operations[number], block * flow.block, flow.units
    signal, real = flow.signals[operation.x], load16(flow.real, block * ROW)
    size = signal.width * ROW
    wide = size - size % LANES
    count = float(min(batch - block * ROW, ROW) * signal.height * signal.width)
    for channel in range(signal.channels):
        line, near = line_of(signal, start, channel, signal.height // 2), splat16(_ZERO)
        for place in range(line, line + size, ROW):
            near = near + load16(units, place)
        middle = total(near) / np.float32(size)
        sums, squares, four_sums, four_squares = splat16(_ZERO), splat16(_ZERO), splat64(_ZERO), splat64(_ZERO)
        for y in range(signal.height):
            line = line_of(signal, start, channel, y)
            for place in range(line, line + wide, LANES):
                four_sums, four_squares = add_moments(load64(units, place), middle, four_sums, four_squares)
            for place in range(line + wide, line + size, ROW):
                sums, squares = add_moments(load16(units, place), middle, sums, squares)
        beyond = float(total((sums + folded(four_sums)) * real)) / count
        spread = float(total((squares + folded(four_squares)) * real))
        place = block * flow.moments.size + operation.moments + 4 * channel
        flow.block_moments[place] = middle + beyond
        flow.block_moments[place + 1] = max(spread - count * beyond * beyond, 0.0)


@inlined
def add_moments(value, middle: np.float32, sums, squares):
    value = value - filled(value, middle)
    return sums + value, multiply_add(value, value, squares)


@kernel
def join_moments(flow: Flow, number: int, batch: int, first: bool) -> None:
    """Mean and 1 / standard deviation of all blocks (Chan et al. 1983), block by block in their order.

    The running statistics follow, by the ``first`` thread alone.
    """
    operation, moments, parameters = flow.operations[number], flow.moments, flow.network.parameters
    signal = flow.signals[operation.x]
    size = signal.height * signal.width
    whole = float(batch * size)
    for channel in range(signal.channels):
        place = operation.moments + 4 * channel
        middle, spread = flow.block_moments[place], flow.block_moments[place + 1]
        for start in range(ROW, batch, ROW):
            own = start // ROW * moments.size + place
            before, count = float(start * size), float(min(batch - start, ROW) * size)
            lead = flow.block_moments[own] - middle
            middle = middle + lead * count / (before + count)
            spread = spread + flow.block_moments[own + 1] + lead * lead * before * count / (before + count)
        moments[place], moments[place + 1] = middle, 1 / np.sqrt(spread / whole + operation.epsilon)
        if first:
            follow(parameters, operation.mean + channel, middle, operation.momentum)
            follow(parameters, operation.variance + channel, spread / max(whole - 1, 1.0), operation.momentum)


@inlined
def follow(parameters: np.ndarray, place: int, value: float, momentum: float) -> None:
    put(parameters, place, np.float32((1 - momentum) * at(parameters, place) + momentum * value))


@kernel
def normalize(flow: Flow, number: int, block: int, running: bool) -> None:
    """By the minibatch's moments or by the ``running`` statistics; what else is read is added."""
    operation, parameters, units = flow.operations[number], flow.network.parameters, flow.units
    signal, target, start = flow.signals[operation.x], flow.signals[operation.y], block * flow.block
    beside, two, relu = flow.signals[operation.z], operation.z != operation.x, operation.activation == RELU
    for channel in range(signal.channels):
        middle, inverse = (
            flow.moments[operation.moments + 4 * channel],
            flow.moments[operation.moments + 4 * channel + 1],
        )
        if running:
            middle = float(at(parameters, operation.mean + channel))
            inverse = 1 / np.sqrt(at(parameters, operation.variance + channel) + operation.epsilon)
        gain = gain_of(flow, operation.weight, channel) * inverse
        bias = at(parameters, operation.bias + channel) if operation.bias >= 0 else _ZERO
        scale, shift = splat16(np.float32(gain)), splat16(np.float32(bias - middle * gain))
        for y in range(signal.height):
            source, place = line_of(signal, start, channel, y), line_of(target, start, channel, y)
            other = line_of(beside, start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                value = multiply_add(load16(units, source + x), scale, shift)
                if two:
                    value = value + load16(units, other + x)
                store(units, place + x, rectified(value) if relu else value)


@kernel
def gather_sums(flow: Flow, number: int, block: int) -> None:
    """Of the derivatives by the outputs, on a block. What else was read gets its derivatives."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    signal, target, start = flow.signals[operation.x], flow.signals[operation.y], block * flow.block
    slopes, beside, slope_start = flow.slopes[operation.slopes], flow.slopes[operation.z], block * flow.slope_block
    bent, handed, fresh = operation.bent, operation.back_z != 0, operation.fresh_z != 0
    for channel in range(signal.channels):
        moments = operation.moments + 4 * channel
        middle = splat16(np.float32(flow.moments[moments]))
        products, sums = splat16(_ZERO), splat16(_ZERO)
        for y in range(signal.height):
            source, place = line_of(slopes, slope_start, channel, y), line_of(signal, start, channel, y)
            made, other = line_of(target, start, channel, y), line_of(beside, slope_start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                slope = load16(deltas, source + x)
                if bent != IDENTITY:
                    slope = sloped(bent, slope, load16(units, made + x))
                    store(deltas, source + x, slope)
                if handed:
                    store(deltas, other + x, slope if fresh else slope + load16(deltas, other + x))
                sums = sums + slope
                products = multiply_add(slope, load16(units, place + x) - middle, products)
        own = block * flow.moments.size + moments
        flow.block_moments[own + 2] = float(total(sums))
        flow.block_moments[own + 3] = total(products) * flow.moments[moments + 1]


@kernel
def join_sums(flow: Flow, number: int, batch: int, first: bool) -> None:
    """The sums of all blocks; the ``first`` thread leaves them as the gradient by gain and bias, in that of block 0."""
    operation, size = flow.operations[number], flow.moments.size
    for channel in range(flow.signals[operation.x].channels):
        place, by_bias, by_gain = operation.moments + 4 * channel, 0.0, 0.0
        for block in range((batch - 1) // ROW, -1, -1):
            by_bias += flow.block_moments[block * size + place + 2]
            by_gain += flow.block_moments[block * size + place + 3]
        flow.moments[place + 2], flow.moments[place + 3] = by_bias, by_gain
        if first and operation.weight >= 0:
            flow.gradient[operation.weight + channel] = np.float32(by_gain)
        if first and operation.bias >= 0:
            flow.gradient[operation.bias + channel] = np.float32(by_bias)


@kernel
def normalize_back(flow: Flow, number: int, block: int, batch: int) -> None:
    """From the derivatives by the outputs to those by the inputs."""
    operation, units, deltas = flow.operations[number], flow.units, flow.deltas
    signal, slopes, goal = flow.signals[operation.x], flow.slopes[operation.slopes], flow.slopes[operation.x]
    start, slope_start = block * flow.block, block * flow.slope_block
    count, fresh = batch * signal.height * signal.width, operation.fresh_x != 0
    for channel in range(signal.channels):
        moments = operation.moments + 4 * channel
        inverse = flow.moments[moments + 1]
        middle, gain = splat16(np.float32(flow.moments[moments])), gain_of(flow, operation.weight, channel) * inverse
        scale = splat16(np.float32(gain)) * load16(flow.real, block * ROW)
        lower = splat16(np.float32(-flow.moments[moments + 2] / count))
        tilt = splat16(np.float32(-inverse * flow.moments[moments + 3] / count))
        for y in range(signal.height):
            source, value = line_of(slopes, slope_start, channel, y), line_of(signal, start, channel, y)
            place = line_of(goal, slope_start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                slope = load16(deltas, source + x) + lower
                slope = multiply_add(tilt, load16(units, value + x) - middle, slope) * scale
                store(deltas, place + x, slope if fresh else slope + load16(deltas, place + x))
