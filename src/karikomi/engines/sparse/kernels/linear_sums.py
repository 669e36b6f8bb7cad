"""The sums of a linear layer over planes, one pack of examples at a time."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.cuts import Cuts
from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import rolled_range
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    INT,
    REGISTER,
    call,
    intrinsic,
    kernel,
    load16,
    read,
    spread,
    store,
    write,
)

MOST = 24 if REGISTER == 16 else 6
"""Outputs at most of which the sums are in registers at once."""


@intrinsic()
def add_inputs(builder, units, place, count, weights, link, stride, goal, rows):
    """``count`` inputs that lie one after the other, by their weights, to some ``rows`` of sums at ``goal``."""
    kind, source, target = ir.VectorType(FLOAT, ROW), units.address(place), units.address(goal)
    factors, after = weights.address(link), builder.append_basic_block()
    choice = builder.switch(rows, after)
    for many in range(1, MOST + 1):
        block = builder.append_basic_block()
        choice.add_case(rows.type(many), block)
        builder.position_at_end(block)
        sums = [cgutils.alloca_once(builder, kind) for _ in range(many)]
        own: list[Any] = [builder.gep(target, [INT(n * ROW)]) for n in range(many)]
        for total, here in zip(sums, own, strict=True):
            builder.store(read(builder, here, ROW), total)
        with rolled_range(builder, count.type(0), count) as number:
            value = read(builder, builder.gep(source, [builder.mul(number, number.type(ROW))]), ROW)
            first = builder.gep(factors, [builder.mul(number, stride)])
            for n, total in enumerate(sums):
                weight = spread(builder, builder.load(builder.gep(first, [INT(n)])), ROW)
                builder.store(call(builder, "fma", weight, value, builder.load(total)), total)
        for total, here in zip(sums, own, strict=True):
            write(builder, here, builder.load(total))
        builder.branch(after)
    builder.position_at_end(after)


@kernel
def multiply(flow: Flow, cuts: Cuts, number: int, signal, first: int, fresh: bool) -> None:
    """A linear layer's sums over a signal, the numbers from the ``first`` one on; if not ``fresh`` they are added."""
    layer, units = cuts.linear[number], flow.units
    goal, blocks = flow.signals[layer.y].start, -(-layer.outputs // MOST)
    rows = -(-layer.outputs // blocks)
    # Without a halo all lines are one.
    lines = signal.channels * signal.height if signal.halo else 1
    count = signal.channels * signal.height * signal.width // lines
    for output in range(0, layer.outputs, rows):
        many, there = min(rows, layer.outputs - output), goal + output * ROW
        for row in range(0, many * ROW if fresh else 0, ROW):
            store(units, there + row, load16(cuts.biases, layer.bias + output * ROW + row))
        for number in range(lines):
            place = line_of(signal, np.intp(0), number // signal.height, number % signal.height)
            link = layer.links + (first + number * count) * layer.outputs + output
            add_inputs(units, place, count, cuts.links, link, layer.outputs, there, many)
