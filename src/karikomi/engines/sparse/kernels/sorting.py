"""The links of a sparse layer in the order in which the kernels visit them, and moved to where that puts them."""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.links import GROUP, LISTS
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import kernel

# Units in one tile: they stay in the first-level cache (most of them) while all rows pass by.
TILE = 160
# Patterns of inputs that are looked at together, as one number: most of a sparse layer's are 0.
TOGETHER = 8


class Room(NamedTuple):
    """Room to sort the links of one layer.

    ``patterns`` says of each group of rows and each input which rows read it, one bit for each; the same as numbers of
    TOGETHER bytes are ``words``. ``starts`` says where the links of the two are. ``counts`` is room for three numbers
    of each pattern.
    """

    patterns: np.ndarray
    words: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, outputs: int, inputs: int) -> Self:
        size = -(-outputs // GROUP) * (-(-inputs // TOGETHER) * TOGETHER)
        patterns = np.zeros(size, np.uint8)
        return cls(patterns, patterns.view(np.uint64), np.empty(size, np.int32), np.empty(3 * (LISTS + 1), np.int64))


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
    patterns, words, starts, counts = room.patterns, room.words, room.starts, room.counts
    stride = patterns.size // groups
    for word in range(words.size):
        words[word] = 0
    for number in range(row.size):
        patterns[row[number] // GROUP * stride + column[number]] |= 1 << row[number] % GROUP
    entries, links, pointer = LISTS + 1, 2 * (LISTS + 1), 0
    for tile in range(tile_links.size - 1):
        tile_links[tile] = link
        first, last = tile * TILE // TOGETHER, min((tile + 1) * TILE, stride) // TOGETHER
        for group in range(groups):
            for pattern in range(LISTS + 1):
                counts[pattern] = 0
            origin = group * stride
            for word in range(origin // TOGETHER + first, origin // TOGETHER + last):
                if words[word]:
                    for place in range(word * TOGETHER, (word + 1) * TOGETHER):
                        counts[patterns[place]] += 1
            for pattern in range(1, LISTS + 1):
                pointers[pointer], counts[entries + pattern], counts[links + pattern] = entry, entry, link
                pointer += 1
                entry += counts[pattern]
                link += counts[pattern] * _bits(pattern)
            for word in range(origin // TOGETHER + first, origin // TOGETHER + last):
                if words[word]:
                    for place in range(word * TOGETHER, (word + 1) * TOGETHER):
                        pattern = patterns[place]
                        if pattern:
                            partner[counts[entries + pattern]] = place - origin - tile * TILE
                            counts[entries + pattern] += 1
                            starts[place] = counts[links + pattern]
                            counts[links + pattern] += _bits(pattern)
        # Parameters are updated sixteen at a time.
        link = (link + 15) // 16 * 16
    tile_links[tile_links.size - 1], pointers[pointer] = link, entry
    for number in range(row.size):
        place = row[number] // GROUP * stride + column[number]
        before = patterns[place] & ((1 << row[number] % GROUP) - 1)
        positions[number] = starts[place] + _bits(before)
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
    old, new, line, begin = 0, 0, 0, 0
    for number in range(merged.size):
        while old < elements.size and not kept[old]:
            old += 1
        if new < grown.size and (old == elements.size or grown[new] < elements[old]):
            place, was = grown[new], -1
            new += 1
        else:
            place, was = elements[old], positions[old]
            old += 1
        while place >= begin + columns:
            line += 1
            begin += columns
        merged[number], row[number], column[number], source[number] = place, line, place - begin, was


@kernel
def move(
    values: np.ndarray, source: np.ndarray, positions: np.ndarray, start: int, stop: int, some: np.ndarray
) -> None:
    """The values of links from where they were to where they are; others between ``start`` and ``stop`` become 0."""
    for number in range(source.size):
        some[number] = values[source[number]] if source[number] >= 0 else np.float32(0)
    for number in range(start, stop):
        values[number] = 0
    for number in range(source.size):
        values[positions[number]] = some[number]
