"""A subnetwork as the flat arrays that the kernels work on, and back."""

from collections import defaultdict
from typing import ClassVar, NamedTuple

import numpy as np
from torch import nn

from karikomi.engines.kernels.vector import DENSE_ROWS, LANES
from karikomi.networks.subnetwork import Subnetwork

IDENTITY, RELU, TANH = range(3)
ACTIVATIONS: dict[type[nn.Module], int] = {nn.ReLU: RELU, nn.Tanh: TANH}

# Above this share of links left a dense product with zeros in it is faster than visiting the links.
DENSE_FROM = 0.7
# Inputs that are zero in a whole block at least this often are worth a test.
RARE_BELOW = 0.6
# Units in one tile: together with a row of results they stay in the first-level cache.
import os

TILE = int(os.environ.get("TILE","128"))
DENSE_FROM=float(os.environ.get("DENSE",".7"))

# Dense matrices are multiplied in pieces of DENSE_ROWS by 16 columns; both divide the padded sizes.
DENSE_COLUMNS, PADDING = 16, 48

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("inputs", "outputs", "activation"),
            # Where in ``units`` (and ``deltas``) the layer's inputs and outputs start, one block of lanes per unit.
            *("x", "y"),
            # Where in ``parameters`` its links and biases start (bias -1: none).
            *("links", "bias"),
            # A dense layer: elements per padded row (0: sparse), and where in ``keep`` its mask starts (-1: none removed).
            *("stride", "keep"),
            # A sparse layer: where in ``pointers`` and ``back_pointers`` its rows start, and how many tiles there are.
            *("pointer", "tiles", "back_pointer", "back_tiles"),
        )
    ],
    align=True,
)


class Network(NamedTuple):
    """A subnetwork laid out.

    The links of a sparse layer lie tile by tile (of ``TILE`` inputs), in a tile row by row; ``pointers`` says where
    each row starts and ``index`` which input a link reads. The links of rare inputs come after them, input by input,
    and there ``index`` says which output a link feeds: so one test skips all links of an input that is zero in the
    whole block. For the way back to a layer's inputs ``back_position`` names the same links input by input.
    """

    layers: np.ndarray
    parameters: np.ndarray
    index: np.ndarray
    pointers: np.ndarray
    back_index: np.ndarray
    back_position: np.ndarray
    back_pointers: np.ndarray
    keep: np.ndarray
    # Values of all units, and the loss's derivatives by them, ``block`` elements for each block of examples.
    block: int
    units: np.ndarray
    deltas: np.ndarray
    scratch: np.ndarray
    # A dense layer's inputs with a row per lane, and where rows of units and of lanes start.
    transposed: np.ndarray
    unit_starts: np.ndarray
    lane_starts: np.ndarray
    # The most parameters that are updated at once.
    longest: int
    # Which pixels are gathered, sixteen at a time from each of ``pieces``, and where in ``units`` each one goes.
    pieces: np.ndarray
    slots: np.ndarray
    example_starts: np.ndarray
    # Inputs from ``popular`` on are rare; ``present`` lists inputs that are not, or not all, zero in the block, and
    # ``groups`` the groups of DENSE_COLUMNS inputs with such an input; ``counts`` says how many of each.
    popular: int
    present: np.ndarray
    groups: np.ndarray
    counts: np.ndarray
    everything: np.ndarray


class Place(NamedTuple):
    """Where one named array's surviving elements are: ``parameters[positions]`` is ``array.flat[elements]``."""

    positions: np.ndarray
    elements: np.ndarray


class Linear(NamedTuple):
    weight: str
    bias: str | None
    activation: int


def linear_layers(module: nn.Module) -> list[Linear] | None:
    """The linear layers of a multilayer perceptron, each with the activation after it; None for anything else."""
    if type(module) is not nn.Sequential:
        return None
    layers: list[Linear] = []
    for name, part in module.named_children():
        if type(part) is nn.Linear:
            bias = None if part.bias is None else f"{name}.bias"
            layers.append(Linear(f"{name}.weight", bias, IDENTITY))
        elif type(part) in ACTIVATIONS and layers and layers[-1].activation == IDENTITY:
            layers[-1] = layers[-1]._replace(activation=ACTIVATIONS[type(part)])
        elif not (type(part) is nn.Identity or (type(part) is nn.Flatten and not layers and _whole(part))):
            return None
    return layers or None


