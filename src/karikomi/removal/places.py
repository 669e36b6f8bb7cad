"""Sets of places in a weight, a bit for each, where lists of them would have to be sorted."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def free_places(taken: np.ndarray, kept: np.ndarray, size: int) -> np.ndarray:
    """Which of ``size`` places are not among the ``kept`` ones of those ``taken``: uint64, a bit for each place."""
    free = np.full((size + 63) // 64, np.uint64(0xFFFFFFFFFFFFFFFF))
    for number in range(taken.size):
        place = np.uint64(taken[number])
        free[place >> np.uint64(6)] &= ~(np.uint64(kept[number]) << (place & np.uint64(63)))
    return free


@numba.njit(cache=True, nogil=True)
def nth_places(places: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Those of such ``ranks`` among the places, both ascending."""
    found, word, before = np.empty(ranks.size, np.int64), 0, 0
    here = _count(places[0])
    for number in range(ranks.size):
        while ranks[number] >= before + here:
            before += here
            word += 1
            here = _count(places[word])
        bits = places[word]
        for _ in range(ranks[number] - before):
            bits &= bits - np.uint64(1)
        found[number] = 64 * word + _count((bits & (~bits + np.uint64(1))) - np.uint64(1))
    return found


@numba.njit(cache=True, nogil=True)
def among(places: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Which of ``some`` places are there, bool."""
    there = np.empty(some.size, np.bool_)
    for number in range(some.size):
        place = np.uint64(some[number])
        there[number] = (places[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1)
    return there


@numba.njit(inline="always")
def _count(bits: np.uint64) -> int:
    """How many are set: what compilers know as the instruction for it."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))
