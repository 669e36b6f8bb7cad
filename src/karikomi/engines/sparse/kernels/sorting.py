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
_LOW = 2**32 - 1


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

    ``listed`` has the parameter and the input of every link, as one number; ``begins`` and ``many`` say where those of
    a row in a tile begin, and how many they are. ``totals`` are the links of each input on each tile of the way back.
    ``keys`` sort one group. The others are for one tile: of each place among the groups the ``counts`` of links, of
    each input its place, how many links are ``placed`` and where the next one goes, ``following``.
    """

    outputs: int
    inputs: int
    free: np.ndarray
    listed: np.ndarray
    begins: np.ndarray
    many: np.ndarray
    totals: np.ndarray
    keys: np.ndarray
    counts: np.ndarray
    place: np.ndarray
    placed: np.ndarray
    following: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Self:
        """For a layer with these links."""
        free = np.packbits(~mask.ravel(), bitorder="little")
        words = np.zeros(len(free) // 8 + 2, np.uint64)
        words.view(np.uint8)[: len(free)] = free
        outputs, inputs = mask.shape
        return cls(outputs, inputs, words, *room_for(outputs, inputs, int(mask.sum())))


def room_for(outputs: int, inputs: int, links: int) -> tuple[np.ndarray, ...]:
    """The last nine arrays of :class:`Room`."""
    segments, totals = -(-inputs // TILE) * (outputs + GROUP), -(-outputs // TILE) * (inputs + GROUP)
    sizes = (links, segments, segments, totals, GROUP, *[inputs + GROUP] * 4)
    return tuple(np.empty(size, np.int64) for size in sizes)


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
    for place in range((room.outputs + TILE - 1) // TILE * _places(room)):
        put(room.totals, place, 0)
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
            _sort_group(room, 0, order.groups, lists.rows, slot)
            end = number + _put_pointers(room.counts, 0, lists.pointers, slot, lists.entry + number)
            listed = number
            for member in range(GROUP):
                row = at(lists.rows, slot + member)
                put(room.begins, tile * outputs + row, listed)
                put(room.many, tile * outputs + row, at(room.counts, member))
                _put_row(room, lists, order, tile, row, member, number, shift, listed)
                listed += at(room.counts, member)
            number, slot = end, slot + GROUP
        # Parameters are updated sixteen at a time.
        link = (number + shift + 15) // 16 * 16
    put(lists.pointers, slot, lists.entry + number)
    put(order.blocks, slot // GROUP, number)


@inlined
def _places(room):
    """Places among the groups of inputs in one tile of the way back."""
    return (room.inputs + GROUP - 1) // GROUP * GROUP


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
def _sort_group(room, place, rows, into, slot):
    """The rows of a group and their ``counts``, most links first, without a branch, which nothing could predict."""
    for member in range(GROUP):
        put(room.keys, member, at(room.counts, place + member) * GROUP + GROUP - 1 - member)
    for last in range(1, GROUP):
        for here in range(last, 0, -1):
            less, more = at(room.keys, here - 1), at(room.keys, here)
            put(room.keys, here - 1, max(less, more))
            put(room.keys, here, min(less, more))
    for member in range(GROUP):
        key = at(room.keys, member)
        put(room.counts, place + member, key // GROUP)
        put(into, slot + member, at(rows, slot + GROUP - 1 - key % GROUP))


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
def _step(counts, place, done):
    """How many rows of a group have more links than are ``done``, if its first one has: so far on is a row's next."""
    rows = np.intp(1)
    for member in range(1, GROUP):
        rows += np.intp(at(counts, place + member) > done)
    return rows


@inlined
def _put_row(room, lists, order, tile, row, member, number, shift, listed):
    """The links of a row in a tile, from ``number`` on among those of its group."""
    rank, done, many = GROUP - 1 - at(room.keys, member) % GROUP, np.intp(0), at(room.counts, member)
    begin, width, number = row * room.inputs + tile * TILE, min(TILE, room.inputs - tile * TILE), number + member
    totals, there_and_back = row // TILE * _places(room) + tile * TILE, lists.back_groups.size > 0
    for first in range(0, width if many else 0, 64):
        bits = _link_bits(room, begin + first, min(64, width - first))
        while bits:
            column = first + lowest_bit(bits)
            bits &= bits - _ONE
            put(lists.partner, lists.entry + number, column)
            put(order.cells, number, column * GROUP + rank)
            if there_and_back:
                put(room.listed, listed + done, (number + shift) << 32 | tile * TILE + column)
                put(room.totals, totals + column, at(room.totals, totals + column) + 1)
            number += _step(room.counts, 0, done)
            done += 1


@kernel
def sort_back(room: Room, lists: Lists, order: Order) -> None:
    """The links that :func:`sort_links` sorted, for the way back to the inputs."""
    places, entry, slot, tiles = _places(room), lists.back_entry, np.intp(0), order.links.size
    outputs = order.groups.size // max(tiles, 1)
    for back in range((room.outputs + TILE - 1) // TILE):
        for place in range(0, places, GROUP):
            for member in range(GROUP):
                unit = at(lists.back_groups, slot + member)
                put(room.counts, place + member, at(room.totals, back * places + unit))
            _sort_group(room, place, lists.back_groups, lists.back_rows, slot)
            for member in range(GROUP):
                unit = at(lists.back_rows, slot + member)
                put(room.place, unit, place)
                put(room.placed, unit, 0)
                put(room.following, unit, entry + member)
            entry += _put_pointers(room.counts, place, lists.back_pointers, slot, entry)
            slot += GROUP
        for row in range(back * TILE, min(back * TILE + TILE, room.outputs)):
            for tile in range(tiles):
                begin = at(room.begins, tile * outputs + row)
                for number in range(begin, begin + at(room.many, tile * outputs + row)):
                    link = at(room.listed, number)
                    unit = link & _LOW
                    here, done = at(room.following, unit), at(room.placed, unit)
                    put(lists.back_partner, here, row - back * TILE)
                    put(lists.back_link, here, link >> 32)
                    put(room.following, unit, here + _step(room.counts, at(room.place, unit), done))
                    put(room.placed, unit, done + 1)
    put(lists.back_pointers, slot, entry)


@inlined
def span_of(order, tile, group):
    """The first number of a block's links, the one after the last, and how far from numbers their parameters are."""
    many = (order.blocks.size - 1) // order.links.size
    block = tile * many + group
    shift = at(order.links, tile) - at(order.blocks, tile * many)
    return at(order.blocks, block), at(order.blocks, block + 1), shift