def _whole(flatten: nn.Flatten) -> bool:
    return (flatten.start_dim, flatten.end_dim) == (1, -1)


def lay_out(
    subnetwork: Subnetwork, popularity: np.ndarray, batch: int, *, keep_idle: bool, backward: bool = True
) -> tuple[Network, dict[str, Place]]:
    """The network's arrays for minibatches of ``batch``, and where each parameter of ``subnetwork`` is in them.

    ``popularity`` is the share of examples in which each input is not 0. A hidden unit without outgoing links learns
    nothing and changes nothing; it is left out unless ``keep_idle`` (weight decay moves its weights all the same).
    Without ``backward`` the network can be evaluated, not trained.
    """
    linear = linear_layers(subnetwork.module) or []
    kept = _kept_units([subnetwork.masks[layer.weight] for layer in linear], popularity, keep_idle)
    popular = int(np.sum(1 - (1 - popularity[kept[0]]) ** batch >= RARE_BELOW))
    pools = _Pools()
    layers = np.zeros(len(linear), LAYER)
    rows = [_padded(len(units)) for units in kept]
    # One row more than the inputs need, for the pixels that no link reads.
    starts = np.cumsum([0, rows[0] + 1, *rows[1:]]) * LANES
    places: dict[str, Place] = {}
    blocks = [subnetwork.masks[one.weight][np.ix_(kept[n + 1], kept[n])] for n, one in enumerate(linear)]
    # Sparse layers first, so that ``index`` is no longer than their links.
    for n in sorted(range(len(linear)), key=lambda n: _is_dense(blocks[n])):
        layer, block = layers[n], blocks[n]
        layer["outputs"], layer["inputs"] = block.shape
        layer["x"], layer["y"], layer["activation"] = starts[n], starts[n + 1], linear[n].activation
        layer["keep"] = -1
        row, column = np.nonzero(block)
        if _is_dense(block):
            positions = _dense(layer, block, row, column, pools)
        else:
            positions = _sparse(layer, row, column, block.shape[1] if n else popular, pools)
            if backward and n:
                _way_back(layer, row, column, positions, pools)
        width = subnetwork.masks[linear[n].weight].shape[1]
        places[linear[n].weight] = Place(positions, kept[n + 1][row] * width + kept[n][column])
    for n, (_, bias, _) in enumerate(linear):
        layers[n]["bias"] = -1
        if bias is not None:
            layers[n]["bias"] = pools.reserve(len(kept[n + 1]))
            places[bias] = Place(layers[n]["bias"] + np.arange(len(kept[n + 1])), kept[n + 1])

    parameters = aligned(-(-pools.parameters // 16) * 16)
    for name, place in places.items():
        parameters[place.positions] = subnetwork.weights[name].ravel()[place.elements]
    pixels, blocks = len(popularity), -(-batch // LANES)
    slots = np.full(pixels, rows[0] * LANES, np.int32)
    slots[kept[0]] = np.arange(len(kept[0])) * LANES
    everything = np.arange(max(*rows, LANES), dtype=np.int32)
    network = Network(
        layers,
        parameters,
        *(pools.array(name) for name in ("index", "pointers", "back_index", "back_position", "back_pointers", "keep")),
        block=int(starts[-1]),
        units=aligned(blocks * starts[-1]),
        deltas=aligned(blocks * starts[-1] if backward else 0),
        transposed=aligned(blocks * LANES * max(layers["stride"]) if backward else 0),
        scratch=aligned(3 * LANES),
        unit_starts=everything * LANES,
        lane_starts=everything[:LANES] * np.int32(max(layers["stride"])),
        longest=int(max(pools.longest, *rows)),
        pieces=_pieces(slots, rows[0] * LANES),
        slots=slots,
        example_starts=np.zeros(LANES, np.int64),
        popular=popular,
        present=everything.copy(),
        groups=everything.copy(),
        counts=np.zeros(2, np.int64),
        everything=everything,
    )
    return network, places


def aligned(size: int) -> np.ndarray:
    """Zeros (float32) that start on a cache line."""
    raw = np.zeros(size + 16, np.float32)
    start = -raw.ctypes.data % 64 // 4
    return raw[start : start + size]


class _Pools:
    """Arrays that grow piece by piece; adding a piece tells where it starts."""

    KINDS: ClassVar = dict.fromkeys(("index", "back_index", "back_position"), np.int32) | dict.fromkeys(
        ("pointers", "back_pointers"), np.int64
    )

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
        kind = self.KINDS.get(name, np.float32)
        return np.concatenate([np.empty(0, kind), *self.pieces[name]]).astype(kind)


def _kept_units(masks: list[np.ndarray], popularity: np.ndarray, keep_idle: bool) -> list[np.ndarray]:
    """The units of every level, from inputs (the most popular first) to outputs, that have to be computed."""
    kept = [np.arange(masks[-1].shape[0])]
    for level in reversed(range(len(masks))):
        used = masks[level][kept[0]].any(axis=0)
        if level == 0:
            order = np.argsort(-popularity, kind="stable")
            kept.insert(0, order[used[order]])
        else:
            kept.insert(0, np.flatnonzero(used | keep_idle))
    return kept


def _is_dense(block: np.ndarray) -> bool:
    return block.size > 0 and bool(block.mean() >= DENSE_FROM)


def _dense(layer: np.void, block: np.ndarray, row: np.ndarray, column: np.ndarray, pools: _Pools) -> np.ndarray:
    layer["stride"] = stride = _padded(block.shape[1])
    # Vectors of weights are read and written whole.
    pools.reserve(-pools.parameters % 16)
    layer["links"] = pools.reserve(_padded(block.shape[0]) * stride)
    pools.longest = max(pools.longest, DENSE_ROWS * stride)
    if not block.all():
        keep = np.zeros((_padded(block.shape[0]), stride), np.float32)
        keep[: block.shape[0], : block.shape[1]] = block
        layer["keep"] = pools.add("keep", keep.ravel())
    return layer["links"] + row * stride + column


def _sparse(layer: np.void, row: np.ndarray, column: np.ndarray, popular: int, pools: _Pools) -> np.ndarray:
    layer["links"] = links = pools.reserve(len(row))
    layer["tiles"] = tiles = -(-popular // TILE)
    rare = column >= popular
    lists = tiles * layer["outputs"] + layer["inputs"] - popular
    pieces = [*range(0, tiles * layer["outputs"] + 1, max(layer["outputs"], 1)), lists]
    where = np.where(rare, tiles * layer["outputs"] + column - popular, column // TILE * layer["outputs"] + row)
    order, pointers = _grouped(where, lists)
    layer["pointer"] = pools.add("pointers", links + pointers)
    pools.longest = max(pools.longest, *np.diff(pointers[pieces]))
    pools.add("index", (np.where(rare, row, column) * LANES)[order])
    positions = np.empty(len(row), np.int64)
    positions[order] = links + np.arange(len(row))
    return positions


def _way_back(layer: np.void, row: np.ndarray, column: np.ndarray, positions: np.ndarray, pools: _Pools) -> None:
    layer["back_tiles"] = tiles = -(-int(layer["outputs"]) // TILE)
    order, pointers = _grouped(row // TILE * layer["inputs"] + column, tiles * layer["inputs"])
    start = pools.add("back_index", (row * LANES)[order])
    pools.add("back_position", positions[order])
    layer["back_pointer"] = pools.add("back_pointers", start + pointers)


def _grouped(group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """An order that brings each group together, and where each one starts in it (and the last one ends)."""
    return np.argsort(group, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))])


def _padded(size: int) -> int:
    return -(-size // PADDING) * PADDING


def _pieces(slots: np.ndarray, unused: int) -> np.ndarray:
    """Starts of the runs of sixteen pixels to gather: those with a pixel in use; the last run may overlap another."""
    starts = np.minimum(np.arange(0, len(slots), 16), max(len(slots) - 16, 0))
    return np.array([start for start in starts if (slots[start : start + 16] != unused).any()], np.int64)
