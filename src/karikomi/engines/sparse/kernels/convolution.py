"""Convolutions forward, and back to their inputs, on one block of examples."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution_layout import WIDEST, Convolutions
from karikomi.engines.sparse.kernels.links import while_links
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import FLOAT, INT, at, call, intrinsic, kernel, put, read, spread, write

# What sums start from, and what becomes of them.
FRESH, ADDED, BIASED = range(3)
PLAIN, RECTIFIED, GATED = range(3)


def starts_of_taps(builder: Any, values: Any, origin: Any, offsets: Any, tap: Any, many: int) -> list[Any]:
    """Where one or two taps read; the offsets of two are loaded at once, as loads are what visiting taps is short of."""
    entry = offsets.address(tap)
    if many == 1:
        return [values.address(builder.add(origin, offsets.taken(builder.load(entry))))]
    both = builder.load(builder.bitcast(entry, tap.type.as_pointer()))
    both.align = 4
    pair = builder.sext(builder.trunc(both, INT), tap.type), builder.ashr(both, tap.type(32))
    return [values.address(builder.add(origin, offset)) for offset in pair]


def apart(builder: Any, start: Any, step: Any, number: int) -> Any:
    """The address that lies ``number`` steps behind another one."""
    return builder.gep(start, [builder.mul(step, step.type(number))])


@intrinsic()
def add_taps(builder, values, origin, steps, weights, link, offsets, span, target, place, strides, size, modes, bias, gates):
    """Sums over the taps in ``span`` for some places of one channel, or of two that have them in common.

    ``size`` are the channels, rows and columns; the ``steps`` in ``values`` lead from row to row and from column to
    column, the ``strides`` in ``target`` from channel to channel too, before these. A sum gets the products of what the
    tap reads at ``values[origin + offsets[tap]]``, as many steps further as the place, and the weight at ``link``, for
    the second channel the one behind it; every tap's weights follow those of the one before. The first of the ``modes``
    says what the sums start from (0, what is there, or the ``weights`` from ``bias`` on), the second what is stored:
    the sums, without what is negative, or only where the row of ``gates`` at the same place is positive, else 0.
    """
    kind = ir.VectorType(FLOAT, ROW)
    zero = ir.Constant(kind, [0.0] * ROW)
    (down, right), (start, end), (begin, last) = (cgutils.unpack_tuple(builder, pair) for pair in (steps, modes, span))
    channel, line, stride = cgutils.unpack_tuple(builder, strides)
    together, rows, width = cgutils.unpack_tuple(builder, size)
    own, goals, doors = values.address(origin), target.address(place), gates.address(place)
    biases, factors = weights.address(bias), weights.address(link)
    after = builder.append_basic_block()
    choice = builder.switch(builder.add(builder.mul(together, width.type(WIDEST[1])), width), after)

    def write_code(channels: int, many: int) -> None:
        sums = [[cgutils.alloca_once(builder, kind) for _ in range(many)] for _ in range(channels)]

        def each(first: Any, work: Any) -> None:
            for c, totals in enumerate(sums):
                for number, total in enumerate(totals):
                    work(total, apart(builder, apart(builder, first, channel, c), stride, number), c)

        def begin_sums(first: Any) -> None:
            each(first, lambda total, here, c: builder.store(zero, total))
            with builder.if_then(builder.icmp_signed("==", start, start.type(ADDED))):
                each(first, lambda total, here, c: builder.store(read(builder, here, ROW), total))
            with builder.if_then(builder.icmp_signed("==", start, start.type(BIASED))):
                values = [spread(builder, builder.load(builder.gep(biases, [INT(c)])), ROW) for c in range(channels)]
                each(first, lambda total, here, c: builder.store(values[c], total))

        def end_sums(first: Any, gate: Any) -> None:
            def rectify(total: Any, here: Any, c: int) -> None:
                value = builder.load(total)
                builder.store(builder.select(builder.fcmp_ordered(">", zero, value), zero, value), total)

            def close(total: Any, here: Any, c: int) -> None:
                positive = builder.fcmp_ordered(">", read(builder, here, ROW), zero)
                builder.store(builder.select(positive, builder.load(total), zero), total)

            with builder.if_then(builder.icmp_signed("==", end, end.type(RECTIFIED))):
                each(first, rectify)
            with builder.if_then(builder.icmp_signed("==", end, end.type(GATED))):
                each(gate, close)
            each(first, lambda total, here, c: write(builder, here, builder.load(total)))

        with cgutils.for_range(builder, rows) as loop:
            shift = builder.mul(loop.index, line)
            first, gate = builder.gep(goals, [shift]), builder.gep(doors, [shift])
            base = builder.mul(loop.index, down)
            begin_sums(first)
            current = cgutils.alloca_once(builder, begin.type)
            builder.store(begin, current)
            for taps in (2, 1):
                with while_links(builder, current, last, taps) as tap:
                    number = builder.mul(builder.sub(tap, begin), tap.type(channels))
                    factor = builder.gep(factors, [number])
                    for t, place in enumerate(starts_of_taps(builder, values, builder.add(origin, base), offsets, tap, taps)):
                        scalars = [
                            spread(builder, builder.load(builder.gep(factor, [INT(t * channels + c)])), ROW)
                            for c in range(channels)
                        ]
                        for number in range(many):
                            value = read(builder, apart(builder, place, right, number), ROW)
                            for scalar, totals in zip(scalars, sums, strict=True):
                                product = call(builder, "fma", scalar, value, builder.load(totals[number]))
                                builder.store(product, totals[number])
            end_sums(first, gate)

    for channels, widest in WIDEST.items():
        for many in range(1, widest + 1):
            block = builder.append_basic_block()
            choice.add_case(width.type(channels * WIDEST[1] + many), block)
            builder.position_at_end(block)
            write_code(channels, many)
            builder.branch(after)
    builder.position_at_end(after)


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
    for column in range(0, one.columns, one.width):
        width = min(one.width, one.columns - column)
        for tile in range(one.tiles):
            span = one.spans + tile * lists
            begin, finish = start if tile == 0 else ADDED, end if tile == one.tiles - 1 else PLAIN
            for row in range(0, one.rows, one.band):
                rows = min(one.band, one.rows - row)
                origin = block + one.source + row * one.source_line + column * one.source_step
                place = block + one.target + row * one.target_line + column * one.target_step
                for channel in range(0, one.channels, one.together):
                    taps = at(spans, span), at(spans, span + 1)
                    add_taps(
                        *(values, origin, (one.source_line, one.source_step)),
                        *(weights, one.weights + taps[0] * one.together, convolutions.offsets, taps),
                        *(target, place + channel * one.target_plane),
                        *((one.target_plane, one.target_line, one.target_step), (one.together, rows, width)),
                        *((begin, finish), bias + channel, gates),
                    )
                    span += 1
                span -= lists


@kernel
def convolve(
    convolutions: Convolutions, number: int, units: np.ndarray, block: int, parameters: np.ndarray, rectify: bool
) -> None:
    """The outputs of layer ``number``, plus its biases; if ``rectify``, what is negative becomes 0."""
    layer = convolutions.layers[number]
    start, end = BIASED if layer.bias >= 0 else FRESH, RECTIFIED if rectify else PLAIN
    add_all_taps(convolutions, layer.passes, block, units, parameters, layer.bias, units, start, end, units)


@kernel
def turn_weights(convolutions: Convolutions, parameters: np.ndarray) -> None:
    """All weights in the order of the way back: once in every step, before :func:`convolve_back`."""
    for place in range(convolutions.turned.size):
        put(convolutions.turned, place, at(parameters, at(convolutions.links, place)))


@kernel
def convolve_back(
    convolutions: Convolutions,
    number: int,
    units: np.ndarray,
    deltas: np.ndarray,
    block: int,
    add: bool,
    rectified: bool,
) -> None:
    """The loss's derivatives by the inputs of layer ``number``, from those by its outputs, both in ``deltas``.

    If ``add``, what other readers of the inputs brought is kept. If the inputs were ``rectified``, the derivatives are
    by what they were before: 0 where they are not positive.
    """
    layer = convolutions.layers[number]
    start, end = ADDED if add else FRESH, GATED if rectified else PLAIN
    for way in range(layer.passes + 1, layer.passes + 1 + layer.backs):
        add_all_taps(convolutions, way, block, deltas, convolutions.turned, 0, deltas, start, end, units)
