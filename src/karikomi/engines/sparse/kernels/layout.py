"""A subnetwork as the flat arrays that the kernels work on, and back."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.activations import ACTIVATIONS
from karikomi.engines.sparse.kernels.fused import DENSE_COLUMNS
from karikomi.engines.sparse.kernels.placement import (
    LISTED_TILE,
    Place,
    Pools,
    is_dense,
    kept_units,
    padded,
    place_dense,
    place_listed,
    place_sparse,
    worth_listing,
)
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.networks.layers import Linear
from karikomi.networks.subnetwork import Subnetwork

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
            # A sparse layer: how many tiles, and where in ``pointers``, ``shifts`` and ``back_pointers`` it starts.
            *("tiles", "pointer", "tile_link", "back_tiles", "back_pointer"),
        )
    ],
    align=True,
)


class Listed(NamedTuple):
    """The inputs from ``first`` on, ``inputs`` in number, whose values other than 0 are listed; and room for the lists.

    Their links start at ``links`` in the parameters, their mask at ``keep`` (-1: all links are left): for every LANES
    of the ``rows`` units, the last of which may be none, a vector for each input. In block b input i is not 0 in the
    ``lanes`` from ``starts[b * inputs + i]`` to before ``starts[b * inputs + i + 1]``, where it has ``values``. For one
    block and LISTED_TILE inputs the same lane by lane: ``lane_inputs``, ``lane_values`` and where they end, ``ends``.
    ``turned`` holds the first layer's outputs, or the loss's derivatives by them, with units as lanes.
    """

    first: int
    inputs: int
    rows: int
    links: int
    keep: int
    lanes: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    lane_inputs: np.ndarray
    lane_values: np.ndarray
    ends: np.ndarray
    turned: np.ndarray


class Network(NamedTuple):
    """A subnetwork laid out.

    The links of a sparse layer lie tile by tile (of TILE inputs), in a tile by groups of GROUP ``rows`` that have about
    as many links there, the one with the most first. In a group one link of each row in turn, as long as all have some,
    is a list, then of all but the last, and so on: ``pointers`` says where in ``partner`` each list starts, which has
    the place in the tile of each link's input. Its weight is as far behind in ``parameters`` as ``shifts`` says of the
    tile. For the way back to a layer's inputs ``back_link`` names the same links' weights, and ``back_partner`` their
    outputs, by tiles of TILE outputs and groups of inputs. The first layer's ``inputs`` are those not ``listed``.
    """

    layers: np.ndarray
    parameters: np.ndarray
    partner: np.ndarray
    pointers: np.ndarray
    rows: np.ndarray
    shifts: np.ndarray
    back_partner: np.ndarray
    back_link: np.ndarray
    back_pointers: np.ndarray
    back_rows: np.ndarray
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
    # The most parameters whose gradient is known at once.
    longest: int
    # Which pixels are gathered, sixteen at a time from each of ``pieces``, and where in ``units`` each one goes.
    pieces: np.ndarray
    slots: np.ndarray
    example_starts: np.ndarray
    listed: Listed


POOLED = (
    *("partner", "pointers", "rows", "shifts"),
    *("back_partner", "back_link", "back_pointers", "back_rows"),
    "keep",
)


def lay_out(
    subnetwork: Subnetwork,
    nonzero: np.ndarray,
    batch: int,
    *,
    keep_idle: bool,
    backward: bool = True,
    rewired: bool = False,
) -> tuple[Network, dict[str, Place]]:
    """The network's arrays for minibatches of ``batch``, and where each parameter of ``subnetwork`` is in them.

    ``nonzero`` is the share of examples in which each input is not 0. Nothing is learned by, and nothing comes from,
    an input that always is 0; nor a hidden unit without outgoing links. They are left out unless ``keep_idle`` (weight
    decay moves their weights all the same). Without ``backward`` the network can be evaluated, not trained. Where links
    are to be ``rewired``, every input and unit is there, and no input is listed.
    """
    linear = subnetwork.architecture.perceptron
    assert linear, "checked before"
    masks = [subnetwork.masks[layer.weight] for layer in linear]
    if rewired:
        kept = [np.arange(units) for units in (masks[0].shape[1], *(len(mask) for mask in masks))]
    else:
        kept = kept_units(masks, (nonzero > 0) | keep_idle, keep_idle)
    listed = worth_listing(masks[0][np.ix_(kept[1], kept[0])], nonzero[kept[0]], batch) & (not rewired)
    kept[0], chosen = kept[0][~listed], kept[0][listed]
    pools = Pools()
    layers, places = _place(linear, masks, kept, pools, backward)
    links, keep, more = place_listed(masks[0], kept[1], chosen, pools)
    places[linear[0].weight] = Place(*map(np.concatenate, zip(places[linear[0].weight], more, strict=True)))
    parameters = aligned(pools.parameters)
    for name, place in places.items():
        parameters[place.positions] = subnetwork.weights[name].ravel()[place.elements]

    rows = [padded(len(units)) for units in kept]
    first, rows[0] = rows[0], rows[0] + len(chosen)
    # One row more than the inputs need, for the pixels that no link reads.
    unused = rows[0] * LANES
    starts = np.cumsum([0, rows[0] + 1, *rows[1:]]) * LANES
    layers["x"], layers["y"] = starts[:-2], starts[1:-1]
    slots = np.full(len(nonzero), unused, np.int32)
    slots[kept[0]], slots[chosen] = np.arange(len(kept[0])) * LANES, np.arange(first, rows[0]) * LANES
    blocks, widest = -(-batch // LANES), layers["stride"].max()
    numbers = np.arange(max(*rows, LANES), dtype=np.int32)
    network = Network(
        layers,
        parameters,
        *(pools.array(name) for name in POOLED),
        block=int(starts[-1]),
        units=aligned(blocks * starts[-1]),
        deltas=aligned(blocks * starts[-1] if backward else 0),
        scratch=aligned(3 * LANES),
        transposed=aligned(blocks * LANES * widest if backward else 0),
        unit_starts=numbers * LANES,
        lane_starts=numbers[:LANES] * np.int32(DENSE_COLUMNS),
        longest=int(max(pools.longest, *rows)),
        pieces=pieces_of(slots, unused),
        slots=slots,
        example_starts=np.zeros(LANES, np.int64),
        listed=room_for_lists(first, len(chosen), padded(len(kept[1]), LANES), links, keep, blocks),
    )
    return network, places


def room_for_lists(first: int, inputs: int, rows: int, links: int, keep: int, blocks: int) -> Listed:
    values = blocks * inputs * LANES
    return Listed(
        *(first, inputs, rows if inputs else 0, links, keep),
        *(np.zeros(values, np.uint8), aligned(values), np.zeros(blocks * inputs + 1, np.int64)),
        *(np.zeros(LISTED_TILE * LANES, np.uint8), aligned(LISTED_TILE * LANES), np.zeros(LANES, np.int64)),
        turned=aligned(blocks * rows * LANES if inputs else 0),
    )


def _place(
    linear: Sequence[Linear], masks: list[np.ndarray], kept: list[np.ndarray], pools: Pools, backward: bool
) -> tuple[np.ndarray, dict[str, Place]]:
    layers = np.zeros(len(linear), LAYER)
    layers["activation"], layers["bias"], layers["keep"] = [ACTIVATIONS[layer.activation] for layer in linear], -1, -1
    places: dict[str, Place] = {}
    blocks = [mask[np.ix_(after, before)] for mask, before, after in zip(masks, kept[:-1], kept[1:], strict=True)]
    # Sparse layers first, so that ``partner`` is no longer than their links.
    for n in sorted(range(len(linear)), key=lambda n: is_dense(blocks[n])):
        layer, block = layers[n], blocks[n]
        layer["outputs"], layer["inputs"] = block.shape
        way_back = backward and n > 0
        row, column, positions = (
            place_dense(layer, block, pools) if is_dense(block) else place_sparse(layer, block, pools, way_back)
        )
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


def pieces_of(slots: np.ndarray, unused: int) -> np.ndarray:
    """Starts of the runs of sixteen pixels to gather: those with a pixel in use; the last run may overlap another."""
    starts = np.minimum(np.arange(0, len(slots), 16), max(len(slots) - 16, 0))
    return np.array([start for start in starts if (slots[start : start + 16] != unused).any()], np.int64)
