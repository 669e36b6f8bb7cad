"""The links of a network's layers changed: sorted anew, and their values moved to where that puts them."""

from typing import Annotated, Any, NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.memory import Bytes, Floats, Ints, Longs, Words, taker
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.sorting import Lists, Order, Room, sort_back, sort_links, span_of
from karikomi.engines.sparse.kernels.vector import at, kernel, load16, put, put_three, store, take_three

_ZERO, _ONE = np.float32(0), np.float32(1)

PART = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("layer", "inputs", "outputs", "links"),
            # Where in the layer's units its inputs and outputs start, and in the parameters its links.
            *("x", "y", "link"),
            # A dense layer: elements per row (0: sparse), where in ``keep`` its mask starts, in ``elements`` its links.
            *("stride", "keep", "element"),
            # A sparse layer: as in ``Order``, and where in its arrays it starts.
            *("groups", "tiles", "cell", "block", "start"),
            # The same of ``Lists``.
            *("entry", "pointer", "tile_link", "back_entry", "back_groups", "back_pointer"),
            # Where in ``free``, and in ``gone`` and ``grown``, it starts.
            *("word", "change"),
        )
    ],
    align=True,
)


class Orders(NamedTuple):
    """The links of all layers, numbered: of sparse ones the arrays of ``Order``, of dense ones their ``elements``."""

    cells: np.ndarray
    blocks: np.ndarray
    starts: np.ndarray
    elements: np.ndarray


class Changing(NamedTuple):
    """A network whose links change.

    ``parts`` says of each layer where it is in the other arrays, which are those of ``Network``, ``Optimizer``,
    ``Order`` and ``Room``. Which rows are in a group stays. ``bits`` are the parameters as whole numbers. A bit of
    ``free`` is set for each place without a link. Of each layer ``counts`` links change: ``gone`` are their numbers, at
    the places ``left``, and ``grown`` the places of new ones. ``moved`` is room for the values of a layer, ``cells``
    for those of a block.
    """

    parts: Annotated[np.ndarray, PART]
    parameters: Floats
    first: Floats
    second: Floats
    bits: Ints
    keep: Floats
    partner: Bytes
    pointers: Longs
    rows: Ints
    shifts: Ints
    back_partner: Bytes
    back_link: Ints
    back_pointers: Longs
    back_rows: Ints
    groups: Ints
    back_groups: Ints
    listed: Longs
    begins: Longs
    many: Longs
    totals: Longs
    keys: Longs
    row_counts: Longs
    place: Longs
    placed: Longs
    following: Longs
    free: Words
    counts: Longs
    gone: Ints
    left: Ints
    grown: Ints
    moved: Floats
    cells: Floats


take_changing = taker(Changing)


@kernel
def order_of(groups: np.ndarray, orders: Orders, part: Any) -> Order:
    """The links of a sparse layer."""
    return Order(
        groups[part.pointer : part.pointer + part.tiles * part.groups * GROUP],
        orders.cells[part.cell : part.cell + part.links],
        orders.blocks[part.block : part.block + part.tiles * part.groups + 1],
        orders.starts[part.start : part.start + part.tiles],
    )


@kernel
def mark(changing: Changing, part: Any, places: np.ndarray) -> None:
    """Places without a link have one, and the other way round."""
    for number in range(part.change, part.change + changing.counts[part.layer]):
        place = at(places, number)
        word = part.word + (place >> 6)
        put(changing.free, word, at(changing.free, word) ^ 1 << (place & 63))


@kernel
def lay_links(memory: np.ndarray, orders: Orders) -> None:
    """The first links of all layers, none of which has any: at the ``grown`` places."""
    changing = take_changing(memory)
    for number in range(changing.parts.size):
        part = changing.parts[number]
        mark(changing, part, changing.grown)
        if not part.stride:
            sort_links(_room_of(changing, part), _lists_of(changing, part), order_of(changing.groups, orders, part))


@kernel
def change_links(memory: np.ndarray, old: Orders, new: Orders) -> None:
    """The ``gone`` links go, and the ``grown`` ones, which are marked, are there, with values of 0."""
    changing = take_changing(memory)
    for number in range(changing.parts.size):
        part, count = changing.parts[number], changing.counts[number]
        if part.stride:
            _change_matrix(changing, part, count, old.elements, new.elements)
        elif count:
            before, after = order_of(changing.groups, old, part), order_of(changing.groups, new, part)
            room, lists = _room_of(changing, part), _lists_of(changing, part)
            _clear_gone(changing, part, count, before)
            sort_links(room, lists, after)
            if part.back_groups:
                sort_back(room, lists, after)
            _move(changing, part, before, after)
        else:
            _copy(old.cells, new.cells, part.cell, part.links)
            _copy(old.blocks, new.blocks, part.block, part.tiles * part.groups + 1)
            _copy(old.starts, new.starts, part.start, part.tiles)


