"""Where the taps are of convolutions of which one channel's growth is followed."""

from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.convolution_layout import Shape
from karikomi.engines.sparse.kernels.growth import GROWTH, WIDEST, Growths
from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.planes import ROW, line


class Growing:
    """Layers, placed one by one."""

    def __init__(self) -> None:
        self.layers = list[Any]()
        self.counts, self.offsets, self.weights = (list[np.ndarray]() for _ in range(3))

    def place(
        self, shape: Shape, signals: np.ndarray, numbers: tuple[int, int, int], weight: np.ndarray, mask: np.ndarray
    ) -> int:
        """The number of a layer; its signals are a channel's growth, the sums, and what becomes of them."""
        x, sums, y = numbers
        record = np.zeros((), GROWTH)
        record["x"], record["sums"], record["y"] = numbers
        record["pooled"] = signals[y]["height"] < signals[sums]["height"]
        record["outputs"] = len(mask)
        record["width"] = _width(int(signals[sums]["width"]), bool(record["pooled"]))
        record["spans"] = sum(map(len, self.counts))
        (down, right), (up, left) = shape.dilation, shape.padding
        by_channel = [part.swapaxes(0, 1) for part in (mask, weight)]
        *_, row, column = np.nonzero(by_channel[0])
        self.offsets.append((row * down - up) * line.py_func(signals[x]) + (column * right - left) * ROW)
        self.weights.append(by_channel[1][by_channel[0]])
        self.counts.append(by_channel[0].sum(axis=(2, 3)).ravel())
        self.layers.append(record)
        return len(self.layers) - 1

    def all(self) -> Growths:
        """What kernels take."""
        counts, offsets, weights = (
            np.concatenate([np.empty(0), *some]) for some in (self.counts, self.offsets, self.weights)
        )
        values = aligned(len(weights))
        values[:] = weights
        spans = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Growths(np.array(self.layers, GROWTH), spans, offsets.astype(np.int32), values)


def can_grow(shape: Shape, sums: Any) -> bool:
    """Whether all sums grow, neighbours in what is read are neighbours in them, and there are two rows."""
    return shape.stride == (1, 1) and shape.groups == 1 and sums["height"] > 1


def _width(columns: int, pooled: bool) -> int:
    """Columns at once, so that the fewest are computed twice."""
    strips = -(-columns // WIDEST)
    width = -(-columns // strips)
    return width + width % 2 if pooled else width
