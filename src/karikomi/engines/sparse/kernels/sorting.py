"""The links of a sparse layer in the order in which the kernels visit them, and moved to where that puts them."""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.links import GROUP, LISTS
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import at, kernel, put

# Units in one tile: they stay in the first-level cache (most of them) while all rows pass by.
TILE = 160
# Patterns of inputs that are looked at together, as one number: most of a sparse layer's are 0.
TOGETHER = 8


class Room(NamedTuple):
    """Room to sort the links of one layer.

    ``patterns`` says of each group of rows and each input which rows read it, one bit for each; the same as numbers of
    TOGETHER bytes are ``words``. ``starts`` says where the links of the two are. ``counts`` is room for three numbers
    of each pattern, ``listed`` for the places in one tile that have one.
    """

    patterns: np.ndarray
    words: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    listed: np.ndarray

    @classmethod
    def of(cls, outputs: int, inputs: int) -> Self:
        """For a layer of so many units."""
        size = -(-outputs // GROUP) * (-(-inputs // TOGETHER) * TOGETHER)
        patterns = np.zeros(size, np.uint8)
        counts, listed = np.empty(3 * (LISTS + 1), np.int64), np.empty(TILE + 1, np.int64)
        return cls(patterns, patterns.view(np.uint64), np.empty(size, np.int32), counts, listed)


@inlined
def _bits(pattern):
    return (pattern & 1) + (pattern >> 1 & 1) + (pattern >> 2 & 1) + (pattern >> 3 & 1)


@kernel
def sort_links(
    row: np.ndarray,
    column: np.ndarray,
    groups: int,
    room: Room,
    link: int,
    entry: int,
    partner: np.ndarray,
    pointers: np.ndarray,
    tile_links: np.ndarray,
    positions: np.ndarray,
) -> int:
    """Where each link goes, ``positions``, and the lists of ``Network``, from ``link`` and ``entry`` on.

    Returns the entry after the last.
    """
    patterns, words, starts, counts, listed = room
    stride = patterns.size // groups
    for word in range(words.size):
        words[word] = 0
    for number in range(row.size):
        place = at(row, number) // GROUP * stride + at(column, number)
        put(patterns, place, at(patterns, place) | 1 << at(row, number) % GROUP)
    entries, links, pointer = LISTS + 1, 2 * (LISTS + 1), 0
    for tile in range(tile_links.size - 1):
        tile_links[tile] = link
        first, last = tile * TILE // TOGETHER, min((tile + 1) * TILE, stride) // TOGETHER
        for group in range(groups):
            for pattern in range(LISTS + 1):
                counts[pattern] = 0
            # Most words of a very sparse layer are 0; in one that is not, a branch for each byte would cost more.
            found, origin = 0, group * stride
            for word in range(origin // TOGETHER + first, origin // TOGETHER + last):
                if words[word]:
                    for place in range(word * TOGETHER, (word + 1) * TOGETHER):
                        pattern = at(patterns, place)
                        put(listed, found, place)
                        found += pattern != 0
                        put(counts, pattern, at(counts, pattern) + 1)
            for pattern in range(1, LISTS + 1):
                pointers[pointer], counts[entries + pattern], counts[links + pattern] = entry, entry, link
                pointer += 1
                entry += counts[pattern]
                link += counts[pattern] * _bits(pattern)
            for number in range(found):
                place = at(listed, number)
                pattern = at(patterns, place)
                here, start = at(counts, entries + pattern), at(counts, links + pattern)
                put(partner, here, place - origin - tile * TILE)
                put(counts, entries + pattern, here + 1)
                put(starts, place, start)
                put(counts, links + pattern, start + _bits(pattern))
        # Parameters are updated sixteen at a time.
        link = (link + 15) // 16 * 16
    tile_links[tile_links.size - 1], pointers[pointer] = link, entry
    for number in range(row.size):
        place = at(row, number) // GROUP * stride + at(column, number)
        before = at(patterns, place) & ((1 << at(row, number) % GROUP) - 1)
        put(positions, number, at(starts, place) + _bits(before))
    return entry


@kernel
def sort_back(
    row: np.ndarray,
    column: np.ndarray,
    positions: np.ndarray,
    inputs: int,
    entry: int,
    partner: np.ndarray,
    link: np.ndarray,
    pointers: np.ndarray,
) -> None:
    """The same links for the way back to the inputs, from ``entry`` on."""
    for number in range(pointers.size):
        pointers[number] = 0
    for number in range(row.size):
        pointers[row[number] // TILE * inputs + column[number]] += 1
    for number in range(pointers.size):
        entry += pointers[number]
        pointers[number] = entry
    for number in range(row.size - 1, -1, -1):
        group = row[number] // TILE * inputs + column[number]
        pointers[group] -= 1
        partner[pointers[group]] = row[number] % TILE
        link[pointers[group]] = positions[number]


@kernel
def merge_links(
    elements: np.ndarray,
    positions: np.ndarray,
    kept: np.ndarray,
    grown: np.ndarray,
    columns: int,
    merged: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    source: np.ndarray,
) -> None:
    """The links after a change, ascending: places, rows and columns, and where each one's parameter was (new: -1)."""
    # Those that stay, first behind one another: without a branch, which could not be foreseen.
    stay = 0
    for number in range(elements.size):
        put(row, stay, at(elements, number))
        put(column, stay, at(positions, number))
        stay += kept[number]
    old, new, stay = 0, 0, elements.size - grown.size
    for number in range(merged.size):
        fresh = new < grown.size and (old == stay or at(grown, new) < at(row, old))
        put(merged, number, at(grown, new) if fresh else at(row, old))
        put(source, number, -1 if fresh else at(column, old))
        new += fresh
        old += not fresh
    line, begin = 0, 0
    for number in range(merged.size):
        place = at(merged, number)
        while place >= begin + columns:
            line += 1
            begin += columns
        put(row, number, line)
        put(column, number, place - begin)


@kernel
def move(
    first: np.ndarray,
    second: np.ndarray,
    third: np.ndarray,
    source: np.ndarray,
    positions: np.ndarray,
    start: int,
    some: np.ndarray,
) -> None:
    """Three values of each link from where they were, ``source``, to where they are; those of new links are 0.

    They lie from ``start`` on, in as many places as one of the three rows of ``some``.
    """
    size = some.size // 3
    for number in range(some.size):
        some[number] = 0
    for number in range(source.size):
        was, now = at(source, number), at(positions, number) - start
        if was >= 0:
            put(some, now, at(first, was))
            put(some, size + now, at(second, was))
            put(some, 2 * size + now, at(third, was))
    for number in range(size):
        first[start + number] = some[number]
        second[start + number] = some[size + number]
        third[start + number] = some[2 * size + number]
