"""A linear layer that has some of its links, on rows of examples as other code has them."""

import numpy as np

from karikomi.engines.sparse.kernels.layer import Room, Wiring, layer_backward, layer_forward
from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.placement import TILE
from karikomi.engines.sparse.kernels.vector import LANES

# With fewer links, a row has so few of them in a tile that to begin one anew costs more than the caches give (measured
# for 1024 inputs and outputs: at density 0.05 tiles are 10 % faster, at 0.01 they are 40 % slower).
TILED = 0.04


class Links:
    """The links of a mask, bool ``[outputs, inputs]``, laid out for the kernels, and numbered row by row.

    Calls may overlap: each takes a room that no other one has. They get the addresses of float32 arrays.
    """

    def __init__(self, mask: np.ndarray) -> None:
        self.outputs, self.inputs = mask.shape
        row, column = np.nonzero(mask)
        tiled = len(row) >= TILED * mask.size
        width, back_width = (TILE, TILE) if tiled else (max(self.inputs, 1), max(self.outputs, 1))
        tiles, back_tiles = -(-self.inputs // width), -(-self.outputs // back_width)
        back = np.lexsort((row, column, row // back_width))
        kind = np.uint8 if tiled else np.int32
        self._wiring = Wiring(
            *(self.inputs, self.outputs, width),
            partner=(column % width).astype(kind),
            pointers=_starts(row * tiles + column // width, self.outputs * tiles),
            back_width=back_width,
            back_link=back.astype(np.int32),
            back_partner=(row[back] % back_width).astype(kind),
            back_pointers=_starts(row // back_width * self.inputs + column, self.inputs * back_tiles),
        )
        self._rooms: list[Room] = []

    def forward(self, *given: int) -> None:
        """See :func:`layer_forward`, from ``examples`` on."""
        room = self._rooms.pop() if self._rooms else self._new_room()
        layer_forward(self._wiring, room, *given)
        self._rooms.append(room)

    def backward(self, *given: int) -> None:
        """See :func:`layer_backward`, from ``examples`` on."""
        room = self._rooms.pop() if self._rooms else self._new_room()
        layer_backward(self._wiring, room, *given)
        self._rooms.append(room)

    def _new_room(self) -> Room:
        numbers = np.arange(max(self.inputs, self.outputs, LANES), dtype=np.int32)
        return Room(
            *(aligned(many * LANES) for many in (self.inputs, self.outputs)),
            row_starts=np.zeros(LANES, np.int64),
            unit_starts=numbers * np.int32(LANES),
        )


def _starts(groups: np.ndarray, many: int) -> np.ndarray:
    """Where each of ``many`` groups starts in what is sorted by them, and the end."""
    return np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=many))])
