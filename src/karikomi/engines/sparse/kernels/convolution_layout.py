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
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.placement import Place, Pools, padded
from karikomi.engines.sparse.kernels.planes import ROW, first, line, plane
from karikomi.engines.sparse.kernels.vector import REGISTER

WIDTHS = (1, 2, 3, 4, 5, 6, 7, 10, 14)
"""Columns of which the sums can be in registers at once: few, as every one of them is code to be compiled."""
WIDEST = (14, 14, 7, 7) if REGISTER == 16 else (6, 3, 3, 3)
FORMS = tuple((*form, widest) for form, widest in zip(((1, 1), (2, 1), (1, 2), (2, 2)), WIDEST, strict=True))
"""Channels at once, places from one column to the next, and columns at once, at most."""
HELD = max(channels * widest for channels, _, widest in FORMS)
"""Rows of lanes that stay in registers."""
NEAR = 36864
"""Bytes of input that stay in the first-level cache while the channels of the output pass by."""
SPARSE = 0.07
"""Density below which a window is as much larger as less of it is read."""
FEW = 0.25
"""Density below which it costs more to go over the target once for every tile than to have narrow strips."""
DENSE = 0.75
"""From this density on, removed links are weights of 0, so that two channels have all their taps in common."""

CONVOLUTION = np.dtype(
    [(name, np.int64) for name in ("weights", "links", "bias", "keep", "passes", "backs")], align=True
)
"""A layer.

Where its ``weights`` start in the parameters, and how many ``links`` have one; where its biases are (-1: none) and, in
``keep``, what is 0 for removed links (-1: there are none); its pass forward in ``passes``, behind which those back are,
``backs`` in number.
"""

PASS = np.dtype(
    [
        (name, np.int64)
        for name in (
            # Where the first place is that is read (by a tap of offset 0) and written, and from it to the next one.
            *("source", "source_line", "source_step", "target", "target_line", "target_step", "target_plane"),
            # Channels, and places in each, of the target; how many are computed at once, in which of the FORMS; rows in
            # one visit; where the first of its strips is, and their number.
            *("channels", "rows", "columns", "together", "form", "band", "strip", "strips"),
            # Tiles of the source's channels; where the first of their lists is; where the weight of tap 0 would be; how
            # many weights the tile with the most has.
            *("tiles", "spans", "weights", "most"),
        )
    ],
    align=True,
)
"""Sums over taps for all places of a target, or for one class of them."""


