"""Batch normalization (Ioffe & Szegedy 2015), by the minibatch in training and by running statistics in evaluation."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU
from karikomi.engines.sparse.kernels.elementwise import rectified
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import total
from karikomi.engines.sparse.kernels.loss import times_slope
from karikomi.engines.sparse.kernels.planes import first, line, plane
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import (
    LANES,
    at,
    kernel,
    load64,
    multiply_add,
    put,
    splat64,
    store,
)

_ZERO, _ONE = np.float32(0), np.float32(1)


@inlined
def gain_of(parameters: np.ndarray, start: int, channel: int) -> np.float32:
    return at(parameters, start + channel) if start >= 0 else _ONE


@kernel
def normalize(flow: Flow, number: int, batch: int) -> None:
    """By the mean and the variance of the minibatch, which the running ones follow."""
    operation, parameters = flow.operations[number], flow.network.parameters
    signal = flow.signals[operation.x]
    count = batch * signal.height * signal.width
    for channel in range(signal.channels):
        middle = moment(flow, signal, channel, batch, _ZERO, False) / count
        variance = moment(flow, signal, channel, batch, np.float32(middle), True) / count
        inverse = 1 / np.sqrt(variance + operation.epsilon)
        put(flow.moments, operation.moments + 2 * channel, np.float32(middle))
        put(flow.moments, operation.moments + 2 * channel + 1, np.float32(inverse))
        follow(parameters, operation.mean + channel, middle, operation.momentum)
        follow(parameters, operation.variance + channel, variance * count / max(count - 1, 1), operation.momentum)
        for block in range(0, -(-batch // LANES) * flow.network.block, flow.network.block):
            scale_and_shift(flow, number, channel, block, middle, inverse)


@kernel
def moment(flow: Flow, signal, channel: int, batch: int, middle: np.float32, squared: bool) -> float:
    """Σ (value − ``middle``), or of its square, over all places of a channel and all examples."""
    whole = 0.0
    for lanes in range(0, batch, LANES):
        sums = splat64(_ZERO)
        start = lanes // LANES * flow.network.block + first(signal) + channel * plane(signal)
        for row in range(start, start + signal.height * line(signal), line(signal)):
            for place in range(row, row + signal.width * LANES, LANES):
                value = load64(flow.network.units, place) - splat64(middle)
                sums = multiply_add(value, value, sums) if squared else sums + value
        whole += total(sums * load64(flow.real, lanes))
    return whole


@inlined
def follow(parameters: np.ndarray, place: int, value: float, momentum: float) -> None:
    put(parameters, place, np.float32((1 - momentum) * at(parameters, place) + momentum * value))


@kernel
def normalize_by_running(flow: Flow, number: int, block: int) -> None:
    operation, parameters = flow.operations[number], flow.network.parameters
    for channel in range(flow.signals[operation.x].channels):
        variance = at(parameters, operation.variance + channel)
        scale_and_shift(
            *(flow, number, channel, block),
            at(parameters, operation.mean + channel),
            1 / np.sqrt(variance + operation.epsilon),
        )


@kernel
def scale_and_shift(flow: Flow, number: int, channel: int, block: int, middle: float, inverse: float) -> None:
    operation, units, parameters = flow.operations[number], flow.network.units, flow.network.parameters
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    gain = gain_of(parameters, operation.weight, channel) * inverse
    bias = at(parameters, operation.bias + channel) if operation.bias >= 0 else _ZERO
    scale, shift = splat64(np.float32(gain)), splat64(np.float32(bias - middle * gain))
    source = block + first(signal) + channel * plane(signal)
    place = block + first(target) + channel * plane(target)
    for _ in range(signal.height):
        for x in range(0, signal.width * LANES, LANES):
            value = multiply_add(load64(units, source + x), scale, shift)
            store(units, place + x, rectified(value) if operation.activation == RELU else value)
        source += line(signal)
        place += line(target)


@kernel
def normalize_back(flow: Flow, number: int, batch: int, gradient: np.ndarray) -> None:
    """From the derivatives by the outputs to those by the inputs; those by gain and bias become ``gradient``.

    Those by the bias begin at the next multiple of sixteen behind those by the gain.
    """
    operation, units, deltas = flow.operations[number], flow.network.units, flow.network.deltas
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    count, biases = batch * signal.height * signal.width, -(-signal.channels // 16) * 16
    for channel in range(signal.channels):
        middle = at(flow.moments, operation.moments + 2 * channel)
        inverse = at(flow.moments, operation.moments + 2 * channel + 1)
        by_gain, by_bias = 0.0, 0.0
        for lanes in range(0, batch, LANES):
            block = lanes // LANES * flow.network.block
            source = block + first(target) + channel * plane(target)
            place = block + first(signal) + channel * plane(signal)
            products, sums = splat64(_ZERO), splat64(_ZERO)
            for _ in range(signal.height):
                for x in range(0, signal.width * LANES, LANES):
                    slope = load64(deltas, source + x)
                    slope = times_slope(operation.activation, slope, load64(units, source + x))
                    sums = sums + slope
                    products = multiply_add(slope, load64(units, place + x) - splat64(middle), products)
                source += line(target)
                place += line(signal)
            by_gain += total(products)
            by_bias += total(sums)
        by_gain *= inverse
        put(gradient, channel, np.float32(by_gain))
        put(gradient, biases + channel, np.float32(by_bias))
        if not operation.back_x:
            continue
        gain = gain_of(flow.network.parameters, operation.weight, channel) * inverse
        for lanes in range(0, batch, LANES):
            block = lanes // LANES * flow.network.block
            source = block + first(target) + channel * plane(target)
            place = block + first(signal) + channel * plane(signal)
            scale = splat64(np.float32(gain)) * load64(flow.real, lanes)
            lower = splat64(np.float32(-by_bias / count))
            tilt = splat64(np.float32(-inverse * by_gain / count))
            for _ in range(signal.height):
                for x in range(0, signal.width * LANES, LANES):
                    slope = load64(deltas, source + x)
                    slope = times_slope(operation.activation, slope, load64(units, source + x)) + lower
                    slope = multiply_add(tilt, load64(units, place + x) - splat64(middle), slope) * scale
                    store(deltas, place + x, slope if operation.fresh_x else slope + load64(deltas, place + x))
                source += line(target)
                place += line(signal)
