"""Which convolutions are computed in tiles, and where their weights and tiles are."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.convolution_layout import Shape
from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.planes import ROW, first, line
from karikomi.engines.sparse.kernels.winograd import (
    OUTPUTS,
    READ,
    SIDE,
    TILES,
    WINOGRAD,
    Winograd,
    apart,
    filters,
)

# What it costs to turn a tile of inputs or outputs, in products of it.
_TURNING = 5


class Tilings:
    """Layers, placed one by one."""

    def __init__(self) -> None:
        self.layers = list[Any]()
        self.sources, self.targets, self.weights = (list[np.ndarray]() for _ in range(3))

    def place(self, signals: np.ndarray, x: int, y: int, padding: tuple[int, int], weight: Any, bias: Any) -> int:
        """The number of a layer between two signals."""
        (outputs, inputs), many, record = weight.shape[:2], padded(len(weight), OUTPUTS), np.zeros((), WINOGRAD)
        up, left = padding
        corners = _corners(signals[y])
        record["x"], record["inputs"], record["outputs"], record["padded"] = x, inputs, outputs, many
        record["first"], record["tiles"] = _size(self.sources), len(corners)
        record["together"] = -(-len(corners) // -(-len(corners) // TILES))
        self.sources.append(np.array([_place(signals[x], row - up, column - left) for row, column in corners]))
        values = np.zeros((READ * READ, inputs, many), np.float32)
        values[..., :outputs] = filters(weight)
        record["weights"] = _size(self.weights)
        self.weights.append(values.ravel())
        record["bias"] = _size(self.weights)
        self.weights.append(np.repeat(np.zeros(outputs) if bias is None else bias, ROW))
        return self._add(record, signals, y, corners)

    def into(self, number: int, signals: np.ndarray, y: int) -> int:
        """The layer into another signal instead, pooled by squares if that is half as high."""
        record = self.layers[number].copy()
        corners, pooled = _corners(signals[record["y"]]), signals[y]["height"] < signals[record["y"]]["height"]
        record["pooled"], record["first"] = pooled, _size(self.sources)
        self.sources.append(self.sources[number])
        return self._add(record, signals, y, [(row >> pooled, column >> pooled) for row, column in corners])

    def _add(self, record: Any, signals: np.ndarray, y: int, corners: Sequence[tuple[int, int]]) -> int:
        record["y"] = y
        self.targets.append(np.array([_place(signals[y], *corner) for corner in corners]))
        self.layers.append(record)
        return len(self.layers) - 1

    def all(self) -> Winograd:
        """What kernels take, with room for one thread."""
        layers = np.array(self.layers, WINOGRAD)
        rooms = [
            sum(apart.py_func(int(n * layer["together"])) for n in layer[["inputs", "padded"]]) for layer in layers
        ]
        weights = aligned(_size(self.weights))
        weights[:] = np.concatenate([np.empty(0), *self.weights])
        sources, targets = (np.concatenate([np.empty(0, np.int64), *some]) for some in (self.sources, self.targets))
        room, loud = aligned(READ * READ * max(rooms, default=0)), np.zeros(layers["inputs"].max(initial=0), np.int64)
        return Winograd(layers, sources, targets, weights, room, loud)


def fit_tiles(shape: Shape, mask: np.ndarray, target: Any) -> bool:
    """Whether a convolution can be computed in tiles, for less than its links cost."""
    plain = shape.stride == shape.dilation == (1, 1) and shape.groups == 1 and shape.kernel == (3, 3)
    if not plain or min(target["height"], target["width"]) < SIDE:
        return False
    outputs, inputs = mask.shape[:2]
    in_tiles = len(_corners(target)) * READ * READ * (inputs * outputs + _TURNING * (inputs + outputs))
    return bool(in_tiles < mask.sum() * target["height"] * target["width"])


def _corners(target: Any) -> Sequence[tuple[int, int]]:
    """Where tiles begin that cover a signal; the last ones end with it."""
    height, width = (
        [min(start, int(target[side]) - SIDE) for start in range(0, int(target[side]), SIDE)]
        for side in ("height", "width")
    )
    return [*product(height, width)]


def _place(signal: Any, row: int, column: int) -> int:
    """A place of channel 0, from the signal's start on."""
    return int(first.py_func(signal) - signal["start"] + row * line.py_func(signal) + column * ROW)


def _size(pieces: Iterable[np.ndarray]) -> int:
    return sum(map(np.size, pieces))
