"""Where the signals of a program lie in a block that is lesioned, and what they change by."""

import numpy as np

from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.planes import PLANES, extent
from karikomi.engines.sparse.lesion_program import Lesionable


def place_lesioned(form: Lesionable) -> tuple[np.ndarray, dict[int, int], int]:
    """Where each signal is, the numbers of their changes in one channel, and the elements of a block.

    Behind the record of a change there is one of a channel of the signal, to be placed.
    """
    low = form.low
    halos = np.zeros(len(low.signals), np.int64)
    for kind, part in zip(low.kinds, low.parts, strict=True):
        if kind == "convolution":
            halos[part.x[0]] = max(halos[part.x[0]], *part.padding)
    alone = {x for steps in form.steps for number, how in steps if how != "whole" for x in low.parts[number].x}
    alone |= {low.parts[number].y for steps in form.steps for number, how in steps if how == "channel"}
    alone |= {site.signal for site in form.sites}
    changes = {signal: len(low.signals) + 2 * n for n, signal in enumerate(sorted(alone))}
    signals, end = np.zeros(len(low.signals) + 2 * len(changes), PLANES), 0
    for number, (record, signal) in enumerate(zip(signals, low.signals, strict=False)):
        record["channels"], record["height"], record["width"] = signal.shape
        record["halo"] = halos[number]
        if signal.same == number:
            record["start"], end = end, end + padded(extent(record), 64)
    for signal, change in changes.items():
        for number in (change, change + 1):
            signals[number] = signals[signal]
            signals[number]["channels"] = 1
        signals[change]["start"], end = end, end + padded(extent(signals[change]), 64)
    return signals, changes, end
