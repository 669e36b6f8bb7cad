"""A sparse layer by itself, between rows of examples as other code has them; one block after the other."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.fused import transpose16
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.links import GROUP, LISTS
from karikomi.engines.sparse.kernels.products import back, bias_gradient, group_gradient, linear
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, put

_ZERO, _ONE = np.float32(0), np.float32(1)


class Gradients(NamedTuple):
    """The loss's derivatives by ``x`` ``[examples, inputs]``, ``weight`` ``[links]`` and ``bias`` ``[outputs]``.

    One that is not asked for is empty. The others must be 0 before; ``x`` is overwritten.
    """

    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


@kernel
def layer_forward(
    network: Network, places: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray
) -> None:
    """``y`` ``[examples, outputs]`` from ``x`` ``[examples, inputs]``; both flat, as all arrays here.

    Weight k of the ``[links]`` goes to ``places[k]`` of the network's parameters; ``bias`` may be empty.
    """
    layer = network.layers[0]
    take_weights(network, places, weight)
    for row in range(bias.size):
        put(network.parameters, layer.bias + row, at(bias, row))
    for first in range(0, y.size // layer.outputs, LANES):
        some = min(LANES, y.size // layer.outputs - first)
        rows_to_lanes(network, x, first, some, layer.inputs, network.units, layer.x)
        linear(network, 0, 0, False)
        lanes_to_rows(network, network.units, layer.y, y, first, some, layer.outputs)


@kernel
def layer_backward(
    network: Network,
    places: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    slopes: np.ndarray,
    room: np.ndarray,
    gradients: Gradients,
) -> None:
    """``gradients`` from ``slopes``, the loss's derivatives by the outputs ``[examples, outputs]``."""
    layer, deltas = network.layers[0], network.deltas
    if gradients.x.size:
        take_weights(network, places, weight)
    for first in range(0, slopes.size // layer.outputs, LANES):
        some = min(LANES, slopes.size // layer.outputs - first)
        rows_to_lanes(network, slopes, first, some, layer.outputs, deltas, layer.y)
        for row in range(layer.outputs):
            for lane in range(some, LANES):
                put(deltas, layer.y + row * LANES + lane, _ZERO)
        if gradients.x.size:
            # The layer before the only one is itself: its activation is none.
            back(network, 0, 0)
            lanes_to_rows(network, deltas, layer.x, gradients.x, first, some, layer.inputs)
        if gradients.weight.size:
            rows_to_lanes(network, x, first, some, layer.inputs, network.units, layer.x)
            all_links(network, room)
            for link in range(places.size):
                put(gradients.weight, link, at(gradients.weight, link) + at(room, at(places, link)))
        if gradients.bias.size:
            bias_gradient(network, 0, LANES, room)
            for row in range(layer.outputs):
                put(gradients.bias, row, at(gradients.bias, row) + at(room, row))


@kernel
def take_weights(network: Network, places: np.ndarray, weight: np.ndarray) -> None:
    for link in range(places.size):
        put(network.parameters, at(places, link), at(weight, link))


@kernel
def all_links(network: Network, gradient: np.ndarray) -> None:
    """The gradient of all links from one block, each where its weight is in the parameters."""
    layer = network.layers[0]
    lists = layer.pointer
    for tile in range(layer.tiles):
        place = at(network.tile_links, layer.tile_link + tile)
        for row in range(0, layer.outputs, GROUP):
            place = group_gradient(network, 0, tile, row, lists, LANES, gradient, place)
            lists += LISTS


@kernel
def rows_to_lanes(
    network: Network, rows: np.ndarray, first: int, some: int, width: int, target: np.ndarray, place: int
) -> None:
    """``some`` rows from the ``first`` on become lanes of the units at ``place``; other lanes repeat the first row."""
    starts = network.example_starts
    for lane in range(LANES):
        starts[lane] = (first + (lane if lane < some else 0)) * width
    if width < 16:
        for unit in range(width):
            for lane in range(LANES):
                put(target, place + unit * LANES + lane, at(rows, starts[lane] + unit))
        return
    for lane in range(0, LANES, 16):
        for unit in range(0, width, 16):
            # The last sixteen may be some of those before.
            unit = min(unit, width - 16)
            transpose16(rows, starts, lane, unit, target, network.unit_starts, unit, place + lane, _ONE)


@kernel
def lanes_to_rows(
    network: Network, source: np.ndarray, place: int, rows: np.ndarray, first: int, some: int, width: int
) -> None:
    """The first ``some`` lanes of the units at ``place`` become rows from the ``first`` on."""
    if width < 16 or some < 16:
        for lane in range(some):
            for unit in range(width):
                put(rows, (first + lane) * width + unit, at(source, place + unit * LANES + lane))
        return
    starts = network.example_starts
    for lane in range(some):
        starts[lane] = (first + lane) * width
    for lane in range(0, some, 16):
        lane = min(lane, some - 16)
        for unit in range(0, width, 16):
            unit = min(unit, width - 16)
            transpose16(source, network.unit_starts, unit, place + lane, rows, starts, lane, unit, _ONE)
