"""The gradient of a convolution's links and biases on one block of examples."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution_layout import Convolutions
from karikomi.engines.sparse.kernels.fused import total
from karikomi.engines.sparse.kernels.links import lane_sums, while_links
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    REGISTER,
    at,
    call,
    intrinsic,
    kernel,
    load16,
    put,
    read,
    splat16,
    write,
)

TOGETHER = 8 * REGISTER // ROW
"""Links whose dot products are in registers at once."""


@intrinsic()
def correlate_taps(builder, deltas, start, line, values, origin, steps, rows, columns, offsets, span, sums, place):
    """Of every link in ``span`` the dot product of deltas and what it reads, over some places, is added to ``sums``.

    The places are ``rows`` times ``columns``, in ``deltas`` from ``start`` on, with ``line`` from row to row; in
    ``values``, from ``origin`` plus the link's offset on, the ``steps`` are those from row to row and from place to
    place. The first link's sum is at ``place``.
    """
    begin, last = (builder.extract_value(span, n) for n in range(2))
    down, right = (builder.extract_value(steps, n) for n in range(2))
    kind, zero, one = ir.VectorType(FLOAT, ROW), ir.Constant(ir.VectorType(FLOAT, ROW), [0.0] * ROW), begin.type(1)
    current = cgutils.alloca_once_value(builder, begin)
    for many in (many for many in (8, 4, 2, 1) if many <= TOGETHER):
        # Short of links, several chains for each: else they would wait for their multiply-adds.
        with while_links(builder, current, last, many) as link:
            chains = [cgutils.alloca_once_value(builder, zero) for _ in range(many)]
            others = [
                values.address(builder.add(origin, offsets.at(builder.add(link, link.type(n))))) for n in range(many)
            ]
            with cgutils.for_range(builder, rows) as outer:
                own = deltas.address(builder.add(start, builder.mul(outer.index, line)))
                shift = builder.mul(outer.index, down)
                with cgutils.for_range(builder, columns) as inner:
                    delta = read(builder, builder.gep(own, [builder.mul(inner.index, one.type(ROW))]), ROW)
                    where = builder.add(shift, builder.mul(inner.index, right))
                    for chain, other in zip(chains, others, strict=True):
                        value = read(builder, builder.gep(other, [where]), ROW)
                        builder.store(call(builder, "fma", delta, value, builder.load(chain)), chain)
            goal = sums.address(builder.add(place, builder.sub(link, begin)))
            for n in range(0, many, 4):
                found = lane_sums(builder, [builder.load(chain) for chain in chains[n : n + 4]])
                here = builder.gep(goal, [one.type(n)])
                write(builder, here, builder.fadd(read(builder, here, found.type.count), found))


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
    layer = convolutions.layers[number]
    one, spans = convolutions.passes[layer.passes], convolutions.spans
    first = at(spans, one.spans)
    for column in range(0, one.columns, one.width):
        width = min(one.width, one.columns - column)
        for tile in range(one.tiles):
            lists = one.spans + tile * one.channels
            for row in range(0, one.rows, 2):
                rows = min(2, one.rows - row)
                origin = block + one.source + row * one.source_line + column * one.source_step
                start = block + one.target + row * one.target_line + column * one.target_step
                for channel in range(one.channels):
                    begin, end = at(spans, lists + channel), at(spans, lists + channel + 1)
                    correlate_taps(
                        *(deltas, start + channel * one.target_plane, one.target_line),
                        *(units, origin, (one.source_line, one.source_step), rows, width),
                        *(convolutions.offsets, (begin, end), gradient, place + begin - first),
                    )


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
