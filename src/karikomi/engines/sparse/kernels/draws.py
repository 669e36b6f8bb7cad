"""Draws without replacement inside compiled code: those of NumPy's ``Generator.choice``, number for number."""

import numpy as np

from karikomi.engines.sparse.kernels.vector import at, kernel, put

_LOW = np.uint64(0xFFFFFFFF)
_HALF, _ONE = np.uint64(32), np.uint64(1)
_MULTIPLIER_HIGH, _MULTIPLIER_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)


def state_of(seed: list[int]) -> np.ndarray:
    """Where the draws of ``numpy.random.default_rng(seed)`` begin, uint64 ``[6]``."""
    state = np.random.PCG64(np.random.SeedSequence(seed)).state["state"]
    words = [state[name] >> shift & 2**64 - 1 for name in ("state", "inc") for shift in (64, 0)]
    return np.array([*words, 0, 0], np.uint64)


@kernel
def choose(state: np.ndarray, many: int, count: int, shuffle: bool, drawn: np.ndarray, numbers: np.ndarray) -> None:
    """Which ``count`` of ``many`` are ``drawn``: uint64, a bit for each; ``state`` goes on.

    The same as of ``choice(many, count, replace=False, shuffle=shuffle)`` (NumPy 2), but for their order. There is room
    for ``many`` bits and int32 ``numbers``.
    """
    for word in range((many + 63) // 64):
        put(drawn, word, 0)
    if many > 10000 and count > many // (50 if shuffle else 20):
        for number in range(many):
            put(numbers, number, number)
        for last in range(many - 1, max(many - count, 1) - 1, -1):
            other = _below(state, last)
            number = at(numbers, other)
            put(numbers, other, at(numbers, last))
            put(numbers, last, number)
        for place in range(many - count, many):
            set_bit(drawn, at(numbers, place))
        return
    # Floyd's algorithm.
    for last in range(many - count, many):
        number = _below(state, last)
        set_bit(drawn, last if has_bit(drawn, number) else number)
    for last in range(count - 1 if shuffle else 0, 0, -1):
        _below(state, last)


@kernel
def has_bit(bits: np.ndarray, number: int) -> bool:
    return (at(bits, number >> 6) >> (number & 63) & 1) != 0


@kernel
def set_bit(bits: np.ndarray, number: int) -> None:
    put(bits, number >> 6, at(bits, number >> 6) | 1 << (number & 63))


@kernel
def _below(state: np.ndarray, last: int) -> np.intp:
    """A whole number from 0 to ``last``, all alike (Lemire 2019)."""
    if last == 0:
        return np.intp(0)
    many = np.uint64(last + 1)
    product = _next32(state) * many
    if product & _LOW < many:
        threshold = (_LOW - np.uint64(last)) % many
        while product & _LOW < threshold:
            product = _next32(state) * many
    return np.intp(product >> _HALF)


@kernel
def _next32(state: np.ndarray) -> np.uint64:
    """PCG64's (O'Neill 2014, XSL-RR) next 32 bits; the other half of its 64 comes next."""
    if state[4]:
        state[4] = 0
        return state[5]
    low = state[1] * _MULTIPLIER_LOW
    high = _high(state[1], _MULTIPLIER_LOW) + state[0] * _MULTIPLIER_LOW + state[1] * _MULTIPLIER_HIGH
    state[1] = low + state[3]
    state[0] = high + state[2] + np.uint64(state[1] < low)
    mixed, turn = state[0] ^ state[1], state[0] >> np.uint64(58)
    mixed = mixed >> turn | mixed << (np.uint64(64) - turn & np.uint64(63))
    state[4], state[5] = _ONE, mixed >> _HALF
    return mixed & _LOW


@kernel
def _high(one: np.uint64, other: np.uint64) -> np.uint64:
    """The upper 64 bits of a product of two numbers of 64."""
    a, b, c, d = one >> _HALF, one & _LOW, other >> _HALF, other & _LOW
    middle = a * d + (b * d >> _HALF)
    return a * c + (middle >> _HALF) + (b * c + (middle & _LOW) >> _HALF)
