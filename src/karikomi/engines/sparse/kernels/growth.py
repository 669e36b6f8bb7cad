"""What one channel's growth adds to a convolution's sums, on the way through what follows: an activation or pooling.

The sums stay as they are: what is stored is what becomes of them, without what would else be three passes over planes.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.planes import ROW, first, line, plane
from karikomi.engines.sparse.kernels.taps import each_tap, further
from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    INT,
    REGISTER,
    at,
    call,
    intrinsic,
    kernel,
    read,
    splat16,
    spread,
    write,
)

WIDEST = 14 if REGISTER == 16 else 2
"""Columns at most of which the sums, of two rows, are in registers at once; even, so that they can be pooled."""

GROWTH = np.dtype(
    [
        (name, np.int64)
        for name in (
            # The signals: a channel's growth, the sums, and what becomes of them, ``pooled`` by squares or not.
            *("x", "sums", "y", "pooled"),
            # Channels of the outputs; the first list of taps; columns at once.
            *("outputs", "spans", "width"),
        )
    ],
    align=True,
)
"""A layer, and what follows it."""


class Growths(NamedTuple):
    """Layers. The taps between channel c and output o are list ``spans`` + c · outputs + o: those from
    ``spans[n]`` to before ``spans[n + 1]``, each of which reads at an offset and has a weight."""

    layers: Any
    spans: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray


def at_least(builder: Any, value: Any, *others: Any) -> Any:
    """The largest of them; NaN where ``value`` is NaN."""
    for other in others:
        value = builder.select(builder.fcmp_ordered(">", other, value), other, value)
    return value


@intrinsic()
def add_growth(builder, units, place, down, growth, below, offsets, weights, span, lowest, goal, under, pooled, width):
    """Two rows of sums at ``place`` plus the taps in ``span``, none below the ``lowest``; if ``pooled``, of squares.

    ``down``, ``below`` and ``under`` are the elements to the next row of sums, growth and goal.
    """
    kind, base = ir.VectorType(FLOAT, ROW), units.address(growth)
    own, target = units.address(place), units.address(goal)
    factors, after = weights.address(builder.extract_value(span, 0)), builder.append_basic_block()
    choice = builder.switch(builder.add(builder.mul(width, width.type(2)), pooled), after)
    for many, squares in ((n, s) for n in range(1, WIDEST + 1) for s in range(2 - n % 2)):
        block = builder.append_basic_block()
        choice.add_case(width.type(2 * many + squares), block)
        builder.position_at_end(block)
        places = [(r, n) for r in range(2) for n in range(many)]
        sums = {spot: cgutils.alloca_once(builder, kind) for spot in places}
        for (r, n), total in sums.items():
            here = builder.gep(further(builder, own, (down, r)), [INT(n * ROW)])
            builder.store(read(builder, here, ROW), total)

        def add_tap(tap: Any, offset: Any, sums: Any = sums) -> None:
            there = builder.gep(base, [offset])
            weight = spread(builder, builder.load(builder.gep(factors, [tap])), ROW)
            for (r, n), total in sums.items():
                value = read(builder, builder.gep(further(builder, there, (below, r)), [INT(n * ROW)]), ROW)
                builder.store(call(builder, "fma", weight, value, builder.load(total)), total)

        each_tap(builder, offsets, span, add_tap)
        found = {spot: builder.load(total) for spot, total in sums.items()}
        if squares:
            for n in range(0, many, 2):
                four = [found[r, n + c] for r in range(2) for c in range(2)]
                write(builder, builder.gep(target, [INT(n // 2 * ROW)]), at_least(builder, *four, lowest))
        else:
            for (r, n), value in found.items():
                here = builder.gep(further(builder, target, (under, r)), [INT(n * ROW)])
                write(builder, here, at_least(builder, value, lowest))
        builder.branch(after)
    builder.position_at_end(after)


@kernel
def grow(growths: Growths, number: int, channel: int, units: np.ndarray, signals, kept: int, lowest: float) -> None:
    """What follows layer ``number`` after a ``channel`` grew; the sums without that are in the block at ``kept``."""
    layer = growths.layers[number]
    source, sums, target = signals[layer.x], signals[layer.sums], signals[layer.y]
    share = 1 + layer.pooled
    for output in range(layer.outputs):
        list_ = layer.spans + channel * layer.outputs + output
        taps = at(growths.spans, list_), at(growths.spans, list_ + 1)
        own = kept + first(sums) + output * plane(sums)
        goal = first(target) + output * plane(target)
        # The last rows and columns may be computed twice.
        for row in range(0, sums.height, 2):
            y = min(row, sums.height - 2)
            for column in range(0, sums.width, layer.width):
                x = min(column, sums.width - layer.width)
                add_growth(
                    *(units, own + y * line(sums) + x * ROW, line(sums)),
                    *(first(source) + y * line(source) + x * ROW, line(source)),
                    *(growths.offsets, growths.weights, taps, splat16(lowest)),
                    *(goal + y // share * line(target) + x // share * ROW, line(target), layer.pooled, layer.width),
                )
