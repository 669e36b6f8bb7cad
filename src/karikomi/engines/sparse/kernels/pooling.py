"""Pooling: the largest value or the mean of windows."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU
from karikomi.engines.sparse.kernels.elementwise import rectified
from karikomi.engines.sparse.kernels.loss import times_slope
from karikomi.engines.sparse.kernels.planes import first, line, plane
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import LANES, kernel, larger, load64, splat64, store, where_positive

_ZERO = np.float32(0)


@inlined
def span_of(place: int, stride: int, kernel: int, padding: int, size: int) -> tuple[int, int]:
    """What a window sees of an axis, without the padding."""
    start = place * stride - padding
    return max(start, 0), min(start + kernel, size)


@kernel
def largest(units: np.ndarray, operation, signal, target, block: int) -> None:
    down = line(signal)
    for channel in range(target.channels):
        origin = block + first(signal) + channel * plane(signal)
        for y in range(target.height):
            top, bottom = span_of(
                y, operation.stride_height, operation.kernel_height, operation.padding_height, signal.height
            )
            place = block + first(target) + channel * plane(target) + y * line(target)
            for x in range(target.width):
                left, right = span_of(
                    x, operation.stride_width, operation.kernel_width, operation.padding_width, signal.width
                )
                value = load64(units, origin + top * down + left * LANES)
                for row in range(origin + top * down, origin + bottom * down, down):
                    for here in range(row + left * LANES, row + right * LANES, LANES):
                        value = larger(value, load64(units, here))
                store(units, place, rectified(value) if operation.activation == RELU else value)
                place += LANES


@kernel
def mean(units: np.ndarray, operation, signal, target, block: int) -> None:
    down, share = line(signal), np.float32(1 / (operation.kernel_height * operation.kernel_width))
    for channel in range(target.channels):
        origin = block + first(signal) + channel * plane(signal)
        for y in range(target.height):
            top, bottom = span_of(
                y, operation.stride_height, operation.kernel_height, operation.padding_height, signal.height
            )
            place = block + first(target) + channel * plane(target) + y * line(target)
            for x in range(target.width):
                left, right = span_of(
                    x, operation.stride_width, operation.kernel_width, operation.padding_width, signal.width
                )
                value = splat64(_ZERO)
                for row in range(origin + top * down, origin + bottom * down, down):
                    for here in range(row + left * LANES, row + right * LANES, LANES):
                        value = value + load64(units, here)
                value = value * splat64(share)
                store(units, place, rectified(value) if operation.activation == RELU else value)
                place += LANES


@kernel
def back_to_windows(units: np.ndarray, deltas: np.ndarray, operation, signal, target, block: int, chosen: bool) -> None:
    """The derivatives by ``target`` to those by ``signal``: each to the first of the largest values, or in equal parts.

    They are there already, unless ``operation.fresh_x``.
    """
    down, share = line(signal), np.float32(1 / (operation.kernel_height * operation.kernel_width))
    for channel in range(target.channels):
        origin = block + first(signal) + channel * plane(signal)
        for row in range(origin, origin + (signal.height * down if operation.fresh_x else 0), down):
            for here in range(row, row + signal.width * LANES, LANES):
                store(deltas, here, splat64(_ZERO))
        for y in range(target.height):
            top, bottom = span_of(
                y, operation.stride_height, operation.kernel_height, operation.padding_height, signal.height
            )
            place = block + first(target) + channel * plane(target) + y * line(target)
            for x in range(target.width):
                left, right = span_of(
                    x, operation.stride_width, operation.kernel_width, operation.padding_width, signal.width
                )
                value = load64(units, place)
                slope = times_slope(operation.activation, load64(deltas, place), value)
                if not chosen:
                    slope = slope * splat64(share)
                for row in range(origin + top * down, origin + bottom * down, down):
                    for here in range(row + left * LANES, row + right * LANES, LANES):
                        if chosen:
                            part = where_positive(value - load64(units, here), splat64(_ZERO), slope)
                            store(deltas, here, load64(deltas, here) + part)
                            slope = slope - part
                        else:
                            store(deltas, here, load64(deltas, here) + slope)
                place += LANES
