"""Where the links of each layer go in the flat arrays."""

import math
from collections import defaultdict
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from karikomi.engines.sparse.kernels.fused import DENSE_COLUMNS, DENSE_ROWS, WIDE_ROWS
from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.sorting import TILE, Lists, Order, Room, grouped, sort_back, sort_links
from karikomi.engines.sparse.kernels.vector import LANES

# What a dense product costs, by its own products; 1 is what visiting a link costs, by its products (LeNet-300-100: with
# AVX2 and with AVX-512 a dense product is faster at density 0.8, and slower by a tenth to a sixth at 0.64).
DENSE_COST = 0.75
# In products, what it costs to update a parameter, to list a value, and to turn an output or its derivative (AVX2).
UPDATE_COST, LISTING_COST, TURNING_COST = 16, 100, 5
# The links of LANES units with so many listed inputs stay in the first-level cache while all examples pass by.
LISTED_TILE = 128
# What the pieces in which dense matrices are multiplied all divide.
PADDING = math.lcm(DENSE_ROWS, DENSE_COLUMNS, WIDE_ROWS)
# Units that one pass over the rows of a dense product reads: they, too, stay in the first-level cache.
DENSE_TILE = 96

Size = TypeVar("Size", int, np.ndarray)


class Place(NamedTuple):
    """Where one named array's surviving elements are: ``parameters[positions]`` is ``array.flat[elements]``."""

    positions: np.ndarray
    elements: np.ndarray


class Pools:
    """Arrays that grow piece by piece; adding a piece tells where it starts."""

    KINDS: ClassVar[dict[str, type]] = {
        **{"pointers": np.int64, "back_pointers": np.int64, "spans": np.int64, "keep": np.float32},
        **{"partner": np.uint8, "back_partner": np.uint8},
    }

    def __init__(self) -> None:
        self.parameters = 0
        self.longest = 0
        self.pieces: dict[str, list[np.ndarray]] = defaultdict(list)

    def reserve(self, parameters: int) -> int:
        """Room for whole vectors of them."""
        start = self.parameters
        self.parameters += padded(parameters, 16)
        return start

    def add(self, name: str, piece: np.ndarray) -> int:
        start = sum(map(len, self.pieces[name]))
        self.pieces[name].append(piece)
        return start

    def array(self, name: str) -> np.ndarray:
        kind = self.KINDS.get(name, np.int32)
        return np.concatenate([np.empty(0, kind), *self.pieces[name]]).astype(kind)


def kept_units(masks: list[np.ndarray], inputs: np.ndarray, keep_idle: bool) -> list[np.ndarray]:
    """The units of every level, from those of the ``inputs`` that are in use to outputs, that have to be computed."""
    kept = [np.arange(masks[-1].shape[0])]
    for mask in masks[:0:-1]:
        kept.insert(0, np.flatnonzero(mask[kept[0]].any(axis=0) | keep_idle))
    return [np.flatnonzero(masks[0][kept[0]].any(axis=0) & inputs), *kept]


def is_dense(block: np.ndarray) -> bool:
    return block.size > 0 and bool(block.mean() >= DENSE_COST)


def worth_listing(block: np.ndarray, nonzero: np.ndarray, batch: int) -> np.ndarray:
    """Which inputs of the first layer cost less if their values other than 0 are listed.

    ``nonzero`` is the share of examples in which each one is not 0. A listed value is multiplied for every unit; a
    link otherwise for every lane. Both happen twice, for the outputs and for the gradient.
    """
    rows, lanes, values = padded(block.shape[0], LANES), padded(batch, LANES), batch * nonzero
    by_link = block.sum(axis=0) * (2 * lanes + UPDATE_COST)
    listed = values * (2 * rows + LISTING_COST) + rows * UPDATE_COST
    dense = DENSE_COST * block.size * (2 * lanes + UPDATE_COST)
    if np.minimum(listed, by_link).sum() + 2 * rows * lanes * TURNING_COST < min(by_link.sum(), dense):
        return listed < by_link
    return np.zeros(len(nonzero), bool)


def place_dense(layer: Any, block: np.ndarray, pools: Pools) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    layer["stride"] = stride = padded(block.shape[1])
    layer["links"] = pools.reserve(padded(block.shape[0]) * stride)
    pools.longest = max(pools.longest, DENSE_ROWS * stride)
    if not block.all():
        keep = np.zeros((padded(block.shape[0]), stride), np.float32)
        keep[: block.shape[0], : block.shape[1]] = block
        layer["keep"] = pools.add("keep", keep.ravel())
    row, column = np.nonzero(block)
    return row, column, layer["links"] + row * stride + column


def place_sparse(
    layer: Any, block: np.ndarray, pools: Pools, backward: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With room for as many links at any other places; and, if ``backward``, for the way back to the inputs.

    Returns row, column and position of each link.
    """
    outputs, inputs = block.shape
    count, tiles, back_tiles = int(block.sum()), -(-inputs // TILE), -(-outputs // TILE) * backward
    groups = grouped(block)
    back_groups = grouped(block.T) if backward else groups[:0]
    forward, backs = len(groups) + 1, len(back_groups) + backward
    lists = Lists(
        pools.reserve(padded(count, 16) + 16 * tiles),
        *(0, np.zeros(count, np.uint8), np.empty(forward, np.int64), np.zeros(forward, np.int32)),
        np.empty(tiles, np.int32),
        *(0, np.empty(count * backward, np.uint8), np.empty(count * backward, np.int32)),
        *(np.empty(backs, np.int64), np.zeros(backs, np.int32), back_groups),
    )
    room, order = Room.of(block), Order.of(count, groups, tiles)
    sort_links(room, lists, order)
    layer["tiles"], layer["back_tiles"] = tiles, back_tiles
    layer["pointer"] = pools.add("pointers", (entry := pools.add("partner", lists.partner)) + lists.pointers)
    pools.add("rows", lists.rows)
    layer["tile_link"] = pools.add("shifts", lists.shifts - entry)
    if backward:
        sort_back(room, lists, order)
        layer["back_pointer"] = pools.add(
            "back_pointers", pools.add("back_partner", lists.back_partner) + lists.back_pointers
        )
        pools.add("back_link", lists.back_link)
        pools.add("back_rows", lists.back_rows)
    pools.longest = max(pools.longest, GROUP * TILE + 32)
    return order.places()


def place_listed(mask: np.ndarray, units: np.ndarray, inputs: np.ndarray, pools: Pools) -> tuple[int, int, Place]:
    """Where the links between ``units`` and listed ``inputs`` and their mask start, and the place of each link."""
    block = mask[np.ix_(units, inputs)]
    size = padded(len(units), LANES) * len(inputs)
    row, column = np.nonzero(block)
    positions = (row // LANES * len(inputs) + column) * LANES + row % LANES
    links, keep = pools.reserve(size), -1
    if not block.all():
        kept = np.zeros(size, np.float32)
        kept[positions] = 1
        keep = pools.add("keep", kept)
    pools.longest = max(pools.longest, LANES)
    return links, keep, Place(links + positions, units[row] * mask.shape[1] + inputs[column])


def padded(size: Size, to: int = PADDING) -> Size:
    return -(-size // to) * to
