"""The links of a sparse layer in the order in which the kernels visit them."""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.fused import bytes_not_zero, lowest_bit
from karikomi.engines.sparse.kernels.links import GROUP, LISTS, PATTERNS
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import at, kernel, put, put_four

# Units in one tile: they stay in the first-level cache (most of them) while all rows pass by.
TILE = 160
# Patterns of inputs that are looked at together: most of a sparse layer's are 0.
TOGETHER = 32

# 1 in each of four numbers of 16 bits.
_FOUR = 0x0001000100010001


class Order(NamedTuple):
    """The links of a layer, numbered as they are visited, in blocks: groups of rows, in one tile after the other.

    ``cells`` says where in its block each one is, GROUP cells for each input in the tile; there is room for more.
    ``blocks`` says at which number each block begins, and where the last one ends; ``links`` where the parameters of
    each tile start.
    """

    groups: int
    cells: np.ndarray
    blocks: np.ndarray
    links: np.ndarray

    @classmethod
    def of(cls, links: int, tiles: int, groups: int) -> Self:
        """Room for them."""
        return cls(
            *(groups, np.empty(links + 3, np.uint16)),
            *(np.empty(tiles * groups + 1, np.int64), np.empty(tiles, np.int64)),
        )

    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column, and position in the parameters of each link."""
        tile, group = np.divmod(np.repeat(np.arange(len(self.blocks) - 1), np.diff(self.blocks)), self.groups)
        column, row = np.divmod(self.cells[: len(tile)], GROUP)
        positions = np.arange(len(tile)) + self.links[tile] - self.blocks[tile * self.groups]
        return group * GROUP + row, tile * TILE + column, positions


class Room(NamedTuple):
    """Room to sort the links of one layer.

    ``patterns`` says of each group of rows and each input which rows read it, one bit for each, in ``stride`` bytes a
    group. ``rows`` are those of each pattern, four numbers of 16 bits as one. The others are for one block: two numbers
    of each pattern; the inputs that have one; and of those, sorted by pattern, four cells and how many they are.
    """

    groups: int
    stride: int
    patterns: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    listed: np.ndarray
    fours: np.ndarray
    many: np.ndarray

    @classmethod
    def of(cls, outputs: int, inputs: int) -> Self:
        """For a layer of so many units without links."""
        groups, stride = -(-outputs // GROUP), -(-inputs // TOGETHER) * TOGETHER
        return cls(groups, stride, np.zeros(groups * stride, np.uint8), *room_for_block())


def room_for_block() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The last five arrays of :class:`Room`."""
    rows = np.zeros((LISTS + 1, 4), np.uint16)
    for pattern, some in enumerate(PATTERNS, start=1):
        rows[pattern, : len(some)] = some
    listed, fours, many = np.empty((3, TILE), np.int64)
    return rows.view(np.uint64).ravel(), np.empty(2 * (LISTS + 1), np.int64), listed, fours.view(np.uint64), many


class Lists(NamedTuple):
    """A layer's part of the lists of ``Network``, from ``link`` and ``entry`` on; ``back_pointers`` may be none."""

    link: int
    entry: int
    partner: np.ndarray
    pointers: np.ndarray
    tile_links: np.ndarray
    back_entry: int
    back_partner: np.ndarray
    back_link: np.ndarray
    back_pointers: np.ndarray


@inlined
def _bits(pattern):
    return (pattern & 1) + (pattern >> 1 & 1) + (pattern >> 2 & 1) + (pattern >> 3 & 1)


@kernel
def mark_links(room: Room, row: np.ndarray, column: np.ndarray) -> None:
    """There is a link in each of these rows and columns."""
    for number in range(row.size):
        place = at(row, number) // GROUP * room.stride + at(column, number)
        put(room.patterns, place, at(room.patterns, place) | 1 << at(row, number) % GROUP)


