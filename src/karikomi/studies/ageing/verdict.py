"""When a life counts as held, and when a difference counts as shown."""

from karikomi.statistics import ALPHA, Difference

MARGIN = 0.002
"""How much accuracy may go while it still holds: 0.2 points."""

HOLDS, FALLS, NOT_SHOWN, HIGHER, LOWER = "holds", "falls", "not shown", "higher", "lower"


def held(found: Difference, margin: float = MARGIN) -> str:
    """Whether accuracy holds, from its difference from the healthy network's: by the interval, within ``margin``.

    >>> held(Difference(0.001, -0.001, 0.003, 0.2)), held(Difference(-0.02, -0.03, -0.01, 0.0))
    ('holds', 'falls')
    >>> held(Difference(-0.001, -0.004, 0.002, 0.3))
    'not shown'
    """
    if found.low > -margin:
        return HOLDS
    return FALLS if found.high < -margin else NOT_SHOWN


def compared(mean: float, p: float) -> str:
    """The verdict on a difference with its corrected p; a NaN shows nothing.

    >>> compared(0.01, 0.01), compared(-0.01, 0.01), compared(-0.01, float("nan"))
    ('higher', 'lower', 'not shown')
    """
    if not p < ALPHA:
        return NOT_SHOWN
    return HIGHER if mean > 0 else LOWER