@inlined
def _room_of(changing, part):
    free = changing.free[part.word : part.word + (part.inputs * part.outputs + 63) // 64 + 1]
    listed, begins, many, totals = changing.listed, changing.begins, changing.many, changing.totals
    counts, place, placed, following = changing.row_counts, changing.place, changing.placed, changing.following
    all_rows = listed, begins, many, totals, changing.keys
    return Room(part.outputs, part.inputs, free, *all_rows, counts, place, placed, following)


@inlined
def _lists_of(changing, part):
    last = part.pointer + part.tiles * part.groups * GROUP + 1
    pointers, rows = changing.pointers[part.pointer : last], changing.rows[part.pointer : last]
    shifts = changing.shifts[part.tile_link : part.tile_link + part.tiles]
    first, last = part.back_pointer, part.back_pointer + part.back_groups * GROUP
    back_pointers, back_rows = changing.back_pointers[first : last + 1], changing.back_rows[first:last]
    partner, back_partner, back_link = changing.partner, changing.back_partner, changing.back_link
    back_groups = changing.back_groups[first:last]
    forward = part.link, part.entry, partner, pointers, rows, shifts
    return Lists(*forward, part.back_entry, back_partner, back_link, back_pointers, back_rows, back_groups)


@inlined
def _copy(source, target, start, count):
    for place in range(start, start + count):
        put(target, place, at(source, place))


@inlined
def _clear(changing, place):
    put(changing.parameters, place, _ZERO)
    put(changing.first, place, _ZERO)
    put(changing.second, place, _ZERO)


@inlined
def _change_matrix(changing, part, count, old, new):
    """A layer of mostly all links, with a mask: a new link has the number of one that is gone."""
    _copy(old, new, part.element, part.links)
    for entry in range(part.change, part.change + count):
        _set_element(changing, part, at(changing.left, entry), _ZERO)
    for entry in range(part.change, part.change + count):
        _set_element(changing, part, at(changing.grown, entry), _ONE)
        put(new, part.element + at(changing.gone, entry), at(changing.grown, entry))


@inlined
def _set_element(changing, part, element, there):
    row = element // part.inputs
    place = row * part.stride + element - row * part.inputs
    _clear(changing, part.link + place)
    put(changing.keep, part.keep + place, there)


@inlined
def _clear_gone(changing, part, count, order):
    tile, entry, last = np.intp(-1), part.change, part.change + count
    end, shift = np.intp(0), np.intp(0)
    while entry < last:
        number = at(changing.gone, entry)
        if number < end:
            _clear(changing, number + shift)
            entry += 1
        else:
            tile += 1
            end = at(order.blocks, (tile + 1) * part.groups)
            shift = at(order.links, tile) - at(order.blocks, tile * part.groups)


@inlined
def _move(changing, part, old, new):
    size, last = changing.moved.size // 3, np.intp(0)
    for tile in range(part.tiles):
        for group in range(part.groups):
            _take(changing, old, tile, group)
            _bring(changing, new, tile, group, part.link, size)
        # Parameters are updated sixteen at a time: what fills up the last sixteen is 0.
        last = at(new.links, tile) - part.link + at(new.blocks, (tile + 1) * part.groups)
        last -= at(new.blocks, tile * part.groups)
        for place in range(last, (last + 15) // 16 * 16):
            for values in range(3):
                put(changing.moved, values * size + place, _ZERO)
    for place in range(0, last, 16):
        store(changing.parameters, part.link + place, load16(changing.moved, place))
        store(changing.first, part.link + place, load16(changing.moved, size + place))
        store(changing.second, part.link + place, load16(changing.moved, 2 * size + place))


@inlined
def _take(changing, old, tile, group):
    """The values of the links of a block, into its cells."""
    begin, end, shift = span_of(old, tile, group)
    for number in range(begin, end):
        place = number + shift
        weight, first, second = at(changing.parameters, place), at(changing.first, place), at(changing.second, place)
        put_three(changing.cells, 4 * at(old.cells, number), weight, first, second)


@inlined
def _bring(changing, new, tile, group, link, size):
    """Values from the cells of a block to where they go; all that are not 0 are 0 then."""
    begin, end, shift = span_of(new, tile, group)
    for number in range(begin, end):
        weight, first, second = take_three(changing.cells, 4 * at(new.cells, number))
        place = number + shift - link
        put(changing.moved, place, weight)
        put(changing.moved, size + place, first)
        put(changing.moved, 2 * size + place, second)
