"""A sparse layer by itself, between rows of examples as other code has them; one block after the other.

Other code's arrays come as addresses: an array object for each would take as long as a small layer does.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from karikomi.engines.sparse.kernels.fused import total, transpose16
from karikomi.engines.sparse.kernels.links import correlate_links
from karikomi.engines.sparse.kernels.multiples import add_links, add_multiples
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, load64, put, splat64, store

_ZERO, _ONE = np.float32(0), np.float32(1)


class Wiring(NamedTuple):
    """The links of a layer, numbered row by row (a row of the mask is an output).

    Link k reads input ``partner[k]`` of its tile of ``width`` inputs; those of a row in a tile end, all rows and in
    them all tiles one after the other, where ``pointers`` says. For the way back ``back_link`` names the links input by
    input, tile by tile of the outputs; ``back_partner`` is the output in its tile.
    """

    inputs: int
    outputs: int
    width: int
    partner: np.ndarray
    pointers: np.ndarray
    back_width: int
    back_link: np.ndarray
    back_partner: np.ndarray
    back_pointers: np.ndarray


class Room(NamedTuple):
    """Where one block is worked on: values of inputs and outputs, or derivatives by them, unit by unit."""

    inputs: np.ndarray
    outputs: np.ndarray
    # Where rows of examples start, and units.
    row_starts: np.ndarray
    unit_starts: np.ndarray


def _floats(typing_context: Any, address: Any) -> Any:
    """The float32 numbers from an address on, as an array whose size nobody asks for."""
    kind = types.Array(types.float32, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(kind)(context, builder)
        size, step = context.get_constant(types.intp, 0), context.get_constant(types.intp, 4)
        data = builder.inttoptr(arguments[0], array.data.type)
        populate_array(array, data=data, shape=[size], strides=[step], itemsize=step, meminfo=None)
        return array._getvalue()

    return kind(types.intp), generate


floats: Any = intrinsic(_floats)


@kernel
def layer_forward(wiring: Wiring, room: Room, examples: int, x: int, weight: int, bias: int, y: int) -> None:
    """``y`` ``[examples, outputs]`` of ``x`` ``[examples, inputs]``, ``weight`` ``[links]`` and, if not 0, ``bias``."""
    for first in range(0, examples, LANES):
        some = min(LANES, examples - first)
        rows_to_lanes(room, floats(x), first, some, wiring.inputs, room.inputs)
        multiply(wiring, room, floats(weight), bias)
        lanes_to_rows(room, room.outputs, floats(y), first, some, wiring.outputs)


@kernel
def layer_backward(
    wiring: Wiring,
    room: Room,
    examples: int,
    x: int,
    weight: int,
    slopes: int,
    by_x: int,
    by_weight: int,
    by_bias: int,
) -> None:
    """The loss's derivatives by ``x``, ``weight`` and ``bias``, each if not 0, from ``slopes``, those by ``y``."""
    for first in range(0, examples, LANES):
        some, fresh = min(LANES, examples - first), first == 0
        rows_to_lanes(room, floats(slopes), first, some, wiring.outputs, room.outputs)
        for row in range(wiring.outputs if some < LANES else 0):
            for lane in range(some, LANES):
                put(room.outputs, row * LANES + lane, _ZERO)
        if by_weight:
            rows_to_lanes(room, floats(x), first, some, wiring.inputs, room.inputs)
            correlate(wiring, room, floats(by_weight), fresh)
        if by_bias:
            for row in range(wiring.outputs):
                before = _ZERO if fresh else at(floats(by_bias), row)
                put(floats(by_bias), row, before + total(load64(room.outputs, row * LANES)))
        if by_x:
            multiply_back(wiring, room, floats(weight))
            lanes_to_rows(room, room.inputs, floats(by_x), first, some, wiring.inputs)


@kernel
def multiply(wiring: Wiring, room: Room, weight: np.ndarray, bias: int) -> None:
    tiles = -(-wiring.inputs // wiring.width)
    for tile in range(tiles):
        origin = tile * wiring.width * LANES
        for row in range(wiring.outputs):
            place, span = row * LANES, span_of(wiring.pointers, row * tiles + tile)
            sums = load64(room.outputs, place) if tile else splat64(at(floats(bias), row) if bias else _ZERO)
            store(room.outputs, place, add_multiples(sums, weight, room.inputs, origin, wiring.partner, span))


@kernel
def correlate(wiring: Wiring, room: Room, gradient: np.ndarray, fresh: bool) -> None:
    tiles = -(-wiring.inputs // wiring.width)
    for tile in range(tiles):
        origin = tile * wiring.width * LANES
        for row in range(wiring.outputs):
            span = span_of(wiring.pointers, row * tiles + tile)
            correlate_links(room.outputs, row * LANES, room.inputs, origin, wiring.partner, span, gradient, fresh)


@kernel
def multiply_back(wiring: Wiring, room: Room, weight: np.ndarray) -> None:
    link, partner, width = wiring.back_link, wiring.back_partner, wiring.back_width
    for tile in range(-(-wiring.outputs // width)):
        for unit in range(wiring.inputs):
            sums = load64(room.inputs, unit * LANES) if tile else splat64(_ZERO)
            span = span_of(wiring.back_pointers, tile * wiring.inputs + unit)
            sums = add_links(sums, weight, link, room.outputs, tile * width * LANES, partner, span)
            store(room.inputs, unit * LANES, sums)


@kernel
def span_of(pointers: np.ndarray, number: int) -> tuple[int, int]:
    return at(pointers, number), at(pointers, number + 1)


@kernel
def rows_to_lanes(room: Room, rows: np.ndarray, first: int, some: int, width: int, units: np.ndarray) -> None:
    """``some`` rows from the ``first`` on become lanes of ``width`` units; other lanes repeat the first row."""
    starts = room.row_starts
    for lane in range(LANES):
        starts[lane] = (first + (lane if lane < some else 0)) * width
    if width < 16:
        for unit in range(width):
            for lane in range(LANES):
                put(units, unit * LANES + lane, at(rows, at(starts, lane) + unit))
        return
    for lane in range(0, LANES, 16):
        for unit in range(0, width, 16):
            # The last sixteen may be some of those before.
            here = min(unit, width - 16)
            transpose16(rows, starts, lane, here, units, room.unit_starts, here, lane, _ONE)


@kernel
def lanes_to_rows(room: Room, units: np.ndarray, rows: np.ndarray, first: int, some: int, width: int) -> None:
    """The first ``some`` lanes of ``width`` units become rows from the ``first`` on."""
    if width < 16 or some < 16:
        for lane in range(some):
            for unit in range(width):
                put(rows, (first + lane) * width + unit, at(units, unit * LANES + lane))
        return
    starts = room.row_starts
    for lane in range(some):
        starts[lane] = (first + lane) * width
    for lane in range(0, some, 16):
        number = min(lane, some - 16)
        for unit in range(0, width, 16):
            here = min(unit, width - 16)
            transpose16(units, room.unit_starts, here, number, rows, starts, number, here, _ONE)
