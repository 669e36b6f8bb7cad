"""Convolutions of 3 × 3 by Winograd's minimal filtering: 36 products where a sum over taps takes 144.

F(4 × 4, 3 × 3) of Lavin & Gray 2016 (arXiv 1509.09308): a tile of 6 × 6 places is turned into 36 values, each is
multiplied channel by channel, and the products are turned into 4 × 4 places. The polynomials are taken at 0, ±√½, ±√2
and ∞, where rounding is about twice that of a plain sum; at the usual 0, ±1, ±2 it is more than four times.
Channels that are silent in all examples and tiles at hand are left out.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.fused import any_bit, rolled_range
from karikomi.engines.sparse.kernels.growth import at_least
from karikomi.engines.sparse.kernels.planes import ROW, line, plane
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.taps import further
from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    INT,
    REGISTER,
    at,
    call,
    intrinsic,
    kernel,
    load16,
    put,
    read,
    splat16,
    spread,
    write,
)

SIDE, READ = 4, 6
"""Places that a tile writes and reads, in each direction."""
OUTPUTS, TILES = (4, 5) if REGISTER == 16 else (2, 3)
"""Channels, and tiles at most, of which the sums are in registers at once."""
INNER, OUTER = 0.5, 2.0
"""The squares of the polynomials' points; that they are each other's inverse saves a factor."""

WINOGRAD = np.dtype(
    [
        (name, np.int64)
        for name in (
            # The signals read and written, ``pooled`` by squares or not, and their channels; the outputs' are padded to
            # whole OUTPUTS.
            *("x", "y", "pooled", "inputs", "outputs", "padded"),
            # Where the first of the tiles is, their number, and how many are computed at once.
            *("first", "tiles", "together"),
            # Where the weights, ``[36, inputs, padded]``, and the biases are.
            *("weights", "bias"),
        )
    ],
    align=True,
)
"""A layer."""


class Winograd(NamedTuple):
    """Layers, and where each tile begins in the planes: in ``sources`` and ``targets``, from a signal's start on.

    ``room`` is for the tiles of all channels at hand, ``loud`` for the numbers of those that are not silent.
    """

    layers: Any
    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    room: np.ndarray
    loud: np.ndarray


def filters(weight: np.ndarray) -> np.ndarray:
    """What the tiles of inputs are multiplied with, ``[36, inputs, outputs]``; ``weight`` is as PyTorch's."""
    inner, outer = np.sqrt([INNER, OUTER])
    rows = [[1, 0, 0]]
    for point, other in ((inner, outer), (-inner, outer), (outer, inner), (-outer, inner)):
        rows.append(np.array([1, point, point**2]) / (2 * point**2 * (point**2 - other**2)))
    turn = np.array([*rows, [0, 0, 1]])
    return np.einsum("ij,ocjk,lk->ilco", turn, weight, turn).reshape(READ * READ, *weight.shape[1::-1])


def _times(builder: Any, value: Any, factor: float) -> Any:
    return builder.fmul(value, ir.Constant(value.type, [factor] * ROW))


def _plus(builder: Any, sum_: Any, factor: float, value: Any) -> Any:
    return call(builder, "fma", ir.Constant(value.type, [factor] * ROW), value, sum_)


def _into_values(builder: Any, d: Sequence[Any]) -> list[Any]:
    """Six places in a row as six values."""
    values = []
    for own, other in ((INNER, OUTER), (OUTER, INNER)):
        even, odd = _plus(builder, d[4], -other, d[2]), _plus(builder, d[3], -other, d[1])
        odd = _times(builder, odd, own**0.5)
        values += [builder.fadd(even, odd), builder.fsub(even, odd)]
    ends = [_plus(builder, builder.fadd(d[n], d[n + 4]), -INNER - OUTER, d[n + 2]) for n in (0, 1)]
    return [ends[0], *values, ends[1]]


def _into_places(builder: Any, m: Sequence[Any]) -> list[Any]:
    """Six products as four places in a row."""
    (a, b), (c, d) = ((builder.fadd(m[n], m[n + 1]), builder.fsub(m[n], m[n + 1])) for n in (1, 3))
    inner, outer = INNER**0.5, OUTER**0.5
    return [
        builder.fadd(m[0], builder.fadd(a, c)),
        _plus(builder, _times(builder, b, inner), outer, d),
        _plus(builder, _times(builder, a, INNER), OUTER, c),
        _plus(builder, _plus(builder, m[5], inner**3, b), outer**3, d),
    ]


@intrinsic()
def turn_tile(builder, values, place, down, target, goal, stride):
    """The tile at ``place``, ``down`` elements from line to line, as values that are ``stride`` elements apart."""
    source, goal = values.address(place), target.address(goal)
    lines = []
    for y in range(READ):
        start = further(builder, source, (down, y))
        row = [read(builder, builder.gep(start, [INT(x * ROW)]), ROW) for x in range(READ)]
        lines.append(_into_values(builder, row))
    for x in range(READ):
        for y, value in enumerate(_into_values(builder, [row[x] for row in lines])):
            write(builder, further(builder, goal, (stride, y * READ + x)), value)


