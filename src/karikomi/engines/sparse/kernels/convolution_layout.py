"""Where the links of a convolution go in the flat arrays, and in which order they are visited.

A link is one weight: it joins an output's channel to one place in the window of an input's channel. For any place of
the output, what it reads is at a fixed offset, so the sparse form of a convolution is a list of offsets and weights
for each channel. The way back to the input is of the same kind: at a fixed offset in the output's planes for every
place of the input; with a stride, for every class of places that have the same remainders.

A signal and its delta (the loss's derivatives by it) have one geometry, the halo included. That must be as wide as the
padding of whoever reads the signal, and as :func:`halo_of_outputs` of the convolution that writes it.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.placement import Place, Pools
from karikomi.engines.sparse.kernels.planes import ROW, first, line, plane
from karikomi.engines.sparse.kernels.vector import REGISTER

WIDEST = (14 if REGISTER == 16 else 6) * 16 // ROW
"""Places of a line whose sums are in registers at once."""
NEAR = 32768
"""Bytes of input that stay in the first-level cache while the channels of the output pass by."""

CONVOLUTION = np.dtype(
    [(name, np.int64) for name in ("weights", "bias", "links", "outputs", "passes", "backs")], align=True
)
"""A layer: where in ``parameters`` its weights and biases start (bias -1: none), the number of links and of output
channels, its pass forward in ``passes``, behind which those back are, ``backs`` in number."""

PASS = np.dtype(
    [
        (name, np.int64)
        for name in (
            # Where the first place is that is read (by a link of offset 0) and written, and from it to the next one.
            *("source", "source_line", "source_step", "target", "target_line", "target_step", "target_plane"),
            # Places in one channel of the target, and how many of a line are computed at once.
            *("rows", "columns", "width"),
            # Channels of the target; tiles of the source's channels; where the first of their lists is in ``spans``.
            *("channels", "tiles", "spans"),
        )
    ],
    align=True,
)
"""Sums over links for all places of a target, or for one class of them."""


class Convolutions(NamedTuple):
    """All convolutions of a network.

    The links that channel c of a pass reads in tile t are those from ``spans[n]`` to before ``spans[n + 1]``, where
    n = t · channels + c: each reads at ``offsets``, with the weight at ``links`` in the parameters. In the pass forward
    their weights lie one after the other.
    """

    layers: np.ndarray
    passes: np.ndarray
    spans: np.ndarray
    offsets: np.ndarray
    links: np.ndarray


class Shape(NamedTuple):
    """A convolution as PyTorch's; pairs are (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def sides(self) -> Iterator[tuple[int, int, int, int]]:
        """Kernel, stride, padding and dilation of each side."""
        return zip(self.kernel, self.stride, self.padding, self.dilation, strict=True)


