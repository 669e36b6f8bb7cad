"""A subnetwork as the flat arrays that the kernels work on, and back."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.kernels.architecture import Linear, linear_layers
from karikomi.engines.kernels.fused import DENSE_COLUMNS
from karikomi.engines.kernels.placement import (
    Pools,
    is_dense,
    kept_units,
    padded,
    place_dense,
    place_sparse,
    place_way_back,
)
from karikomi.engines.kernels.vector import LANES
from karikomi.networks.subnetwork import Subnetwork

# Inputs that are zero in a whole minibatch more often than not are worth a test.
RARE_BELOW = 0.6

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("inputs", "outputs", "activation"),
            # Where in ``units`` (and ``deltas``) the layer's inputs and outputs start, one block of lanes per unit.
            *("x", "y"),
            # Where in ``parameters`` its links and biases start (bias -1: none).
            *("links", "bias"),
            # A dense layer: elements per padded row (0: sparse), where in ``keep`` its mask starts (-1: all is left).
            *("stride", "keep"),
            # A sparse layer: where in ``pointers`` and ``back_pointers`` its lists start, and the number of tiles.
            *("pointer", "tiles", "back_pointer", "back_tiles"),
        )
    ],
    align=True,
)


class Network(NamedTuple):
    """A subnetwork laid out.

    The links of a sparse layer lie tile by tile (of ``TILE`` inputs), in a tile by groups of ``GROUP`` rows, in a group
    by which of the rows read an input: ``pointers`` says where in ``partner`` each of these lists starts, which has one
    entry for all links of an input with the group, its place in the tile. The links of rare inputs come after them,
    input by input, and ``rare_partner`` says which output each one feeds: so one test skips all links of an input that
    is zero in the whole block. For the way back to a layer's inputs ``back_link`` names the same links input by input,
    tile by tile of its outputs, and ``back_partner`` the output.
    """

    layers: np.ndarray
    parameters: np.ndarray
    partner: np.ndarray
    rare_partner: np.ndarray
    pointers: np.ndarray
    rare_pointers: np.ndarray
    back_partner: np.ndarray
    back_link: np.ndarray
    back_pointers: np.ndarray
    keep: np.ndarray
    # Values of all units, and the loss's derivatives by them, ``block`` elements for each block of examples.
    block: int
    units: np.ndarray
    deltas: np.ndarray
    scratch: np.ndarray
    # A dense layer's inputs, DENSE_COLUMNS at a time lane by lane; where rows of units, and in it of lanes, start.
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


_POOLED = ("partner", "rare_partner", "pointers", "rare_pointers", "back_partner", "back_link", "back_pointers", "keep")


class Place(NamedTuple):
    """Where one named array's surviving elements are: ``parameters[positions]`` is ``array.flat[elements]``."""

    positions: np.ndarray
    elements: np.ndarray


def lay_out(
    subnetwork: Subnetwork, popularity: np.ndarray, batch: int, *, keep_idle: bool, backward: bool = True
) -> tuple[Network, dict[str, Place]]:
    """The network's arrays for minibatches of ``batch``, and where each parameter of ``subnetwork`` is in them.

    ``popularity`` is the share of examples in which each input is not 0. A hidden unit without outgoing links learns
    nothing and changes nothing; it is left out unless ``keep_idle`` (weight decay moves its weights all the same).
    Without ``backward`` the network can be evaluated, not trained.
    """
    linear = linear_layers(subnetwork.module) or []
    kept = kept_units([subnetwork.masks[layer.weight] for layer in linear], popularity, keep_idle)
    # A dense product leaves out any input at no cost, so there none is taken to be present.
    dense = is_dense(subnetwork.masks[linear[0].weight][np.ix_(kept[1], kept[0])])
    popular = 0 if dense else int(np.sum(1 - (1 - popularity[kept[0]]) ** batch >= RARE_BELOW))
    pools = Pools()
    layers, places = _place(subnetwork, linear, kept, popular, pools, backward)
    parameters = aligned(-(-pools.parameters // 16) * 16)
    for name, place in places.items():
        parameters[place.positions] = subnetwork.weights[name].ravel()[place.elements]

    rows = [padded(len(units)) for units in kept]
    # One row more than the inputs need, for the pixels that no link reads.
    unused = rows[0] * LANES
    starts = np.cumsum([0, rows[0] + 1, *rows[1:]]) * LANES
    layers["x"], layers["y"] = starts[:-2], starts[1:-1]
    slots = np.full(len(popularity), unused, np.int32)
    slots[kept[0]] = np.arange(len(kept[0])) * LANES
    blocks, widest = -(-batch // LANES), layers["stride"].max()
    everything = np.arange(max(*rows, LANES), dtype=np.int32)
    network = Network(
        layers,
        parameters,
        *(pools.array(name) for name in _POOLED),
        block=int(starts[-1]),
        units=aligned(blocks * starts[-1]),
        deltas=aligned(blocks * starts[-1] if backward else 0),
        scratch=aligned(3 * LANES),
        transposed=aligned(blocks * LANES * widest if backward else 0),
        unit_starts=everything * LANES,
        lane_starts=everything[:LANES] * np.int32(DENSE_COLUMNS),
        longest=int(max(pools.longest, *rows)),
        pieces=_pieces(slots, unused),
        slots=slots,
        example_starts=np.zeros(LANES, np.int64),
        popular=popular,
        present=everything.copy(),
        groups=everything.copy(),
        counts=np.zeros(2, np.int64),
        everything=everything,
    )
    return network, places


def _place(
    subnetwork: Subnetwork, linear: list[Linear], kept: list[np.ndarray], popular: int, pools: Pools, backward: bool
) -> tuple[np.ndarray, dict[str, Place]]:
    layers = np.zeros(len(linear), LAYER)
    layers["activation"], layers["bias"], layers["keep"] = [layer.activation for layer in linear], -1, -1
    places: dict[str, Place] = {}
    masks = [subnetwork.masks[layer.weight] for layer in linear]
    blocks = [mask[np.ix_(after, before)] for mask, before, after in zip(masks, kept[:-1], kept[1:], strict=True)]
    # Sparse layers first, so that ``partner`` is no longer than their links.
    for n in sorted(range(len(linear)), key=lambda n: is_dense(blocks[n])):
        layer, block = layers[n], blocks[n]
        layer["outputs"], layer["inputs"] = block.shape
        row, column = np.nonzero(block)
        if is_dense(block):
            positions = place_dense(layer, block, row, column, pools)
        else:
            positions = place_sparse(layer, row, column, block.shape[1] if n else popular, pools)
            if backward and n:
                place_way_back(layer, row, column, positions, pools)
        places[linear[n].weight] = Place(positions, kept[n + 1][row] * masks[n].shape[1] + kept[n][column])
    for layer, one, units in zip(layers, linear, kept[1:], strict=True):
        if one.bias is not None:
            layer["bias"] = pools.reserve(len(units))
            places[one.bias] = Place(layer["bias"] + np.arange(len(units)), units)
    return layers, places


def aligned(size: int) -> np.ndarray:
    """Zeros (float32) that start on a cache line."""
    raw = np.zeros(size + 16, np.float32)
    start = -raw.ctypes.data % 64 // 4
    return raw[start : start + size]


def _pieces(slots: np.ndarray, unused: int) -> np.ndarray:
    """Starts of the runs of sixteen pixels to gather: those with a pixel in use; the last run may overlap another."""
    starts = np.minimum(np.arange(0, len(slots), 16), max(len(slots) - 16, 0))
    return np.array([start for start in starts if (slots[start : start + 16] != unused).any()], np.int64)
