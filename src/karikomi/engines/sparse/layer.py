"""A linear layer that has some of its links, on rows of examples as other code has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.activations import IDENTITY
from karikomi.engines.sparse.kernels.layer import Gradients, layer_backward, layer_forward
from karikomi.engines.sparse.kernels.layout import LAYER, POOLED, Network, aligned, room_for_lists
from karikomi.engines.sparse.kernels.placement import Pools, padded, place_sparse, place_way_back
from karikomi.engines.sparse.kernels.vector import LANES

NOTHING = aligned(0)


class Room(NamedTuple):
    """What one call writes to: the layer's own arrays, and the gradient of all links as they lie in the parameters."""

    network: Network
    gradient: np.ndarray


class Links:
    """The links of a mask, bool ``[outputs, inputs]``, laid out for the kernels. All arrays are float32 and flat.

    Links are numbered row by row. Calls may overlap: each takes a room that no other one has.
    """

    def __init__(self, mask: np.ndarray) -> None:
        self.outputs, self.inputs = mask.shape
        self._layers, self._pools = np.zeros(1, LAYER), Pools()
        layer, (row, column) = self._layers[0], np.nonzero(mask)
        layer["outputs"], layer["inputs"], layer["activation"] = self.outputs, self.inputs, IDENTITY
        layer["y"] = padded(self.inputs) * LANES
        self._places = place_sparse(layer, row, column, self._pools)
        place_way_back(layer, row, column, self._places, self._pools)
        layer["bias"] = self._pools.reserve(self.outputs)
        self._rooms: list[Room] = []

    def forward(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray) -> None:
        """``y`` of ``[examples, outputs]`` is written; ``bias`` may be empty."""
        with self._room() as room:
            layer_forward(room.network, self._places, x, weight, bias, y)

    def backward(self, x: np.ndarray, weight: np.ndarray, slopes: np.ndarray, gradients: Gradients) -> None:
        """``gradients`` from ``slopes``, the loss's derivatives by the outputs ``[examples, outputs]``."""
        with self._room() as room:
            layer_backward(room.network, self._places, x, weight, slopes, room.gradient, gradients)

    @contextmanager
    def _room(self) -> Iterator[Room]:
        room = self._rooms.pop() if self._rooms else self._new_room()
        try:
            yield room
        finally:
            self._rooms.append(room)

    def _new_room(self) -> Room:
        numbers = np.arange(max(self.inputs, self.outputs, LANES), dtype=np.int32)
        size = int(self._layers["y"][0]) + padded(self.outputs) * LANES
        network = Network(
            self._layers,
            aligned(self._pools.parameters),
            *(self._pools.array(name) for name in POOLED),
            block=size,
            units=aligned(size),
            deltas=aligned(size),
            scratch=NOTHING,
            transposed=NOTHING,
            unit_starts=numbers * LANES,
            lane_starts=numbers[:0],
            longest=self._pools.longest,
            pieces=np.zeros(0, np.int64),
            slots=numbers[:0],
            example_starts=np.zeros(LANES, np.int64),
            listed=room_for_lists(0, 0, 0, 0, -1, 0),
        )
        # Dot products are written in vectors, a few more than there are.
        return Room(network, aligned(self._pools.parameters + LANES))
