"""When a ticket counts as winning, and when as lost."""

import math

ACCURACY_MARGIN = 0.002
"""How much less accurate than the dense network still counts as no less accurate (0.002 is 0.2 points)."""

SLOWNESS_MARGIN = 0.05
"""How much later than the dense network's mean early stop, as a share of it, still counts as no slower."""

WINNING, NOT_SHOWN, LOST = "winning ticket", "not shown", "lost"


def verdict(slower: tuple[float, float], worse: tuple[float, float], margin: float = ACCURACY_MARGIN) -> str:
    """The verdict from the intervals of how much slower (a share of the dense early stop) and how much less accurate.

    >>> verdict(slower=(-0.2, -0.1), worse=(-0.003, 0.001))
    'winning ticket'
    >>> verdict(slower=(-0.2, 0.1), worse=(-0.003, 0.001))
    'not shown'
    >>> verdict(slower=(-0.2, 0.1), worse=(0.004, 0.006))
    'lost'
    """
    if any(math.isnan(end) for end in (*slower, *worse)):
        return NOT_SHOWN
    if slower[1] <= SLOWNESS_MARGIN and worse[1] <= margin:
        return WINNING
    if slower[0] > SLOWNESS_MARGIN or worse[0] > margin:
        return LOST
    return NOT_SHOWN
