"""Signals of convolutional networks: planes of places, each a row of ROW examples, with a border of zeros."""

import numpy as np

from karikomi.engines.sparse.kernels.rows import inlined

ROW = 16
"""Examples in one block of planes: fewer than the LANES of a linear layer, so that planes fit into the caches."""

PLANES = np.dtype([(name, np.int64) for name in ("start", "channels", "height", "width", "halo")], align=True)
"""Where a signal is in the flat array of a block of examples, and how large.

Channel c, place (y, x) is the row at ``start + ((c · (height + 2 halo) + y + halo) · (width + 2 halo) + x + halo) ·
ROW``. The halo, as many places on all four sides, is the largest padding that a reader of the signal asks for and
always 0. A unit of a linear layer is a channel of one place without a halo.
"""


def planes(start: int, channels: int, height: int, width: int, halo: int = 0) -> np.ndarray:
    """An array of one record; ``planes(…)[0]`` is what kernels take."""
    return np.array([(start, channels, height, width, halo)], PLANES)


@inlined
def line(signal) -> int:
    """Elements from a place to the one below it."""
    return (signal["width"] + 2 * signal["halo"]) * ROW


@inlined
def plane(signal) -> int:
    """Elements from a channel to the next one."""
    return (signal["height"] + 2 * signal["halo"]) * line(signal)


@inlined
def first(signal) -> int:
    """Where place (0, 0) of channel 0 is."""
    return signal["start"] + signal["halo"] * (line(signal) + ROW)


def extent(signal) -> int:
    """Elements of the whole signal, halo included."""
    height, width = (signal[side] + 2 * signal["halo"] for side in ("height", "width"))
    return int(signal["channels"] * height * width) * ROW
