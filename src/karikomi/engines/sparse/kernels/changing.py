"""The links of a sparse layer changed: sorted anew, and their values moved to where that puts them."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.sorting import TILE, Lists, Order, Room, sort_back, sort_links, span_of
from karikomi.engines.sparse.kernels.vector import at, kernel, load16, put, splat16, store

_ZERO = np.float32(0)


class Values(NamedTuple):
    """Parameters and two moments of each; room for those of a layer, and of a block."""

    parameters: np.ndarray
    first: np.ndarray
    second: np.ndarray
    moved: np.ndarray
    block: np.ndarray


@kernel
def change_links(
    room: Room,
    lists: Lists,
    old: Order,
    kept: np.ndarray,
    grown: np.ndarray,
    new: Order,
    positions: np.ndarray,
    elements: np.ndarray,
    inputs: int,
    values: Values,
) -> None:
    """Of the ``old`` links some are ``kept``; at the places ``grown``, ascending, there are ``new`` ones, of values 0.

    ``positions`` and ``elements`` become those of all.
    """
    _mark_changes(room, old, kept, grown, inputs)
    sort_links(room, lists, new)
    if lists.back_pointers.size:
        sort_back(lists, new, inputs)
    _clear(values.moved)
    _clear(values.block)
    for tile in range(new.links.size):
        for group in range(new.groups):
            _take(old, tile, group, kept, values)
            _bring(new, tile, group, lists.link, values)
            _name(new, tile, group, inputs, positions, elements)
    size = values.moved.size // 3
    for place in range(0, size, 16):
        store(values.parameters, lists.link + place, load16(values.moved, place))
        store(values.first, lists.link + place, load16(values.moved, size + place))
        store(values.second, lists.link + place, load16(values.moved, 2 * size + place))


@inlined
def _mark_changes(room, old, kept, grown, inputs):
    for tile in range(old.links.size):
        for group in range(old.groups):
            begin, end, _ = span_of(old, tile, group)
            origin = group * room.stride + tile * TILE
            for number in range(begin, end):
                cell = at(old.cells, number)
                place, gone = origin + cell // GROUP, 1 - at(kept, number)
                put(room.patterns, place, at(room.patterns, place) ^ gone << cell % GROUP)
    row, begin = np.intp(0), np.intp(0)
    for number in range(grown.size):
        while at(grown, number) >= begin + inputs:
            row += 1
            begin += inputs
        place = row // GROUP * room.stride + at(grown, number) - begin
        put(room.patterns, place, at(room.patterns, place) | 1 << row % GROUP)


@inlined
def _take(old, tile, group, kept, values):
    """The values of those links of a block that stay, into its room."""
    begin, end, shift = span_of(old, tile, group)
    for number in range(begin, end):
        cell, stays = 4 * at(old.cells, number), at(kept, number)
        one, two = at(values.parameters, number + shift), at(values.first, number + shift)
        three = at(values.second, number + shift)
        put(values.block, cell, one if stays else _ZERO)
        put(values.block, cell + 1, two if stays else _ZERO)
        put(values.block, cell + 2, three if stays else _ZERO)


@inlined
def _bring(new, tile, group, link, values):
    """Values from the room of a block to where they go; the room is empty then."""
    (begin, end, shift), size = span_of(new, tile, group), values.moved.size // 3
    for number in range(begin, end):
        cell, place = 4 * at(new.cells, number), number + shift - link
        put(values.moved, place, at(values.block, cell))
        put(values.moved, size + place, at(values.block, cell + 1))
        put(values.moved, 2 * size + place, at(values.block, cell + 2))
        put(values.block, cell, _ZERO)
        put(values.block, cell + 1, _ZERO)
        put(values.block, cell + 2, _ZERO)


@inlined
def _name(new, tile, group, inputs, positions, elements):
    begin, end, shift = span_of(new, tile, group)
    for number in range(begin, end):
        cell = at(new.cells, number)
        put(positions, number, number + shift)
        put(elements, number, (group * GROUP + cell % GROUP) * inputs + tile * TILE + cell // GROUP)


@kernel
def _clear(values: np.ndarray) -> None:
    for place in range(0, values.size, 16):
        store(values, place, splat16(_ZERO))
