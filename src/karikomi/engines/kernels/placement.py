"""Where the links of each layer go in the flat arrays."""

import math
from collections import defaultdict
from typing import Any, ClassVar

import numpy as np

from karikomi.engines.kernels.fused import DENSE_COLUMNS, DENSE_ROWS, WIDE_ROWS
from karikomi.engines.kernels.links import GROUP, LISTS

# Above this share of links left a dense product with zeros in it is faster than visiting the links (LeNet-300-100:
# with AVX2 by a tenth at 0.8, and slower by a tenth at 0.64; with AVX-512 as fast at 0.8, slower by a sixth at 0.64).
DENSE_FROM = 0.75
# Units in one tile: they stay in the first-level cache while all rows pass by.
TILE = 128
# What the pieces in which dense matrices are multiplied all divide.
PADDING = math.lcm(DENSE_ROWS, DENSE_COLUMNS, WIDE_ROWS)
# Units that one pass over the rows of a dense product reads: they, too, stay in the first-level cache.
DENSE_TILE = 96


class Pools:
    """Arrays that grow piece by piece; adding a piece tells where it starts."""

    KINDS: ClassVar[dict[str, type]] = {
        **{"pointers": np.int64, "rare_pointers": np.int64, "back_pointers": np.int64, "keep": np.float32},
        **{"partner": np.uint8, "back_partner": np.uint8},
    }

    def __init__(self) -> None:
        self.parameters = 0
        self.longest = 0
        self.pieces: dict[str, list[np.ndarray]] = defaultdict(list)

    def reserve(self, parameters: int) -> int:
        self.parameters += parameters
        return self.parameters - parameters

    def add(self, name: str, piece: np.ndarray) -> int:
        start = sum(map(len, self.pieces[name]))
        self.pieces[name].append(piece)
        return start

    def array(self, name: str) -> np.ndarray:
        kind = self.KINDS.get(name, np.int32)
        return np.concatenate([np.empty(0, kind), *self.pieces[name]]).astype(kind)


def kept_units(masks: list[np.ndarray], popularity: np.ndarray, keep_idle: bool) -> list[np.ndarray]:
    """The units of every level, from inputs (the most popular first) to outputs, that have to be computed."""
    kept = [np.arange(masks[-1].shape[0])]
    for mask in masks[:0:-1]:
        kept.insert(0, np.flatnonzero(mask[kept[0]].any(axis=0) | keep_idle))
    inputs = np.flatnonzero(masks[0][kept[0]].any(axis=0))
    return [inputs[np.argsort(-popularity[inputs], kind="stable")], *kept]


def is_dense(block: np.ndarray) -> bool:
    return block.size > 0 and bool(block.mean() >= DENSE_FROM)


def place_dense(layer: Any, block: np.ndarray, row: np.ndarray, column: np.ndarray, pools: Pools) -> np.ndarray:
    layer["stride"] = stride = padded(block.shape[1])
    # Vectors of weights are read and written whole.
    pools.reserve(-pools.parameters % 16)
    layer["links"] = pools.reserve(padded(block.shape[0]) * stride)
    pools.longest = max(pools.longest, DENSE_ROWS * stride)
    if not block.all():
        keep = np.zeros((padded(block.shape[0]), stride), np.float32)
        keep[: block.shape[0], : block.shape[1]] = block
        layer["keep"] = pools.add("keep", keep.ravel())
    return layer["links"] + row * stride + column


def place_sparse(layer: Any, row: np.ndarray, column: np.ndarray, popular: int, pools: Pools) -> np.ndarray:
    layer["links"] = links = pools.reserve(len(row))
    layer["tiles"] = tiles = -(-popular // TILE)
    groups, group, rare = -(-int(layer["outputs"]) // GROUP), row // GROUP, column >= popular
    lists = tiles * groups * LISTS
    # Which rows of the group read an input, one bit for each.
    rows = np.zeros((groups, int(layer["inputs"])), np.int64)
    np.bitwise_or.at(rows, (group, column), 1 << row % GROUP)
    where = (column // TILE * groups + group) * LISTS + rows[group, column] - 1
    where = np.where(rare, lists + column - popular, where)
    order = np.lexsort((row, column, where))
    where, column, rare = where[order], column[order], rare[order]
    # One entry for all links of a group with an input; of a rare input one for each.
    entry = rare | (np.diff(where, prepend=-1) != 0) | (np.diff(column, prepend=-1) != 0)
    ends = np.cumsum(np.bincount(where[entry], minlength=lists + int(layer["inputs"]) - popular))
    ends = np.concatenate([[0], ends])
    start = pools.add("partner", column[entry & ~rare] % TILE)
    layer["pointer"] = pools.add("pointers", start + ends[: lists + 1])
    pools.add("rare_partner", row[order][rare])
    pools.add("rare_pointers", ends[lists:] - ends[lists])
    tile = np.where(rare, tiles, column // TILE)
    pools.longest = max(pools.longest, *np.bincount(tile, minlength=1))
    positions = np.empty(len(row), np.int64)
    positions[order] = links + np.arange(len(row))
    return positions


def place_way_back(layer: Any, row: np.ndarray, column: np.ndarray, positions: np.ndarray, pools: Pools) -> None:
    layer["back_tiles"] = tiles = -(-int(layer["outputs"]) // TILE)
    order, pointers = _grouped(row // TILE * layer["inputs"] + column, tiles * layer["inputs"])
    start = pools.add("back_partner", (row % TILE)[order])
    pools.add("back_link", positions[order])
    layer["back_pointer"] = pools.add("back_pointers", start + pointers)


def _grouped(group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """An order that brings each group together, and where each one starts in it (and the last one ends)."""
    return np.argsort(group, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))])


def padded(size: int) -> int:
    return -(-size // PADDING) * PADDING
