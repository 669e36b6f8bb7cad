"""The links of a sparse layer in the order in which the kernels visit them.

One row after the other, loops would end when no processor expects it, and each end costs as much as several links. So
GROUP rows with about as many links are visited together (sorted sliced rows, as in SELL-C-sigma: Kreutzer et al. 2014).
A row's own links stay in the order of their inputs: what is computed does not depend on who is together.
"""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.bits import bits_in
from karikomi.engines.sparse.kernels.fused import lowest_bit
from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import at, kernel, put

# Units in one tile: they stay in the first-level cache (most of them) while all rows pass by.
TILE = 160

_ONE, _ALL_BITS = np.uint64(1), np.uint64(2**64 - 1)


class Order(NamedTuple):
    """The links of a layer, numbered as they are visited, in blocks: groups of rows, in one tile after the other.

    ``groups`` lists the rows of each block, ascending; ``cells`` says where in its block each link is, GROUP cells for
    each input in the tile. ``blocks`` says at which number each block begins, and where the last one ends; ``links``
    where the parameters of each tile start.
    """

    groups: np.ndarray
    cells: np.ndarray
    blocks: np.ndarray
    links: np.ndarray

    @classmethod
    def of(cls, links: int, groups: np.ndarray, tiles: int) -> Self:
        """Room for them."""
        return cls(
            *(groups, np.empty(links, np.uint16)),
            *(np.empty(len(groups) // GROUP + 1, np.int64), np.empty(tiles, np.int64)),
        )

    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column, and position in the parameters of each link."""
        block = np.repeat(np.arange(len(self.blocks) - 1), np.diff(self.blocks))
        many = (len(self.blocks) - 1) // max(len(self.links), 1)
        tile, (column, row) = block // many, np.divmod(self.cells, GROUP)
        positions = np.arange(len(block)) + self.links[tile] - self.blocks[tile * many]
        return self.groups[block * GROUP + row].astype(np.int64), tile * TILE + column, positions


class Room(NamedTuple):
    """Room to sort the links of one layer. A bit of ``free`` is set for each place, row by row, without a link.

    ``slots`` says for each row in each tile at which place among its groups it is. The others are for one tile on the
    way back: of each place among the groups the ``counts`` of links, of each input its place, how many links are
    ``placed`` and where the next one goes, ``following``; and the inputs and the numbers of the links of one row.
    """

    outputs: int
    inputs: int
    free: np.ndarray
    slots: np.ndarray
    counts: np.ndarray
    place: np.ndarray
    placed: np.ndarray
    following: np.ndarray
    columns: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Self:
        """For a layer with these links."""
        free = np.packbits(~mask.ravel(), bitorder="little")
        words = np.zeros(len(free) // 8 + 2, np.uint64)
        words.view(np.uint8)[: len(free)] = free
        outputs, inputs = mask.shape
        return cls(outputs, inputs, words, *room_for_rows(outputs, inputs))


def room_for_rows(outputs: int, inputs: int) -> tuple[np.ndarray, ...]:
    """The last seven arrays of :class:`Room`."""
    return np.empty(-(-inputs // TILE) * (outputs + GROUP), np.int64), *np.empty((6, inputs + GROUP), np.int64)


class Lists(NamedTuple):
    """A layer's part of the lists of ``Network``, from ``link`` and ``entry`` on; those for the way back may be none.

    ``back_groups`` are as in ``Order``.
    """

    link: int
    entry: int
    partner: np.ndarray
    pointers: np.ndarray
    rows: np.ndarray
    shifts: np.ndarray
    back_entry: int
    back_partner: np.ndarray
    back_link: np.ndarray
    back_pointers: np.ndarray
    back_rows: np.ndarray
    back_groups: np.ndarray


def grouped(mask: np.ndarray) -> np.ndarray:
    """The rows of each tile in groups of as many links, or nearly; rows that are not there fill up the last one."""
    outputs, inputs = mask.shape
    counts = np.zeros((-(-outputs // GROUP) * GROUP, -(-inputs // TILE)), np.int64)
    for tile in range(counts.shape[1]):
        counts[:outputs, tile] = mask[:, tile * TILE : (tile + 1) * TILE].sum(axis=1)
    rows = np.argsort(-counts, axis=0, kind="stable")
    return np.sort(rows.T.reshape(-1, GROUP), axis=1).ravel().astype(np.int32)


@kernel
def sort_links(room: Room, lists: Lists, order: Order) -> None:
    """The ``lists`` and the ``order`` of the links that are there."""
    link, number, slot, tiles = lists.link, np.intp(0), np.intp(0), order.links.size
    outputs = order.groups.size // max(tiles, 1)
    for tile in range(tiles):
        shift = link - number
        put(order.links, tile, link)
        put(lists.shifts, tile, shift - lists.entry)
        width = min(TILE, room.inputs - tile * TILE)
        for _ in range(outputs // GROUP):
            put(order.blocks, slot // GROUP, number)
            for member in range(GROUP):
                row = at(order.groups, slot + member)
                links = _links_in(room, row * room.inputs + tile * TILE, width) if row < room.outputs else np.intp(0)
                put(room.counts, member, links)
                put(lists.rows, slot + member, row)
            _most_first(room.counts, 0, lists.rows, slot)
            end = number + _put_pointers(room.counts, 0, lists.pointers, slot, lists.entry + number)
            for member in range(GROUP):
                row = at(lists.rows, slot + member)
                put(room.slots, tile * outputs + row, slot + member)
                _put_row(room, lists, order, tile, slot, member, number)
            number, slot = end, slot + GROUP
        # Parameters are updated sixteen at a time.
        link = (number + shift + 15) // 16 * 16
    put(lists.pointers, slot, lists.entry + number)
    put(order.blocks, slot // GROUP, number)


@inlined
def _link_bits(room, place, many):
    """A bit for each of ``many`` places, at most 64, set where there is a link."""
    word, shift = place >> 6, np.uint64(place & 63)
    bits = np.uint64(at(room.free, word)) >> shift
    if shift:
        bits |= np.uint64(at(room.free, word + 1)) << (np.uint64(64) - shift)
    return ~bits & _ALL_BITS >> np.uint64(64 - many)


@inlined
def _links_in(room, place, width):
    links = np.intp(0)
    for first in range(0, width, 64):
        links += bits_in(_link_bits(room, place + first, min(64, width - first)))
    return links


@inlined
def _most_first(counts, place, rows, slot):
    """The rows of a group sorted by how many links they have."""
    for last in range(1, GROUP):
        here = last
        while here and at(counts, place + here) > at(counts, place + here - 1):
            _swap(counts, place + here)
            _swap(rows, slot + here)
            here -= 1


@inlined
def _swap(numbers, place):
    before = at(numbers, place - 1)
    put(numbers, place - 1, at(numbers, place))
    put(numbers, place, before)


@inlined
def _put_pointers(counts, place, pointers, slot, entry):
    """Where the lists of a group start; returns how many links they have together."""
    begin, done = entry, np.intp(0)
    for number in range(GROUP):
        put(pointers, slot + number, entry)
        many = at(counts, place + GROUP - 1 - number)
        entry += (GROUP - number) * (many - done)
        done = many
    return entry - begin


@inlined
def _left(counts, place, done, rows):
    """How many rows of a group, ``rows`` at most, have more links than those that are ``done``."""
    while at(counts, place + rows - 1) <= done:
        rows -= 1
    return rows


@inlined
def _put_row(room, lists, order, tile, slot, member, number):
    row, rank, done, rows, many = at(lists.rows, slot + member), 0, np.intp(0), GROUP, at(room.counts, member)
    while at(order.groups, slot + rank) != row:
        rank += 1
    begin, width, number = row * room.inputs + tile * TILE, min(TILE, room.inputs - tile * TILE), number + member
    for first in range(0, width if many else 0, 64):
        bits = _link_bits(room, begin + first, min(64, width - first))
        while bits:
            column = first + lowest_bit(bits)
            bits &= bits - _ONE
            put(lists.partner, lists.entry + number, column)
            put(order.cells, number, column * GROUP + rank)
            rows = _left(room.counts, 0, done, rows)
            number += rows
            done += 1


@kernel
def sort_back(room: Room, lists: Lists, order: Order) -> None:
    """The same links for the way back to the inputs."""
    slots = (room.inputs + GROUP - 1) // GROUP * GROUP
    entry, slot = lists.back_entry, np.intp(0)
    for first in range(0, room.outputs, TILE):
        last = min(first + TILE, room.outputs)
        for unit in range(slots):
            put(room.placed, unit, 0)
        for row in range(first, last):
            for number in range(_list_row(room, lists, order, row)):
                unit = at(room.columns, number)
                put(room.placed, unit, at(room.placed, unit) + 1)
        for place in range(0, slots, GROUP):
            for member in range(GROUP):
                unit = at(lists.back_groups, slot + member)
                put(room.counts, place + member, at(room.placed, unit))
                put(lists.back_rows, slot + member, unit)
            _most_first(room.counts, place, lists.back_rows, slot)
            for member in range(GROUP):
                unit = at(lists.back_rows, slot + member)
                put(room.place, unit, place)
                put(room.placed, unit, 0)
                put(room.following, unit, entry + member)
            entry += _put_pointers(room.counts, place, lists.back_pointers, slot, entry)
            slot += GROUP
        for row in range(first, last):
            for number in range(_list_row(room, lists, order, row)):
                unit = at(room.columns, number)
                here, done = at(room.following, unit), at(room.placed, unit)
                put(lists.back_partner, here, row - first)
                put(lists.back_link, here, at(room.numbers, number))
                put(room.following, unit, here + _left(room.counts, at(room.place, unit), done, GROUP))
                put(room.placed, unit, done + 1)
    put(lists.back_pointers, slot, entry)


@inlined
def _list_row(room, lists, order, row):
    """The inputs of a row's links and where the parameters of these are; returns how many they are."""
    found, tiles = np.intp(0), order.links.size
    outputs = order.groups.size // max(tiles, 1)
    for tile in range(tiles):
        slot, shift = at(room.slots, tile * outputs + row), at(lists.shifts, tile)
        member = slot % GROUP
        for number in range(GROUP - member):
            pointer = slot - member + number
            for entry in range(at(lists.pointers, pointer) + member, at(lists.pointers, pointer + 1), GROUP - number):
                put(room.columns, found, tile * TILE + at(lists.partner, entry))
                put(room.numbers, found, shift + entry)
                found += 1
    return found


@inlined
def span_of(order, tile, group):
    """The first number of a block's links, the one after the last, and how far from numbers their parameters are."""
    many = (order.blocks.size - 1) // order.links.size
    block = tile * many + group
    shift = at(order.links, tile) - at(order.blocks, tile * many)
    return at(order.blocks, block), at(order.blocks, block + 1), shift
