"""Links of one weight that go and places where others grow, in compiled code; a bit for each place."""

import numba
import numpy as np

from karikomi.removal.draws import chosen

_DIGIT = 11  # bits of a number that are looked at together


@numba.njit(cache=True, nogil=True)
def drop_lowest(
    places: np.ndarray, sizes: np.ndarray, size: int, count: int, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the links at ``places`` stay, all but the ``count`` lowest; and then which of ``size`` places are free.

    ``sizes`` are whole numbers, not negative; a draw decides between equals.
    """
    threshold = nth(sizes, count - 1)
    kept = sizes > threshold
    spared = sizes.size - count - int(np.count_nonzero(kept))
    if spared:
        tied = np.flatnonzero(sizes == threshold)
        tied = tied[np.argsort(places[tied])]
        drawn = chosen(draws, tied.size, spared, True)
        for number in range(tied.size):
            kept[tied[number]] = _has(drawn, number)
    free = np.full((size + 63) // 64, np.uint64(0xFFFFFFFFFFFFFFFF))
    for number in range(places.size):
        place = np.uint64(places[number])
        free[place >> np.uint64(6)] &= ~(np.uint64(kept[number]) << (place & np.uint64(63)))
    return kept, free


@numba.njit(cache=True, nogil=True)
def grow_anywhere(free: np.ndarray, many: int, count: int, draws: np.ndarray) -> np.ndarray:
    """``count`` of the ``many`` free places, drawn; ascending."""
    drawn, grown = chosen(draws, many, count, False), np.empty(count, np.int64)
    number, word, before = 0, 0, 0
    here = _ones(free[0])
    for some in range(drawn.size):
        ranks = drawn[some]
        while ranks:
            rank = 64 * some + _lowest(ranks)
            ranks &= ranks - np.uint64(1)
            while rank >= before + here:
                before += here
                word += 1
                here = _ones(free[word])
            bits = free[word]
            for _ in range(rank - before):
                bits &= bits - np.uint64(1)
            grown[number] = 64 * word + _lowest(bits)
            number += 1
    return grown


@numba.njit(cache=True, nogil=True)
def grow_highest(free: np.ndarray, places: np.ndarray, scores: np.ndarray, count: int, draws: np.ndarray) -> np.ndarray:
    """The ``count`` free ones of highest score among ``places``, ascending; none if there are not so many.

    ``scores`` are whole numbers, not negative; a draw decides between equals.
    """
    there = np.empty(places.size, np.bool_)
    for number in range(places.size):
        there[number] = _has(free, places[number])
    places, scores = places[there], scores[there]
    if places.size < count:
        return np.empty(0, np.int64)
    threshold = nth(scores, places.size - count)
    taken, tied, left = np.zeros(free.size, np.uint64), np.zeros(free.size, np.uint64), count
    for number in range(places.size):
        word, bit = places[number] >> 6, np.uint64(1) << np.uint64(places[number] & 63)
        taken[word] |= bit if scores[number] > threshold else np.uint64(0)
        tied[word] |= bit if scores[number] == threshold else np.uint64(0)
        left -= scores[number] > threshold
    equals = _listed(tied)
    drawn = chosen(draws, equals.size, left, True)
    for number in range(equals.size):
        if _has(drawn, number):
            taken[equals[number] >> 6] |= np.uint64(1) << np.uint64(equals[number] & 63)
    return _listed(taken)


@numba.njit(cache=True, nogil=True)
def _listed(bits: np.ndarray) -> np.ndarray:
    """The numbers of the bits that are set, ascending."""
    many = 0
    for word in bits:
        many += _ones(word)
    numbers, end = np.empty(many, np.int64), 0
    for number in range(bits.size):
        word = bits[number]
        while word:
            numbers[end] = 64 * number + _lowest(word)
            word &= word - np.uint64(1)
            end += 1
    return numbers


@numba.njit(cache=True, nogil=True)
def nth(numbers: np.ndarray, rank: int) -> int:
    """The number before which ``rank`` others come in ascending order; none is negative."""
    counts = np.empty(1 << _DIGIT, np.int64)
    found, shift = 0, 8 * numbers.itemsize
    while shift:
        width = min(_DIGIT, shift)
        shift -= width
        counts[:] = 0
        for number in numbers:
            if number >> shift >> width == found:
                counts[number >> shift & (1 << width) - 1] += 1
        digit = 0
        while rank >= counts[digit]:
            rank -= counts[digit]
            digit += 1
        found = found << width | digit
    return found


@numba.njit(inline="always")
def _has(bits: np.ndarray, number: int) -> bool:
    return (bits[number >> 6] >> np.uint64(number & 63) & np.uint64(1)) != 0


@numba.njit(inline="always")
def _lowest(bits: np.uint64) -> np.int64:
    """The number of the lowest bit that is set."""
    return _ones((bits & (~bits + np.uint64(1))) - np.uint64(1))


@numba.njit(inline="always")
def _ones(bits: np.uint64) -> np.int64:
    """How many bits are set: what compilers know as the instruction for it."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))
