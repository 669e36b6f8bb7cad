"""Convolutions forward, and back to their inputs, on one block of examples."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution_layout import WIDEST, Convolutions
from karikomi.engines.sparse.kernels.links import while_links
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import FLOAT, at, call, intrinsic, kernel, read, spread, write


@intrinsic()
def add_taps(builder, target, place, values, origin, steps, weights, offsets, links, span, width, start, end, gates):
    """Sums over the links in ``span`` for ``width`` places of a line, at most WIDEST, become ``target`` from ``place`` on.

    Place i gets the products of ``weights[links[n]]`` and the row at ``values[origin + offsets[n] + i · step]``.
    ``steps`` are those from place to place in ``values`` and in ``target``. The sums start from the number that is the
    second of ``start``, or from what is in ``target`` if the first is not 0. In the ``end`` they are stored as they are
    (0), rectified (1), or (2) only where the row of ``gates`` at the same place is positive, else 0.
    """
    kind = ir.VectorType(FLOAT, ROW)
    zero = ir.Constant(kind, [0.0] * ROW)
    step, stride = (builder.extract_value(steps, n) for n in range(2))
    begin, last = (builder.extract_value(span, n) for n in range(2))
    add, initial = (builder.extract_value(start, n) for n in range(2))
    goal, gate = target.address(place), gates.address(place)
    after = builder.append_basic_block()
    choice = builder.switch(width, after)

    def row(base: Any, distance: Any, number: int) -> Any:
        return builder.gep(base, [builder.mul(distance, distance.type(number))])

    for many in range(1, WIDEST + 1):
        block = builder.append_basic_block()
        choice.add_case(width.type(many), block)
        builder.position_at_end(block)
        sums = [cgutils.alloca_once(builder, kind) for _ in range(many)]
        with builder.if_else(builder.icmp_signed("!=", add, add.type(0))) as (then, otherwise):
            with then:
                for number, total in enumerate(sums):
                    builder.store(read(builder, row(goal, stride, number), ROW), total)
            with otherwise:
                for total in sums:
                    builder.store(spread(builder, initial, ROW), total)
        current = cgutils.alloca_once_value(builder, begin)
        with while_links(builder, current, last, 1) as link:
            weight = spread(builder, weights.at(links.at(link)), ROW)
            base = values.address(builder.add(origin, offsets.at(link)))
            for number, total in enumerate(sums):
                product = call(builder, "fma", weight, read(builder, row(base, step, number), ROW), builder.load(total))
                builder.store(product, total)
        with builder.if_then(builder.icmp_signed("==", end, end.type(1))):
            for total in sums:
                value = builder.load(total)
                builder.store(builder.select(builder.fcmp_ordered(">", zero, value), zero, value), total)
        with builder.if_then(builder.icmp_signed("==", end, end.type(2))):
            for number, total in enumerate(sums):
                positive = builder.fcmp_ordered(">", read(builder, row(gate, stride, number), ROW), zero)
                builder.store(builder.select(positive, builder.load(total), zero), total)
        for number, total in enumerate(sums):
            write(builder, row(goal, stride, number), builder.load(total))
        builder.branch(after)
    builder.position_at_end(after)


@kernel
def add_all_taps(
    convolutions: Convolutions,
    number: int,
    block: int,
    values: np.ndarray,
    target: np.ndarray,
    gates: np.ndarray,
    parameters: np.ndarray,
    bias: int,
    add: int,
    end: int,
) -> None:
    """One pass over all its places: strip by strip of columns, in it tile by tile, so that the window stays near."""
    one, spans = convolutions.passes[number], convolutions.spans
    for column in range(0, one.columns, one.width):
        width = min(one.width, one.columns - column)
        for tile in range(one.tiles):
            lists = one.spans + tile * one.channels
            more, finish = add if tile == 0 else 1, end if tile == one.tiles - 1 else 0
            for row in range(one.rows):
                origin = block + one.source + row * one.source_line + column * one.source_step
                place = block + one.target + row * one.target_line + column * one.target_step
                for channel in range(one.channels):
                    initial = at(parameters, bias + channel) if bias >= 0 else np.float32(0)
                    add_taps(
                        *(target, place + channel * one.target_plane),
                        *(values, origin, (one.source_step, one.target_step)),
                        *(parameters, convolutions.offsets, convolutions.links),
                        (at(spans, lists + channel), at(spans, lists + channel + 1)),
                        *(width, (more, initial), finish, gates),
                    )


@kernel
def convolve(
    convolutions: Convolutions, number: int, units: np.ndarray, block: int, parameters: np.ndarray, rectify: bool
) -> None:
    """The outputs of layer ``number``, plus its biases; if ``rectify``, what is negative becomes 0."""
    layer = convolutions.layers[number]
    end = 1 if rectify else 0
    add_all_taps(convolutions, layer.passes, block, units, units, units, parameters, layer.bias, 0, end)


@kernel
def convolve_back(
    convolutions: Convolutions,
    number: int,
    units: np.ndarray,
    deltas: np.ndarray,
    block: int,
    parameters: np.ndarray,
    add: bool,
    rectified: bool,
) -> None:
    """The loss's derivatives by the inputs of layer ``number``, from those by its outputs, both in ``deltas``.

    If ``add``, what other readers of the inputs brought is kept. If the inputs were ``rectified``, the derivatives are
    by what they were before: 0 where they are not positive.
    """
    layer = convolutions.layers[number]
    more, end = 1 if add else 0, 2 if rectified else 0
    for way in range(layer.passes + 1, layer.passes + 1 + layer.backs):
        add_all_taps(convolutions, way, block, deltas, deltas, units, parameters, -1, more, end)
