"""The gradient of a convolution's links and biases on one block of examples."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution_layout import Convolutions
from karikomi.engines.sparse.kernels.fused import barrier, total
from karikomi.engines.sparse.kernels.links import lane_sums
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.taps import each_form, each_tap, further
from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    INT,
    LANES,
    at,
    call,
    intrinsic,
    kernel,
    load16,
    load64,
    put,
    read,
    splat16,
    splat64,
    store,
    write,
)


@intrinsic()
def correlate_taps(builder, values, origin, down, offsets, span, deltas, place, strides, form, size, sums, first):
    """For every tap in ``span`` the products of deltas and of what it reads are added to ``sums``, lane by lane.

    The arguments are those of ``add_taps``, but that ``deltas`` are read where that writes to its target, and that
    their columns are neighbours. Every tap has a row of ``sums`` for each channel, from ``first`` on.
    """
    (across, line), (rows, width) = (cgutils.unpack_tuple(builder, pair) for pair in (strides, size))
    own, others, goals = deltas.address(place), values.address(origin), sums.address(first)

    def visit(channels: int, step: int, many: int, tall: int, row: Any) -> None:
        here, there = (builder.gep(start, [builder.mul(row, s)]) for start, s in ((own, line), (others, down)))
        places, both = [(r, n) for r in range(tall) for n in range(many)], range(channels)
        starts = {(r, c): further(builder, here, (line, r), (across, c)) for r in range(tall) for c in both}
        held = [[read(builder, builder.gep(starts[r, c], [INT(n * ROW)]), ROW) for c in both] for r, n in places]

        def correlate_tap(tap: Any, offset: Any) -> None:
            goal = builder.gep(goals, [builder.mul(tap, tap.type(channels * ROW))])
            targets = [builder.gep(goal, [INT(c * ROW)]) for c in both]
            chains = [read(builder, target, ROW) for target in targets]
            for (r, n), rows in zip(places, held, strict=True):
                start = further(builder, builder.gep(there, [offset]), (down, r))
                value = read(builder, builder.gep(start, [INT(n * step * ROW)]), ROW)
                chains = [call(builder, "fma", row, value, chain) for row, chain in zip(rows, chains, strict=True)]
                if channels > 1:
                    barrier(builder)
            for target, chain in zip(targets, chains, strict=True):
                write(builder, target, chain)

        each_tap(builder, offsets, span, correlate_tap)

    each_form(builder, form, width, rows, visit)


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
    one: Any = convolutions.passes[layer.passes]
    lists = (one.channels + one.together - 1) // one.together
    for tile in range(one.tiles):
        span = one.spans + tile * lists
        first = at(spans, span)
        column = 0
        for strip in range(one.strip, one.strip + one.strips):
            width = at(convolutions.strips, strip)
            for row in range(0, one.rows, one.band):
                rows = min(one.band, one.rows - row)
                origin = block + one.source + row * one.source_line + column * one.source_step
                start = block + one.target + row * one.target_line + column * one.target_step
                for channel in range(0, one.channels, one.together):
                    taps = at(spans, span), at(spans, span + 1)
                    span += 1
                    if taps[0] == taps[1]:
                        continue
                    correlate_taps(
                        *(units, origin, one.source_line, convolutions.offsets, taps),
                        *(deltas, start + channel * one.target_plane),
                        *((one.target_plane, one.target_line), one.form, (rows, width)),
                        *(sums, (taps[0] - first) * one.together * ROW),
                    )
                span -= lists
            column += width
        there = place + one.weights - layer.weights + first * one.together
        for done in range(0, (at(spans, span + lists) - first) * one.together, 4):
            add_lane_sums(sums, done * ROW, gradient, there + done)
    for link in range(0, layer.links if layer.keep >= 0 else 0, 16):
        # Removed links have no gradient, and so stay 0.
        kept = load16(gradient, place + link) * load16(convolutions.keep, layer.keep + link)
        store(gradient, place + link, kept)


@kernel
def convolution_bias_gradient(
    convolutions: Convolutions, number: int, deltas: np.ndarray, block: int, gradient: np.ndarray, place: int
) -> None:
    """The same for the biases: the sum of the deltas of every channel."""
    layer = convolutions.layers[number]
    one: Any = convolutions.passes[layer.passes]
    together = LANES // ROW
    for channel in range(one.channels):
        several, single = splat64(np.float32(0)), splat16(np.float32(0))
        for row in range(one.rows):
            start = block + one.target + channel * one.target_plane + row * one.target_line
            rest = one.columns % together
            for column in range(0, one.columns - rest, together):
                several = several + load64(deltas, start + column * ROW)
            for column in range(one.columns - rest, one.columns):
                single = single + load16(deltas, start + column * ROW)
        put(gradient, place + channel, at(gradient, place + channel) + total(several) + total(single))
