"""Signals side by side, channel behind channel, on one block."""

import numpy as np

from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import kernel, load16, store


@kernel
def join(flow: Flow, number: int, start: int) -> None:
    """The channels of two signals, those of the first one first."""
    operation = flow.operations[number]
    one, other, target = flow.signals[operation.x], flow.signals[operation.z], flow.signals[operation.y]
    yes = np.bool_(True)
    lay_beside(flow.units, one, start, np.intp(0), target, start, np.intp(0), one.channels, yes)
    lay_beside(flow.units, other, start, np.intp(0), target, start, one.channels, other.channels, yes)


@kernel
def join_back(flow: Flow, number: int, block: int) -> None:
    """The derivatives by both signals."""
    operation, start = flow.operations[number], block * flow.slope_block
    one, other, made = flow.slopes[operation.x], flow.slopes[operation.z], flow.slopes[operation.y]
    if operation.back_x:
        fresh = operation.fresh_x != 0
        lay_beside(flow.deltas, made, start, np.intp(0), one, start, np.intp(0), one.channels, fresh)
    if operation.back_z:
        fresh = operation.fresh_z != 0
        lay_beside(flow.deltas, made, start, one.channels, other, start, np.intp(0), other.channels, fresh)


@kernel
def lay_beside(
    values: np.ndarray, source, start: int, first: int, target, goal: int, place: int, channels: int, fresh: bool
) -> None:
    """Some channels, from the ``first`` one on, become those from ``place`` on, or are added if not ``fresh``."""
    for channel in range(channels):
        for y in range(target.height):
            here, there = line_of(source, start, first + channel, y), line_of(target, goal, place + channel, y)
            for x in range(0, target.width * ROW, ROW):
                value = load16(values, here + x)
                store(values, there + x, value if fresh else value + load16(values, there + x))
