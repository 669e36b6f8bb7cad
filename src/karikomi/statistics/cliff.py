"""Whether accuracy falls off a cliff: the largest drop by one removal, against that of random orders."""

from typing import NamedTuple

import numpy as np

from karikomi.statistics.bootstrap import hierarchical_interval
from karikomi.statistics.corrections import fisher_combined
from karikomi.statistics.intervals import Interval


class Drop(NamedTuple):
    """The largest drop of each curve: how large, and the removal, counted from 1, that caused it."""

    size: np.ndarray
    step: np.ndarray


def largest_drop(accuracy: np.ndarray) -> Drop:
    """The largest loss of accuracy by one removal; of equal ones the first.

    Args:
        accuracy: after 0, 1, … N removals, ``[…, N + 1]``; the answers are ``[…]``.

    >>> largest_drop(np.array([[1.0, 0.875, 0.25, 0.125]]))
    Drop(size=array([0.625]), step=array([2]))
    """
    # Rounded, because equal drops, a whole number of examples, differ in the last bits as differences of shares.
    drops = np.round(-np.diff(accuracy), 12)
    return Drop(drops.max(axis=-1), drops.argmax(axis=-1) + 1)


class Cliff(NamedTuple):
    """Whether random orders show the like of the largest drops of targeted ones.

    Attributes:
        size: the mean size of the largest drops of targeted orders, with a 95 % bootstrap interval over replicates.
        step: the mean of the removals that caused them, in the same way.
        replicate_p: per replicate (1 + random orders with a drop as large) / (1 + random orders), ``[replicates]``.
        p: these combined.
    """

    size: Interval
    step: Interval
    replicate_p: np.ndarray
    p: float


def compare_drops(targeted: Drop, random: np.ndarray, rng: np.random.Generator) -> Cliff:
    """Whether the largest drop of a targeted order is larger than those of random orders of the same network.

    If the targeted order were one more random order, each place among the 1 + orders would be as likely, so a
    replicate's p is exact; it is never 0 (Phipson & Smyth 2010). Replicates are independent networks, so Fisher's
    method (1932) combines them. It asks whether there is a cliff in any of them; whether it is one of the criterion
    and not of one network, ``replicate_p`` and the interval of ``size`` show.

    Args:
        targeted: a drop per replicate.
        random: sizes of the largest drops of random orders, ``[replicates, orders]``.
        rng: draws the bootstrap.
    """
    as_large = random >= targeted.size[:, None]
    replicate_p = (1 + as_large.sum(axis=1)) / (1 + random.shape[1])
    size, step = (Interval(*hierarchical_interval(values[:, None], rng)[:3]) for values in targeted)
    return Cliff(size, step, replicate_p, fisher_combined(replicate_p))
