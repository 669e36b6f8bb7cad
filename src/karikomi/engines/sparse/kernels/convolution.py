"""Convolutions forward, and back to their inputs, on one block of examples."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution_layout import Convolutions
from karikomi.engines.sparse.kernels.fused import barrier
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.taps import each_form, each_tap, further
from karikomi.engines.sparse.kernels.vector import FLOAT, INT, at, call, intrinsic, kernel, put, read, spread, write

# What sums start from, and what becomes of them.
FRESH, ADDED, BIASED = range(3)
PLAIN, RECTIFIED, GATED = range(3)


@intrinsic()
def add_taps(
    builder, values, origin, down, weights, link, offsets, span, target, place, strides, form, size, modes, bias, gates
):
    """Sums over the taps in ``span`` for some rows and columns, the ``size``, of one channel, or of two in common.

    A tap reads in ``values`` at ``origin`` plus its offset, ``down`` elements further for every row and as many places
    as the ``form`` says for every column. Its weight, one for each channel, is at ``link``, behind those of the taps
    before. The ``strides`` in ``target``, from ``place`` on, are those from channel to channel, row to row, and column
    to column. The first of the ``modes`` says what the sums start from (0, what is there, or the ``weights`` from
    ``bias`` on), the second what is stored: the sums, without what is negative, or only where the row of ``gates`` at
    the same place is positive, else 0.
    """
    kind = ir.VectorType(FLOAT, ROW)
    zero = ir.Constant(kind, [0.0] * ROW)
    (rows, width), (start, end) = (cgutils.unpack_tuple(builder, pair) for pair in (size, modes))
    across, line, stride = cgutils.unpack_tuple(builder, strides)
    goal, gate = target.address(place), gates.address(place)
    own, factors = values.address(origin), weights.address(link)
    zeros = cgutils.alloca_once_value(builder, ir.Constant(ir.ArrayType(FLOAT, 2), [0.0] * 2))
    biased = builder.icmp_signed("==", start, start.type(BIASED))
    initial = builder.select(biased, weights.address(bias), builder.bitcast(zeros, FLOAT.as_pointer()))

    def visit(channels: int, step: int, many: int, tall: int, row: Any) -> None:
        base = builder.gep(own, [builder.mul(row, down)])
        first, door = (builder.gep(there, [builder.mul(row, line)]) for there in (goal, gate))
        places = [(c, r, n) for r in range(tall) for n in range(many) for c in range(channels)]
        sums = [cgutils.alloca_once(builder, kind) for _ in places]

        def spreads(scalars: Any) -> list[Any]:
            return [spread(builder, builder.load(builder.gep(scalars, [INT(c)])), ROW) for c in range(channels)]

        def each(signal: Any) -> Iterator[tuple[Any, Any]]:
            """The sums, and where their places in a signal are."""
            for (c, r, n), total in zip(places, sums, strict=True):
                yield total, further(builder, signal, (across, c), (line, r), (stride, n))

        def add_tap(tap: Any, offset: Any) -> None:
            there = builder.gep(base, [offset])
            scalars, value = spreads(builder.gep(factors, [builder.mul(tap, tap.type(channels))])), zero
            for (c, r, n), total in zip(places, sums, strict=True):
                if c == 0:
                    value = read(builder, builder.gep(further(builder, there, (down, r)), [INT(n * step * ROW)]), ROW)
                builder.store(call(builder, "fma", scalars[c], value, builder.load(total)), total)
                if c:
                    barrier(builder)

        beginnings = spreads(initial)
        for (c, _, _), total in zip(places, sums, strict=True):
            builder.store(beginnings[c], total)
        with builder.if_then(builder.icmp_signed("==", start, start.type(ADDED))):
            for total, here in each(first):
                builder.store(read(builder, here, ROW), total)
        each_tap(builder, offsets, span, add_tap)
        with builder.if_then(builder.icmp_signed("==", end, end.type(RECTIFIED))):
            for total in sums:
                value = builder.load(total)
                builder.store(builder.select(builder.fcmp_ordered(">", zero, value), zero, value), total)
        with builder.if_then(builder.icmp_signed("==", end, end.type(GATED))):
            for total, here in each(door):
                positive = builder.fcmp_ordered(">", read(builder, here, ROW), zero)
                builder.store(builder.select(positive, builder.load(total), zero), total)
        for total, here in each(first):
            write(builder, here, builder.load(total))

    each_form(builder, form, width, rows, visit)


@kernel
def add_all_taps(
    convolutions: Convolutions,
    number: int,
    block: int,
    values: np.ndarray,
    weights: np.ndarray,
    bias: int,
    target: np.ndarray,
    start: int,
    end: int,
    gates: np.ndarray,
) -> None:
    """One pass over all its places: strip by strip of columns, in it tile by tile, so that the window stays near."""
    one, spans = convolutions.passes[number], convolutions.spans
    lists = (one.channels + one.together - 1) // one.together
    column = 0
    for strip in range(one.strip, one.strip + one.strips):
        width = at(convolutions.strips, strip)
        for tile in range(one.tiles):
            span = one.spans + tile * lists
            begin, finish = start if tile == 0 else ADDED, end if tile == one.tiles - 1 else PLAIN
            for row in range(0, one.rows, one.band):
                rows = min(one.band, one.rows - row)
                origin = block + one.source + row * one.source_line + column * one.source_step
                place = block + one.target + row * one.target_line + column * one.target_step
                for channel in range(0, one.channels, one.together):
                    taps = at(spans, span), at(spans, span + 1)
                    span += 1
                    if taps[0] == taps[1] and begin == ADDED and finish == PLAIN:
                        continue
                    add_taps(
                        *(values, origin, one.source_line),
                        *(weights, one.weights + taps[0] * one.together, convolutions.offsets, taps),
                        *(target, place + channel * one.target_plane),
                        *((one.target_plane, one.target_line, one.target_step), one.form, (rows, width)),
                        *((begin, finish), bias + channel, gates),
                    )
                span -= lists
        column += width


@kernel
def convolve(
    convolutions: Convolutions, number: int, units: np.ndarray, block: int, parameters: np.ndarray, rectify: bool
) -> None:
    """The outputs of layer ``number``, plus its biases; if ``rectify``, what is negative becomes 0."""
    layer = convolutions.layers[number]
    start, end = BIASED if layer.bias >= 0 else FRESH, RECTIFIED if rectify else PLAIN
    add_all_taps(convolutions, layer.passes, block, units, parameters, layer.bias, units, start, end, units)


@kernel
def turn_weights(convolutions: Convolutions, parameters: np.ndarray, share: int, shares: int) -> None:
    """One of the ``shares`` of all weights in the order of the way back: in every step before :func:`convolve_back`."""
    size = convolutions.turned.size
    for place in range(size * share // shares, size * (share + 1) // shares):
        put(convolutions.turned, place, at(parameters, at(convolutions.links, place)))


@kernel
def convolve_back(
    convolutions: Convolutions,
    number: int,
    units: np.ndarray,
    by_outputs: np.ndarray,
    by_inputs: np.ndarray,
    block: int,
    add: bool,
    rectified: bool,
) -> None:
    """The loss's derivatives by the inputs of layer ``number``, from those by its outputs.

    If ``add``, what other readers of the inputs brought is kept. If the inputs were ``rectified``, the derivatives are
    by what they were before: 0 where they are not positive.
    """
    layer = convolutions.layers[number]
    start, end = ADDED if add else FRESH, GATED if rectified else PLAIN
    no_bias = np.intp(-1)  # a literal would be compiled as a type of its own
    for way in range(layer.passes + 1, layer.passes + 1 + layer.backs):
        add_all_taps(convolutions, way, block, by_outputs, convolutions.turned, no_bias, by_inputs, start, end, units)