def halo_of_outputs(shape: Shape) -> int:
    """The halo that the way back asks of the outputs: it reads derivatives beyond the border, which are 0."""
    return max(0, *(-((p - d * (k - 1)) // s) for k, s, p, d in shape.sides))


def outputs_of(shape: Shape, height: int, width: int) -> tuple[int, int]:
    """Height and width of the output."""
    sizes = zip((height, width), shape.sides, strict=True)
    rows, columns = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, (k, s, p, d) in sizes)
    return rows, columns


def place_convolution(
    shape: Shape, mask: np.ndarray, source: Any, target: Any, pools: Pools, *, bias: bool, backward: bool = True
) -> tuple[Any, dict[str, Place]]:
    """The layer's record (CONVOLUTION), and where its ``weight`` and ``bias`` are in the parameters.

    ``mask`` is bool, ``[outputs, inputs / groups, kernel height, kernel width]``; ``source`` and ``target`` are the
    planes of input and output. Without ``backward`` there is no way back to the input.
    """
    o, c, y, x = np.nonzero(mask)
    c += o // (len(mask) // shape.groups) * mask.shape[1]
    layer = np.zeros(1, CONVOLUTION)[0]
    layer["outputs"], layer["links"], layer["bias"] = len(mask), len(o), -1
    layer["weights"] = start = pools.reserve(len(o))
    assert source["halo"] >= max(shape.padding), "what is read beyond the border are zeros"

    (sy, sx), (py, px), (dy, dx) = shape.stride, shape.padding, shape.dilation
    offsets = c * plane.py_func(source) + (y * dy - py) * line.py_func(source) + (x * dx - px) * ROW
    forward = _pass(source, target, (sy, sx), (1, 1), (0, 0))
    tile = c // _tile(forward, shape)
    order = np.lexsort((x, c, y, o, tile))
    positions = np.empty(len(o), np.int64)
    positions[order] = start + np.arange(len(o))
    _lists(forward, o, tile, offsets, positions, order, pools)
    layer["passes"] = pools.add("passes", np.array([forward]))
    if backward:
        assert target["halo"] >= halo_of_outputs(shape), "derivatives beyond the border are zeros"
        for rest in product(range(sy), range(sx)):
            back = _pass(target, source, (1, 1), (sy, sx), rest)
            tile = o // _tile(back, shape)
            up, left = rest[0] + py - y * dy, rest[1] + px - x * dx
            offsets = o * plane.py_func(target) + up // sy * line.py_func(target) + left // sx * ROW
            order = np.lexsort((x, o, y, c, tile))
            order = order[((up % sy == 0) & (left % sx == 0))[order]]
            _lists(back, c, tile, offsets, positions, order, pools)
            pools.add("passes", np.array([back]))
            layer["backs"] += 1
    places = {"weight": Place(positions, np.flatnonzero(mask))}
    if bias:
        layer["bias"] = pools.reserve(len(mask))
        places["bias"] = Place(layer["bias"] + np.arange(len(mask)), np.arange(len(mask)))
    return layer, places


def collected(layers: Sequence[Any], pools: Pools) -> Convolutions:
    """All layers that were placed."""
    passes = np.concatenate(pools.pieces["passes"])
    return Convolutions(np.array(layers, CONVOLUTION), passes, *map(pools.array, ("spans", "offsets", "links")))


def _pass(
    source: Any, target: Any, source_step: tuple[int, int], target_step: tuple[int, int], rest: tuple[int, int]
) -> Any:
    """From and to every place of a signal that is a multiple of its step, in the target plus ``rest``."""
    one = np.zeros(1, PASS)[0]
    for name, signal, (down, right) in (("source", source, source_step), ("target", target, target_step)):
        one[name] = first.py_func(signal)
        one[f"{name}_line"], one[f"{name}_step"] = down * line.py_func(signal), right * ROW
    one["target"] += rest[0] * line.py_func(target) + rest[1] * ROW
    one["target_plane"], one["channels"] = plane.py_func(target), target["channels"]
    sizes = zip(("rows", "columns"), ("height", "width"), target_step, rest, strict=True)
    for name, side, step, skipped in sizes:
        one[name] = max(0, -(-(int(target[side]) - skipped) // step))
    strips = max(1, -(-int(one["columns"]) // WIDEST))
    one["width"] = -(-int(one["columns"]) // strips)
    one["tiles"] = source["channels"]
    return one


def _tile(one: Any, shape: Shape) -> int:
    """Channels of the source in a tile; how many tiles there are is noted in the pass."""
    (height, width), channels = shape.kernel, int(one["tiles"])
    step = int(one["source_step"]) // ROW
    window = height * ((int(one["width"]) - 1) * step + width) * ROW * 4
    one["tiles"] = tiles = math.ceil(channels * window / NEAR)
    one["tiles"] = tiles = min(channels, tiles)
    size = -(-channels // tiles)
    one["tiles"] = -(-channels // size)
    return size


def _lists(
    one: Any,
    channel: np.ndarray,
    tile: np.ndarray,
    offsets: np.ndarray,
    positions: np.ndarray,
    order: np.ndarray,
    pools: Pools,
) -> None:
    """The links in the ``order`` in which they are visited: by tile, then by channel."""
    lists = int(one["tiles"] * one["channels"])
    counts = np.bincount((tile * int(one["channels"]) + channel)[order], minlength=lists)
    start = pools.add("offsets", offsets[order])
    pools.add("links", positions[order])
    one["spans"] = pools.add("spans", start + np.concatenate([[0], np.cumsum(counts)]))
