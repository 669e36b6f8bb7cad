"""Which links of a layer go, and at which places others grow."""

from typing import NamedTuple, Self

import numpy as np

from karikomi.engines.sparse.kernels.bits import bits_in, nth_bit, numbers_above, put_some
from karikomi.engines.sparse.kernels.draws import choose, has_bit, set_bit
from karikomi.engines.sparse.kernels.fused import lowest_bit
from karikomi.engines.sparse.kernels.memory import Ints, Longs, Words, taker
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, put

_DIGIT = 11  # bits of a number that are looked at together
_ALL_BITS, _LOWEST_BIT = np.uint64(2**64 - 1), np.uint64(1)


class Room(NamedTuple):
    """Room to choose among the links and the places of a layer.

    ``sizes`` are whole numbers in the order of the links' |weights|; ``numbers`` and ``places`` those of links that may
    go; ``lanes`` the first numbers. The other arrays are used on the way; no bit of ``equals`` is set but then.
    """

    sizes: Ints
    lanes: Ints
    numbers: Ints
    places: Ints
    others: Ints
    counts: Longs
    drawn: Words
    equals: Words

    @classmethod
    def of(cls, links: int, size: int) -> Self:
        """For layers of at most so many links, at so many places."""
        words, (numbers, places) = -(-size // 64), np.empty((2, links + 16), np.int32)
        return cls(
            *(np.zeros(links + LANES, np.int32), np.arange(LANES, dtype=np.int32), numbers, places),
            *(np.empty(size, np.int32), np.empty(1 << _DIGIT, np.int64)),
            *(np.empty(words, np.uint64), np.zeros(words, np.uint64)),
        )


take_room = taker(Room)


@kernel
def list_lowest(room: Room, links: int, count: int) -> tuple[np.intp, np.intp]:
    """Lists the ``numbers`` of the ``count`` lowest links, and of all equal to the highest of them.

    Returns how many they are, and the size of that one.
    """
    threshold, found = nth(room.sizes, links, count - 1, room.others, room.counts), np.intp(0)
    for first in range(0, links, LANES):
        in_use = _ALL_BITS >> np.uint64(LANES - min(links - first, LANES))
        bits = ~numbers_above(room.sizes, first, threshold) & in_use
        found = put_some(room.numbers, found, room.lanes, 0, bits, first)
    return found, threshold


@kernel
def spare_equals(room: Room, size: int, found: int, count: int, threshold: int, draws: np.ndarray) -> None:
    """Of the ``found`` links, at known ``places``, ``count`` stay listed: a draw spares some of those equal."""
    equals, left = np.intp(0), np.intp(0)
    for entry in range(found):
        if at(room.sizes, at(room.numbers, entry)) == threshold:
            set_bit(room.equals, at(room.places, entry))
            equals += 1
    _draw_equals(room, size, equals, found - count, draws)
    for entry in range(found):
        number, place = at(room.numbers, entry), at(room.places, entry)
        put(room.numbers, left, number)
        put(room.places, left, place)
        spared = at(room.sizes, number) == threshold and has_bit(room.equals, place)
        left += 0 if spared else 1
        if spared:
            clear_bit(room.equals, place)


@kernel
def grow_anywhere(room: Room, free: np.ndarray, many: int, count: int, draws: np.ndarray, grown: np.ndarray) -> None:
    """``count`` of the ``many`` free places, drawn; ascending."""
    choose(draws, many, count, False, room.drawn, room.others)
    number, word, before = np.intp(0), np.intp(0), np.intp(0)
    here = bits_in(at(free, 0))
    for some in range((many + 63) // 64):
        ranks = room.drawn[some]
        while ranks:
            rank = 64 * some + lowest_bit(ranks)
            ranks &= ranks - _LOWEST_BIT
            while rank >= before + here:
                before += here
                word += 1
                here = bits_in(at(free, word))
            put(grown, number, 64 * word + nth_bit(at(free, word), rank - before))
            number += 1


@kernel
def grow_highest(
    room: Room,
    size: int,
    places: np.ndarray,
    scores: np.ndarray,
    found: int,
    count: int,
    draws: np.ndarray,
    others: np.ndarray,
    grown: np.ndarray,
) -> None:
    """The ``count`` ones of highest score among the ``found`` places, which are no fewer, in no order.

    ``scores`` are whole numbers, not negative, ``others`` room for as many; a draw decides between equals. There is
    room for one more in ``grown``.
    """
    threshold = nth(scores, found, found - count, others, room.counts)
    taken, equals = np.intp(0), np.intp(0)
    for entry in range(found):
        place, score = at(places, entry), at(scores, entry)
        put(grown, taken, place)
        taken += score > threshold
        if score == threshold:
            set_bit(room.equals, place)
            equals += 1
    _draw_equals(room, size, equals, count - taken, draws)
    for entry in range(found):
        place = at(places, entry)
        if at(scores, entry) == threshold and has_bit(room.equals, place):
            put(grown, taken, place)
            taken += 1
            clear_bit(room.equals, place)


@kernel
def _draw_equals(room: Room, size: int, equals: int, many: int, draws: np.ndarray) -> None:
    """Of the bits of ``equals``, so many in number, ``many`` stay, drawn in ascending order."""
    choose(draws, equals, many, True, room.drawn, room.others)
    if equals == many:
        return
    rank = np.intp(0)
    for word in range((size + 63) // 64):
        left = room.equals[word]
        while left:
            if not has_bit(room.drawn, rank):
                clear_bit(room.equals, 64 * word + lowest_bit(left))
            left &= left - _LOWEST_BIT
            rank += 1


@kernel
def clear_bit(bits: np.ndarray, number: int) -> None:
    put(bits, number >> 6, at(bits, number >> 6) & ~(1 << (number & 63)))


@kernel
def nth(numbers: np.ndarray, size: int, rank: int, others: np.ndarray, counts: np.ndarray) -> np.intp:
    """The one of ``size`` numbers before which ``rank`` others come in ascending order; none is negative.

    There is room for as many ``others``.
    """
    found, shift, left = np.intp(0), np.intp(8 * numbers.itemsize), size
    while shift and left > 1:
        width = min(_DIGIT, shift)
        shift -= width
        mask, digit, alike = (1 << width) - 1, np.intp(0), np.intp(0)
        for number in range(1 << width):
            put(counts, number, 0)
        for place in range(left):
            number = at(numbers, place) >> shift & mask
            put(counts, number, at(counts, number) + 1)
        while rank >= at(counts, digit):
            rank -= at(counts, digit)
            digit += 1
        found = found << width | digit
        for place in range(left):
            number = at(numbers, place)
            put(others, alike, number)
            alike += (number >> shift & mask) == digit
        numbers, left = others, alike
    return at(numbers, 0) if left == 1 else found
