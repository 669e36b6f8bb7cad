"""Examples into the input units of a block."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.fused import transpose16
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import LANES, kernel, prefetch


class Source(NamedTuple):
    """Examples of ``pixels`` values, one after the other, in ``bytes`` or in ``floats``; the other one is empty."""

    bytes: np.ndarray
    floats: np.ndarray
    labels: np.ndarray
    pixels: int
    scale: np.float32


@inlined
def gather_few(source, examples, lanes, starts, units, slots, start):
    """Finds where the examples start; gathers those that have fewer numbers than a vector, and says whether it did."""
    for lane in range(lanes):
        starts[lane] = examples[lane if lane < examples.size else 0] * source.pixels
    for pixel in range(source.pixels if source.pixels < 16 else 0):
        for lane in range(lanes):
            place = starts[lane] + pixel
            value = np.float32(source.bytes[place]) if source.bytes.size else source.floats[place]
            units[start + slots[pixel] + lane] = value * source.scale
    return source.pixels < 16


@kernel
def gather(source: Source, examples: np.ndarray, network: Network, block: int, following: np.ndarray) -> None:
    """``examples`` into the input units of a block; lanes beyond them repeat the first one.

    Those that come next, ``following``, are asked for in between, a few at a time: a processor drops what it cannot
    ask for at once.
    """
    units, slots, starts = network.units, network.slots, network.example_starts
    if gather_few(source, examples, LANES, starts, units, slots, block):
        return
    for lane in range(0, LANES, 16):
        coming = following[lane : lane + 16]
        for example in coming:
            prefetch(source.labels, example)
        for piece in network.pieces:
            if source.bytes.size:
                transpose16(source.bytes, starts, lane, piece, units, slots, piece, block + lane, source.scale)
                if piece % 64 < 16:
                    for example in coming:
                        prefetch(source.bytes, example * source.pixels + piece)
            else:
                transpose16(source.floats, starts, lane, piece, units, slots, piece, block + lane, source.scale)
                for example in coming:
                    prefetch(source.floats, example * source.pixels + piece)
