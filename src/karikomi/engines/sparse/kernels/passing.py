"""Signals that pass: made anew for every block and on the way back, in room for one block, which stays in the caches.

The room is a thread's own. Kernels find a signal at a fixed distance from where its block begins, so before a block is
played all that passes is moved there.
"""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.vector import kernel


class Passing(NamedTuple):
    """What passes: numbers of ``signals``, and of those whose ``slopes`` do.

    ``reads`` and ``writes`` are the passes of convolutions that have such a signal as source or target. A thread has
    room for ``units`` and ``deltas`` elements; ``moved`` is how far from the first thread's room in block 0 they are.
    """

    signals: np.ndarray
    slopes: np.ndarray
    reads: np.ndarray
    writes: np.ndarray
    units: int
    deltas: int
    moved: np.ndarray


def nothing_passes() -> Passing:
    none = np.zeros(0, np.int64)
    return Passing(none, none, none, none, 0, 0, np.zeros(2, np.int64))


@kernel
def move_passing(flow, block: int, thread: int) -> None:
    """What passes is from now on where the ``thread`` has room for it, seen from ``block``."""
    passing, passes = flow.passing, flow.convolutions.passes
    further = thread * passing.units - block * flow.block - passing.moved[0]
    passing.moved[0] += further
    for number in passing.signals:
        flow.signals[number].start += further
    for number in passing.reads:
        passes[number].source += further
    for number in passing.writes:
        passes[number].target += further
    further = thread * passing.deltas - block * flow.slope_block - passing.moved[1]
    passing.moved[1] += further
    for number in passing.slopes:
        flow.slopes[number].start += further