@intrinsic()
def turn_products(builder, products, place, stride, bias, lowest, target, goal, down, pooled):
    """Products ``stride`` elements apart as a tile of outputs at ``goal``, plus ``bias``, none below the ``lowest``.

    If ``pooled``, of every four places the largest one.
    """
    source, goal = products.address(place), target.address(goal)
    lines = []
    for y in range(READ):
        row = [read(builder, further(builder, source, (stride, y * READ + x)), ROW) for x in range(READ)]
        lines.append(_into_places(builder, row))
    places = [_into_places(builder, [row[x] for row in lines]) for x in range(SIDE)]

    def keep(y: int, x: int, value: Any) -> None:
        value = at_least(builder, builder.fadd(value, bias), lowest)
        write(builder, builder.gep(further(builder, goal, (down, y)), [INT(x * ROW)]), value)

    with builder.if_else(builder.icmp_signed("!=", pooled, pooled.type(0))) as (squares, single):
        with squares:
            for x, y in product(range(0, SIDE, 2), repeat=2):
                keep(y // 2, x // 2, at_least(builder, *(places[x + n][y + m] for n in range(2) for m in range(2))))
        with single:
            for x, y in product(range(SIDE), repeat=2):
                keep(y, x, places[x][y])


@intrinsic()
def multiply_tiles(builder, values, place, channels, count, weights, link, stride, target, goal, tiles):
    """Sums over ``count`` of the ``channels`` for OUTPUTS channels and some ``tiles``, one of the 36 values.

    A channel's values of the tiles are rows from ``place`` on, its weights ``stride`` elements apart from ``link`` on.
    """
    kind = ir.VectorType(FLOAT, ROW)
    source, factors, goal = values.address(place), weights.address(link), target.address(goal)
    after = builder.append_basic_block()
    choice = builder.switch(tiles, after)
    for many in range(1, TILES + 1):
        block = builder.append_basic_block()
        choice.add_case(tiles.type(many), block)
        builder.position_at_end(block)
        places = [(o, t) for t in range(many) for o in range(OUTPUTS)]
        sums = [cgutils.alloca_once(builder, kind) for _ in places]
        for total in sums:
            builder.store(ir.Constant(kind, [0.0] * ROW), total)
        with rolled_range(builder, count.type(0), count) as number:
            channel = channels.at(number)
            own = builder.gep(source, [builder.mul(channel, channel.type(many * ROW))])
            link = builder.gep(factors, [builder.mul(channel, stride)])
            scalars = [spread(builder, builder.load(builder.gep(link, [INT(o)])), ROW) for o in range(OUTPUTS)]
            value = None
            for (o, t), total in zip(places, sums, strict=True):
                if o == 0:
                    value = read(builder, builder.gep(own, [INT(t * ROW)]), ROW)
                builder.store(call(builder, "fma", scalars[o], value, builder.load(total)), total)
        for (o, t), total in zip(places, sums, strict=True):
            write(builder, builder.gep(goal, [INT((o * many + t) * ROW)]), builder.load(total))
        builder.branch(after)
    builder.position_at_end(after)


@inlined
def apart(rows: int) -> int:
    """Elements from one of the 36 values to the next: an odd number of rows, so that they share no set of a cache."""
    return (rows | 1) * ROW


@kernel
def silent(units: np.ndarray, place: int, down: int) -> bool:
    """Whether a tile is 0 everywhere."""
    for row in range(place, place + READ * down, down):
        for here in range(row, row + READ * ROW, ROW):
            if any_bit(load16(units, here)):
                return False
    return True


@kernel
def turn_inputs(winograd: Winograd, layer, units: np.ndarray, start: int, signal, first: int) -> int:
    """The tiles from ``first`` on of all channels that are not silent: how many channels."""
    down, many, loud = line(signal), layer.together, 0
    stride = apart(layer.inputs * many)
    for channel in range(layer.inputs):
        place, quiet = start + channel * plane(signal), True
        for tile in range(first, first + many):
            quiet = quiet and silent(units, place + at(winograd.sources, tile), down)
        if quiet:
            continue
        for tile in range(many):
            goal = (channel * many + tile) * ROW
            turn_tile(units, place + at(winograd.sources, first + tile), down, winograd.room, goal, stride)
        put(winograd.loud, loud, channel)
        loud += 1
    return loud


@kernel
def convolve_tiles(winograd: Winograd, number: int, units: np.ndarray, signals, block: int, lowest: float) -> None:
    """The outputs of layer ``number`` in a block, plus its biases, none below the ``lowest``."""
    layer = winograd.layers[number]
    signal, target, many = signals[layer.x], signals[layer.y], layer.together
    width, stride = apart(layer.inputs * many), apart(layer.padded * many)
    products = READ * READ * width
    for begin in range(0, layer.tiles, many):
        first = layer.first + min(begin, layer.tiles - many)
        loud = turn_inputs(winograd, layer, units, block + signal.start, signal, first)
        for value in range(READ * READ):
            for output in range(0, layer.padded, OUTPUTS):
                multiply_tiles(
                    *(winograd.room, value * width, winograd.loud, loud),
                    *(winograd.weights, layer.weights + value * layer.inputs * layer.padded + output, layer.padded),
                    *(winograd.room, products + value * stride + output * many * ROW, many),
                )
        for output in range(layer.outputs):
            bias = load16(winograd.weights, layer.bias + output * ROW)
            goal = block + target.start + output * plane(target)
            for tile in range(many):
                place = products + (output * many + tile) * ROW
                there = goal + at(winograd.targets, first + tile)
                turn_products(
                    winograd.room, place, stride, bias, splat16(lowest), units, there, line(target), layer.pooled
                )
