"""The gradient of a convolution's links and biases on one block of examples."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution import apart, starts_of_taps
from karikomi.engines.sparse.kernels.convolution_layout import WIDEST, Convolutions
from karikomi.engines.sparse.kernels.fused import total
from karikomi.engines.sparse.kernels.links import lane_sums, while_links
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import FLOAT, at, call, intrinsic, kernel, load16, put, read, splat16, write


@intrinsic()
def correlate_taps(builder, values, origin, steps, offsets, span, deltas, place, strides, size, sums, first):
    """For every tap in ``span`` the products of deltas and of what it reads are added to ``sums``, lane by lane.

    As in ``add_taps`` there are one or two channels of ``deltas``, and several rows and columns; every tap has a row
    of ``sums`` for each of the channels, from ``first`` on.
    """
    kind = ir.VectorType(FLOAT, ROW)
    (down, right), (begin, last) = (cgutils.unpack_tuple(builder, pair) for pair in (steps, span))
    channel, line, stride = cgutils.unpack_tuple(builder, strides)
    together, rows, width = cgutils.unpack_tuple(builder, size)
    goals = sums.address(first)
    after = builder.append_basic_block()
    choice = builder.switch(builder.add(builder.mul(together, width.type(WIDEST[1])), width), after)

    def write_code(channels: int, many: int) -> None:
        with cgutils.for_range(builder, rows) as loop:
            own = deltas.address(builder.add(place, builder.mul(loop.index, line)))
            start = builder.add(origin, builder.mul(loop.index, down))
            rows_ = [
                [read(builder, apart(builder, apart(builder, own, channel, c), stride, n), ROW) for n in range(many)]
                for c in range(channels)
            ]
            current = cgutils.alloca_once(builder, begin.type)
            builder.store(begin, current)
            for taps in (2, 1):
                with while_links(builder, current, last, taps) as tap:
                    number = builder.mul(builder.sub(tap, begin), tap.type(channels * ROW))
                    goal = builder.gep(goals, [number])
                    for t, there in enumerate(starts_of_taps(builder, values, start, offsets, tap, taps)):
                        targets = [builder.gep(goal, [tap.type((t * channels + c) * ROW)]) for c in range(channels)]
                        chains = [read(builder, target, ROW) for target in targets]
                        for n in range(many):
                            value = read(builder, apart(builder, there, right, n), ROW)
                            chains = [call(builder, "fma", row[n], value, chain) for row, chain in zip(rows_, chains)]
                        for target, chain in zip(targets, chains):
                            write(builder, target, chain)

    for channels, widest in WIDEST.items():
        for many in range(1, widest + 1):
            block = builder.append_basic_block()
            choice.add_case(width.type(channels * WIDEST[1] + many), block)
            builder.position_at_end(block)
            write_code(channels, many)
            builder.branch(after)
    builder.position_at_end(after)


@intrinsic()
def add_lane_sums(builder, sums, first, target, place):
    """The sums over the lanes of four rows are added to ``target``; the rows become 0."""
    rows = [sums.address(builder.add(first, first.type(number * ROW))) for number in range(4)]
    found, here = lane_sums(builder, [read(builder, row, ROW) for row in rows]), target.address(place)
    write(builder, here, builder.fadd(read(builder, here, 4), found))
    for row in rows:
        write(builder, row, ir.Constant(ir.VectorType(FLOAT, ROW), [0.0] * ROW))


@kernel
def convolution_gradient(
    convolutions: Convolutions,
    number: int,
    units: np.ndarray,
    deltas: np.ndarray,
    block: int,
    gradient: np.ndarray,
    place: int,
) -> None:
    """What one block brings is added to the ``gradient`` of the links of layer ``number``, from ``place`` on."""
    layer, spans, sums = convolutions.layers[number], convolutions.spans, convolutions.sums
    one = convolutions.passes[layer.passes]
    lists = (one.channels + one.together - 1) // one.together
    for tile in range(one.tiles):
        span = one.spans + tile * lists
        first = at(spans, span)
        for column in range(0, one.columns, one.width):
            width = min(one.width, one.columns - column)
            for row in range(0, one.rows, one.band):
                rows = min(one.band, one.rows - row)
                origin = block + one.source + row * one.source_line + column * one.source_step
                start = block + one.target + row * one.target_line + column * one.target_step
                for channel in range(0, one.channels, one.together):
                    taps = at(spans, span), at(spans, span + 1)
                    correlate_taps(
                        *(units, origin, (one.source_line, one.source_step), convolutions.offsets, taps),
                        *(deltas, start + channel * one.target_plane),
                        *((one.target_plane, one.target_line, one.target_step), (one.together, rows, width)),
                        *(sums, (taps[0] - first) * one.together * ROW),
                    )
                    span += 1
                span -= lists
        there = place + one.weights - layer.weights + first * one.together
        for done in range(0, (at(spans, span + lists) - first) * one.together, 4):
            add_lane_sums(sums, done * ROW, gradient, there + done)


@kernel
def convolution_bias_gradient(
    convolutions: Convolutions, number: int, deltas: np.ndarray, block: int, gradient: np.ndarray, place: int
) -> None:
    """The same for the biases: the sum of the deltas of every channel."""
    layer = convolutions.layers[number]
    one = convolutions.passes[layer.passes]
    for channel in range(one.channels):
        sums = splat16(np.float32(0))
        start = block + one.target + channel * one.target_plane
        for row in range(one.rows):
            for column in range(one.columns):
                sums = sums + load16(deltas, start + row * one.target_line + column * one.target_step)
        put(gradient, place + channel, at(gradient, place + channel) + total(sums))