class Convolutions(NamedTuple):
    """All convolutions of a network.

    The channels of a pass have lists of taps, ``together`` channels each; tile t has those of all channels behind those
    of tile t - 1. List n are the taps from ``spans[n]`` to before ``spans[n + 1]``, which read at ``offsets``. Their
    weights lie one after the other: in the parameters, or for the way back in ``turned``, to which those at ``links``
    are copied. A pass goes over its columns in strips that are as wide as ``strips`` says. ``sums`` is room for the
    gradient, a row for each weight of one tile, and 0.
    """

    layers: np.ndarray
    passes: np.ndarray
    strips: np.ndarray
    spans: np.ndarray
    offsets: np.ndarray
    links: np.ndarray
    keep: np.ndarray
    turned: np.ndarray
    sums: np.ndarray


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
    assert source["halo"] >= max(shape.padding), "what is read beyond the border are zeros"
    layer, outputs = np.zeros(1, CONVOLUTION)[0], len(mask) // shape.groups
    dense = mask.mean() >= DENSE
    o, c, y, x = np.nonzero(mask | dense)
    c += o // outputs * mask.shape[1]
    (sy, sx), (py, px), (dy, dx) = shape.stride, shape.padding, shape.dilation

    one = _pass(source, target, (sy, sx), (1, 1), (0, 0), 1 + (dense and outputs % 2 == 0))
    offsets = c * plane.py_func(source) + (y * dy - py) * line.py_func(source) + (x * dx - px) * ROW
    start, positions = pools.reserve(len(o)), np.empty(len(o), np.int64)
    positions[_list_taps(one, shape, int(source["channels"]), (o, c, y, x), offsets, pools)] = start + np.arange(len(o))
    one["weights"] += start
    layer["weights"], layer["links"], layer["passes"] = start, len(o), pools.add("passes", one[None])
    for rest in product(range(sy), range(sx)) if backward else ():
        assert target["halo"] >= halo_of_outputs(shape), "derivatives beyond the border are zeros"
        one = _pass(target, source, (1, 1), (sy, sx), rest, 1 + (dense and mask.shape[1] % 2 == 0))
        if not one["rows"] * one["columns"]:
            continue
        up, left = rest[0] + py - y * dy, rest[1] + px - x * dx
        here = (up % sy == 0) & (left % sx == 0)
        offsets = (o * plane.py_func(target) + up // sy * line.py_func(target) + left // sx * ROW)[here]
        order = _list_taps(one, shape, len(mask), [link[here] for link in (c, o, y, x)], offsets, pools)
        one["weights"] += pools.add("links", positions[here][order])
        pools.add("passes", one[None])
        layer["backs"] += 1

    kept, layer["keep"], layer["bias"] = mask[mask | dense], -1, -1
    if not kept.all():
        keep = np.zeros(padded(len(o), 16), np.float32)
        keep[positions[kept] - layer["weights"]] = 1
        layer["keep"] = pools.add("keep", keep)
    places = {"weight": Place(positions[kept], np.flatnonzero(mask))}
    if bias:
        layer["bias"] = pools.reserve(len(mask))
        places["bias"] = Place(layer["bias"] + np.arange(len(mask)), np.arange(len(mask)))
    return layer, places


def collected(layers: Sequence[Any], pools: Pools) -> Convolutions:
    """All layers that were placed."""
    passes = np.concatenate([np.empty(0, PASS), *pools.pieces["passes"]])
    arrays = (pools.array(name) for name in ("strips", "spans", "offsets", "links", "keep"))
    return Convolutions(
        *(np.array(layers, CONVOLUTION), passes, *arrays),
        turned=np.zeros(sum(map(len, pools.pieces["links"])), np.float32),
        sums=aligned(padded(int(passes["most"].max(initial=0)), 4) * ROW),
    )


def _pass(
    source: Any, target: Any, steps: tuple[int, int], strides: tuple[int, int], rest: tuple[int, int], together: int
) -> Any:
    """From every place of a signal that is a multiple of its step, to every such place, plus ``rest``, of another."""
    one = np.zeros((), PASS)
    for name, signal, (down, right) in (("source", source, steps), ("target", target, strides)):
        one[name] = first.py_func(signal)
        one[f"{name}_line"], one[f"{name}_step"] = down * line.py_func(signal), right * ROW
    one["target"] += rest[0] * line.py_func(target) + rest[1] * ROW
    one["target_plane"], one["channels"] = plane.py_func(target), target["channels"]
    one["rows"], one["columns"] = (
        max(0, -(-(int(target[side]) - skipped) // stride))
        for side, stride, skipped in zip(("height", "width"), strides, rest, strict=True)
    )
    form = max((f for f in FORMS if f[0] <= together and f[1] == steps[1]), default=FORMS[0])
    one["form"], one["together"] = FORMS.index(form), form[0]
    return one


def _list_taps(
    one: Any, shape: Shape, inputs: int, links: Sequence[np.ndarray], offsets: np.ndarray, pools: Pools
) -> np.ndarray:
    """The order of the ``links`` (the target's channel, the source's, y, x) in a pass: by tile, by list, by tap.

    Strips are as wide as registers allow. Where there are few links, they are half as wide if then the window of all
    ``inputs``, the source's channels, stays near. Else the channels are in tiles.
    """
    channel, source, y, x = links
    (height, width), together = (d * (k - 1) + 1 for k, _, _, d in shape.sides), int(one["together"])
    density = len(x) * shape.groups / (int(one["channels"]) * inputs * math.prod(shape.kernel))
    near, step = NEAR * max(1, SPARSE / max(density, 1e-3)), int(one["source_step"]) // ROW
    widest = FORMS[one["form"]][2] if step == FORMS[one["form"]][1] else 1

    def line_of(widest: int) -> int:
        """Bytes of a line of the window in one channel."""
        return ((min(widest, int(one["columns"])) - 1) * step + width) * ROW * 4

    half = max(1, widest // 2)
    if density < FEW and inputs * (height + 1) * line_of(half) <= near < inputs * (height + 1) * line_of(widest):
        widest = half
    widths = _strips(int(one["columns"]), widest)
    one["strip"], one["strips"] = pools.add("strips", np.array(widths, np.int32)), len(widths)
    across = line_of(max(widths))
    size = max(1, min(inputs, int(near / ((height + 1) * across))))
    one["band"] = max(2, int(near / (size * across)) - height + 1)

    tiles, lists = -(-inputs // size), -(-int(one["channels"]) // together)
    number = source // size * lists + channel // together
    order = np.lexsort((channel % together, x, source, y, number))
    start = pools.add("offsets", offsets[order][::together])
    counts = np.bincount(number, minlength=tiles * lists)
    one["spans"] = pools.add("spans", start + np.concatenate([[0], np.cumsum(counts // together)]))
    one["tiles"], one["weights"], one["most"] = tiles, -start * together, counts.reshape(tiles, lists).sum(1).max()
    return order


def _strips(columns: int, widest: int) -> list[int]:
    """The widths of the fewest strips, the narrowest as wide as can be."""
    whole = max(0, columns // widest - 1)
    left = columns - whole * widest
    for many in range(left + 1):
        choices = combinations_with_replacement([width for width in WIDTHS if width <= widest], many)
        fitting = [choice for choice in choices if sum(choice) == left]
        if fitting:
            return [widest] * whole + list(max(fitting))[::-1]
    raise AssertionError("strips of one column fit")