@kernel
def sort_links(room: Room, lists: Lists, order: Order) -> None:
    """The ``lists`` and the ``order`` of the links that are marked."""
    link, entry, pointer, number = lists.link, lists.entry, np.intp(0), np.intp(0)
    for tile in range(lists.tile_links.size - 1):
        put(lists.tile_links, tile, link)
        put(order.links, tile, link)
        shift = link - number
        for group in range(room.groups):
            put(order.blocks, tile * room.groups + group, number)
            found = _list_inputs(room, group, tile)
            begin = entry
            for pattern in range(1, LISTS + 1):
                put(lists.pointers, pointer, entry)
                put(room.counts, LISTS + 1 + pattern, entry - begin)
                pointer += 1
                entry += at(room.counts, pattern)
            _sort_inputs(room, group, tile, found, lists.partner, begin)
            # Four cells are written each time, of which the next ones overwrite those that are not there.
            for place in range(found):
                put_four(order.cells, number, at(room.fours, place))
                number += at(room.many, place)
        # Parameters are updated sixteen at a time.
        link = (number + shift + 15) // 16 * 16
    put(lists.tile_links, lists.tile_links.size - 1, link)
    put(lists.pointers, pointer, entry)
    put(order.blocks, order.blocks.size - 1, number)


@inlined
def _list_inputs(room, group, tile):
    """The inputs of a block that some row reads, and how many have each pattern; returns how many there are in all."""
    found, origin = np.intp(0), group * room.stride + tile * TILE
    for pattern in range(LISTS + 1):
        put(room.counts, pattern, 0)
    for first in range(0, min(TILE, room.stride - tile * TILE), TOGETHER):
        bits = bytes_not_zero(room.patterns, origin + first)
        while bits:
            column = first + lowest_bit(bits)
            bits &= bits - np.uint64(1)
            pattern = at(room.patterns, origin + column)
            put(room.listed, found, column)
            put(room.counts, pattern, at(room.counts, pattern) + 1)
            found += 1
    return found


@inlined
def _sort_inputs(room, group, tile, found, partner, begin):
    """The same inputs by pattern: into ``partner`` from ``begin`` on, and their cells."""
    origin = group * room.stride + tile * TILE
    for number in range(found):
        column = at(room.listed, number)
        pattern = at(room.patterns, origin + column)
        place = at(room.counts, LISTS + 1 + pattern)
        put(room.counts, LISTS + 1 + pattern, place + 1)
        put(partner, begin + place, column)
        put(room.fours, place, at(room.rows, pattern) + column * GROUP * _FOUR)
        put(room.many, place, _bits(pattern))


@kernel
def sort_back(lists: Lists, order: Order, inputs: int) -> None:
    """The same links for the way back to the inputs."""
    pointers, entry = lists.back_pointers, lists.back_entry
    for number in range(pointers.size):
        put(pointers, number, 0)
    for tile in range(order.links.size):
        for group in range(order.groups):
            begin, end, _ = span_of(order, tile, group)
            first = group * GROUP // TILE * inputs + tile * TILE
            for number in range(begin, end):
                place = first + at(order.cells, number) // GROUP
                put(pointers, place, at(pointers, place) + 1)
    for number in range(pointers.size):
        entry += at(pointers, number)
        put(pointers, number, entry)
    for tile in range(order.links.size):
        for group in range(order.groups - 1, -1, -1):
            begin, end, shift = span_of(order, tile, group)
            first = group * GROUP // TILE * inputs + tile * TILE
            for number in range(end - 1, begin - 1, -1):
                cell = at(order.cells, number)
                place = at(pointers, first + cell // GROUP) - 1
                put(pointers, first + cell // GROUP, place)
                put(lists.back_partner, place, group * GROUP % TILE + cell % GROUP)
                put(lists.back_link, place, number + shift)


@inlined
def span_of(order, tile, group):
    """The first number of a block's links, the one after the last, and how far from numbers their parameters are."""
    block = tile * order.groups + group
    shift = at(order.links, tile) - at(order.blocks, tile * order.groups)
    return at(order.blocks, block), at(order.blocks, block + 1), shift
