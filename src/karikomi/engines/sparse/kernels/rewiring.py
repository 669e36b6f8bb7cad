"""Which links of a network go, the smallest; and where as many grow: anywhere, or where the gradient is greatest."""

import numpy as np

from karikomi.engines.sparse.kernels.changing import Orders, mark, order_of, take_changing
from karikomi.engines.sparse.kernels.choosing import grow_anywhere, grow_highest, list_lowest, spare_equals, take_room
from karikomi.engines.sparse.kernels.everywhere import list_greatest, take_everywhere
from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.sorting import TILE
from karikomi.engines.sparse.kernels.vector import at, kernel, put

_SIZE = 0x7FFFFFFF  # of a float32's bits all but the sign: as whole numbers they are in the order of |float|


@kernel
def choose_links(
    memory: tuple[np.ndarray, np.ndarray, np.ndarray], orders: Orders, share: float, draws: np.ndarray
) -> None:
    """What goes and grows in every layer, marked: ``share`` of its links, none where all are left.

    ``memory``: the addresses of a ``Changing``, a ``Room`` and an ``Everywhere``; if that has room for no examples,
    they grow at random places.
    """
    changing, room, everywhere = take_changing(memory[0]), take_room(memory[1]), take_everywhere(memory[2])
    for number in range(changing.parts.size):
        part = changing.parts[number]
        size = part.inputs * part.outputs
        count = np.intp(share * part.links) if part.links < size else np.intp(0)
        changing.counts[number] = count
        if count == 0:
            continue
        _list_sizes(changing, part, orders, room)
        found, threshold = list_lowest(room, part.links, count)
        _list_places(changing, part, orders, room, found)
        if found > count:
            spare_equals(room, size, found, count, threshold, draws)
        for entry in range(count):
            put(changing.gone, part.change + entry, at(room.numbers, entry))
            put(changing.left, part.change + entry, at(room.places, entry))
        mark(changing, part, changing.left)
        free, many = changing.free[part.word : part.word + (size + 63) // 64], size - part.links + count
        grown = changing.grown[part.change : part.change + count + 1]
        if everywhere.batch:
            found = list_greatest(everywhere, part, free, many, count, room)
            grow_highest(room, size, everywhere.places, everywhere.bits, found, count, draws, room.others, grown)
        else:
            grow_anywhere(room, free, many, count, draws, grown)
        mark(changing, part, changing.grown)


@kernel
def mark_changes(memory: np.ndarray) -> None:
    """What goes and grows, and was chosen elsewhere, is marked."""
    changing = take_changing(memory)
    for number in range(changing.parts.size):
        mark(changing, changing.parts[number], changing.left)
        mark(changing, changing.parts[number], changing.grown)


@inlined
def _list_sizes(changing, part, orders, room):
    if part.stride:
        for number in range(part.links):
            element = at(orders.elements, part.element + number)
            row = element // part.inputs
            place = part.link + row * part.stride + element - row * part.inputs
            put(room.sizes, number, at(changing.bits, place) & _SIZE)
        return
    order = order_of(changing.groups, orders, part)
    for tile in range(part.tiles):
        begin, end = at(order.blocks, tile * part.groups), at(order.blocks, (tile + 1) * part.groups)
        shift = at(order.links, tile) - begin
        for number in range(begin, end):
            put(room.sizes, number, at(changing.bits, number + shift) & _SIZE)


@inlined
def _list_places(changing, part, orders, room, found):
    """The places of the links that are listed by ascending numbers."""
    if part.stride:
        for entry in range(found):
            put(room.places, entry, at(orders.elements, part.element + at(room.numbers, entry)))
        return
    order = order_of(changing.groups, orders, part)
    block, end, origin, entry = np.intp(-1), np.intp(0), np.intp(0), np.intp(0)
    while entry < found:
        number = at(room.numbers, entry)
        if number < end:
            cell = at(order.cells, number)
            row = at(order.groups, block * GROUP + cell % GROUP)
            put(room.places, entry, row * part.inputs + origin + cell // GROUP)
            entry += 1
        else:
            block += 1
            end, origin = at(order.blocks, block + 1), block // part.groups * TILE
