"""When an order counts as worse or better than random ones, and when a drop counts as a cliff."""

from karikomi.statistics import ALPHA

WORSE, NOT_SHOWN, BETTER = "worse than random", "not shown", "better than random"
CLIFF = "cliff"


def verdict(difference: float, p: float) -> str:
    """The verdict from the difference in robustness and its corrected p; a NaN shows nothing.

    >>> verdict(-0.1, 0.01), verdict(-0.1, 0.2), verdict(0.1, 0.01)
    ('worse than random', 'not shown', 'better than random')
    """
    if not p < ALPHA:
        return NOT_SHOWN
    return WORSE if difference < 0 else BETTER


def cliff_verdict(p: float) -> str:
    """Whether the largest drop is shown to be larger than those of random orders."""
    return CLIFF if p < ALPHA else NOT_SHOWN
