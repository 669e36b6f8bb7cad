"""Convolutions link by link."""

import numpy as np

from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import total
from karikomi.engines.sparse.kernels.planes import first, line, plane
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, load64, multiply_add, put, splat64, store

_ZERO = np.float32(0)


@kernel
def convolve(flow: Flow, number: int, block: int) -> None:
    op, units, parameters = flow.operations[number], flow.network.units, flow.network.parameters
    signal, target = flow.signals[op.x], flow.signals[op.y]
    inputs = signal.channels // op.groups
    size = inputs * op.kernel_height * op.kernel_width
    for channel in range(target.channels):
        group = channel // (target.channels // op.groups) * inputs
        for y in range(target.height):
            for x in range(target.width):
                value = splat64(at(parameters, op.bias + channel) if op.bias >= 0 else _ZERO)
                link = op.weight + channel * size
                for i in range(inputs):
                    for ky in range(op.kernel_height):
                        for kx in range(op.kernel_width):
                            place = block + first(signal) + (group + i) * plane(signal)
                            place += (y * op.stride_height + ky - op.padding_height) * line(signal)
                            place += (x * op.stride_width + kx - op.padding_width) * LANES
                            value = multiply_add(splat64(at(parameters, link)), load64(units, place), value)
                            link += 1
                store(units, block + first(target) + channel * plane(target) + y * line(target) + x * LANES, value)


@kernel
def convolve_back(flow: Flow, number: int, block: int) -> None:
    op, deltas, parameters = flow.operations[number], flow.network.deltas, flow.network.parameters
    signal, target = flow.signals[op.x], flow.signals[op.y]
    inputs = signal.channels // op.groups
    size = inputs * op.kernel_height * op.kernel_width
    for channel in range(signal.channels if op.fresh_x else 0):
        for y in range(signal.height):
            for x in range(signal.width):
                place = block + first(signal) + channel * plane(signal) + y * line(signal) + x * LANES
                store(deltas, place, splat64(_ZERO))
    for channel in range(target.channels):
        group = channel // (target.channels // op.groups) * inputs
        for y in range(target.height):
            for x in range(target.width):
                place = block + first(target) + channel * plane(target) + y * line(target) + x * LANES
                slope = load64(deltas, place)
                link = op.weight + channel * size
                for i in range(inputs):
                    for ky in range(op.kernel_height):
                        for kx in range(op.kernel_width):
                            yy = y * op.stride_height + ky - op.padding_height
                            xx = x * op.stride_width + kx - op.padding_width
                            if 0 <= yy < signal.height and 0 <= xx < signal.width:
                                place = block + first(signal) + (group + i) * plane(signal)
                                place += yy * line(signal) + xx * LANES
                                value = multiply_add(splat64(at(parameters, link)), slope, load64(deltas, place))
                                store(deltas, place, value)
                            link += 1


@kernel
def convolution_gradient(flow: Flow, number: int, batch: int, gradient: np.ndarray) -> None:
    """Of the links, and in the sixteen behind them of the biases."""
    op, units, deltas = flow.operations[number], flow.network.units, flow.network.deltas
    signal, target = flow.signals[op.x], flow.signals[op.y]
    inputs = signal.channels // op.groups
    link = np.intp(0)
    for channel in range(target.channels):
        group = channel // (target.channels // op.groups) * inputs
        for i in range(inputs):
            for ky in range(op.kernel_height):
                for kx in range(op.kernel_width):
                    value = 0.0
                    for lanes in range(0, batch, LANES):
                        block, sums = lanes // LANES * flow.network.block, splat64(_ZERO)
                        for y in range(target.height):
                            for x in range(target.width):
                                place = block + first(signal) + (group + i) * plane(signal)
                                place += (y * op.stride_height + ky - op.padding_height) * line(signal)
                                place += (x * op.stride_width + kx - op.padding_width) * LANES
                                other = block + first(target) + channel * plane(target) + y * line(target) + x * LANES
                                sums = multiply_add(load64(units, place), load64(deltas, other), sums)
                        value += total(sums)
                    kept = at(flow.network.keep, op.keep + link) if op.keep >= 0 else np.float32(1)
                    put(gradient, link, np.float32(value) * kept)
                    link += 1
    link = -(-link // 16) * 16
    for channel in range(target.channels):
        value = 0.0
        for lanes in range(0, batch, LANES):
            block, sums = lanes // LANES * flow.network.block, splat64(_ZERO)
            for y in range(target.height):
                for x in range(target.width):
                    other = block + first(target) + channel * plane(target) + y * line(target) + x * LANES
                    sums = sums + load64(deltas, other)
            value += total(sums)
        put(gradient, link + channel, np.float32(value))
