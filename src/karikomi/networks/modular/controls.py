"""Dense networks to compare a modular one with, by name. (The control ``matched`` is a way to wire it.)"""

from collections.abc import Sequence
from itertools import pairwise

from karikomi.errors import InputError


def same_size(hidden: Sequence[int]) -> str:
    """The full network with the hidden layers ``hidden``.

    >>> same_size([400, 400])
    'mlp-400-400'
    """
    return "-".join(["mlp", *map(str, hidden)])


def same_links(hidden: Sequence[int], inputs: int, classes: int, links: int) -> str:
    """The full network whose hidden layers are ``hidden`` times one factor, with about ``links`` links.

    Widths are whole and at least 1, so the number of links is met as nearly as one factor for all can.

    >>> same_links([400, 400], 784, 10, 784 * 90 + 90 * 90 + 90 * 10)
    'mlp-90-90'

    Raises:
        InputError: if even one unit a layer has more links.
    """

    def scaled(factor: float) -> list[int]:
        return [max(1, round(factor * width)) for width in hidden]

    def distance(factor: float) -> int:
        return abs(_links([inputs, *scaled(factor), classes]) - links)

    least = _links([inputs, *[1] * len(hidden), classes])
    if least > links:
        raise InputError(
            f"no full network of {len(hidden)} hidden layers has about {links} links: the least is {least}"
        )
    low, high = 0.0, 1.0
    while _links([inputs, *scaled(high), classes]) < links:
        high *= 2
    # Down to where neighbouring numbers decide: the widths of both ends are then those next to the solution.
    for _ in range(60):
        middle = (low + high) / 2
        if _links([inputs, *scaled(middle), classes]) < links:
            low = middle
        else:
            high = middle
    return same_size(scaled(min(low, high, key=distance)))


def _links(layers: Sequence[int]) -> int:
    return sum(before * after for before, after in pairwise(layers))
