"""Examples into planes, planes of ROW examples into rows of LANES for linear layers, and back."""

import numpy as np

from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import transpose16
from karikomi.engines.sparse.kernels.gather import Source, gather_few
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.vector import LANES, kernel, load16, store


@kernel
def gather_planes(source: Source, examples: np.ndarray, flow: Flow, block: int) -> None:
    """``examples`` into the input of a block; lanes beyond them repeat the first one."""
    starts, start = flow.network.example_starts, block * flow.block
    if gather_few(source, examples, ROW, starts, flow.units, flow.slots, start):
        return
    for piece in flow.pieces:
        if source.bytes.size:
            transpose16(source.bytes, starts, 0, piece, flow.units, flow.slots, piece, start, source.scale)
        else:
            transpose16(source.floats, starts, 0, piece, flow.units, flow.slots, piece, start, source.scale)


@kernel
def exchange(
    flow: Flow,
    signal,
    origin: int,
    row: int,
    block: int,
    planes: np.ndarray,
    rows: np.ndarray,
    into_rows: bool,
    fresh: bool,
) -> None:
    """A signal's ``planes``, one after the other, go into ``rows`` from ``row`` on, or those into the planes.

    The block's planes begin at ``origin``. They replace what is there if ``fresh``, else are added to it.
    """
    place = block * ROW // LANES * flow.network.block + row + block * ROW % LANES
    for channel in range(signal.channels):
        for y in range(signal.height):
            start = line_of(signal, origin, channel, y)
            for x in range(start, start + signal.width * ROW, ROW):
                if into_rows:
                    store(rows, place, load16(planes, x) if fresh else load16(rows, place) + load16(planes, x))
                else:
                    store(planes, x, load16(rows, place) if fresh else load16(rows, place) + load16(planes, x))
                place += LANES
