"""Whole training steps and whole evaluations: the entry points from Python."""

import numpy as np

from karikomi.engines.sparse.kernels.fused import DENSE_ROWS
from karikomi.engines.sparse.kernels.gather import Source, gather
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.listed import listed_gradient, multiply_listed, turn_deltas
from karikomi.engines.sparse.kernels.loss import activate, cross_entropy, score
from karikomi.engines.sparse.kernels.optimizer import Optimizer, Pace, pace_of, update
from karikomi.engines.sparse.kernels.products import back, bias_gradient, dense_gradient, group_gradient, linear
from karikomi.engines.sparse.kernels.vector import LANES, at, kernel, load16, splat16, store


@kernel
def train_steps(
    source: Source, order: np.ndarray, network: Network, optimizer: Optimizer, done: int, taken: int
) -> float:
    """One step per row of ``order``; returns the sum of the minibatches' mean losses.

    ``done`` steps of this training have gone before, ``taken`` in all of the optimizer.
    """
    steps, batch = order.shape
    total = 0.0
    for step in range(steps):
        examples, following = order[step], order[min(step + 1, steps - 1)]
        loss = 0.0
        for first in range(0, batch, LANES):
            block, some = first // LANES * network.block, examples[first : first + LANES]
            gather(source, some, network, block, following[first : first + LANES])
            forward(network, block, some.size)
            loss += cross_entropy(network, block, source.labels, some, np.float32(1 / batch))
        total += loss / batch
        pace = pace_of(optimizer, optimizer.rates[done + step], taken + step + 1)
        for number in range(network.layers.size - 1, -1, -1):
            for first in range(0, batch if number else 0, LANES):
                activation = network.layers[number - 1].activation
                back(network, number, first // LANES * network.block, activation)
            learn(network, number, optimizer, pace, batch)
    return total


@kernel
def evaluate_all(source: Source, examples: np.ndarray, network: Network, correct: np.ndarray) -> float:
    """The summed cross-entropy of ``examples``; right answers per class are added to ``correct``."""
    loss = 0.0
    # A literal 0 would be compiled as a type of its own.
    block = np.intp(0)
    for first in range(0, examples.size, LANES):
        some = examples[first : first + LANES]
        gather(source, some, network, block, examples[first + LANES : first + 2 * LANES])
        forward(network, block, some.size)
        loss += score(network, source.labels, some, correct)
    return loss


@kernel
def forward(network: Network, block: int, size: int) -> None:
    if network.listed.inputs:
        multiply_listed(network, block, size)
    for number in range(network.layers.size):
        if not linear(network, number, block, True):
            activate(network, number, block)


@kernel
def learn(network: Network, number: int, optimizer: Optimizer, pace: Pace, batch: int) -> None:
    """The layer's gradient and, piece by piece, its new parameters."""
    layer, gradient = network.layers[number], optimizer.gradient
    if layer.stride:
        for row in range(0, layer.outputs, DENSE_ROWS):
            dense_gradient(network, number, row, batch, gradient)
            update(network.parameters, optimizer, pace, layer.links + row * layer.stride, DENSE_ROWS * layer.stride)
    else:
        # What forward left in the cache last comes first.
        for tile in range(layer.tiles - 1, -1, -1):
            learn_tile(network, number, tile, optimizer, pace, batch)
    if number == 0 and network.listed.inputs:
        learn_listed(network, optimizer, pace, batch)
    if layer.bias >= 0:
        bias_gradient(network, number, batch, gradient)
        update(network.parameters, optimizer, pace, layer.bias, layer.outputs)


@kernel
def learn_tile(network: Network, number: int, tile: int, optimizer: Optimizer, pace: Pace, batch: int) -> None:
    """The gradient of the links in one tile of a sparse layer and, sixteen at a time, their new weights."""
    layer, gradient = network.layers[number], optimizer.gradient
    lists = layer.pointer + tile * ((layer.outputs + GROUP - 1) // GROUP) * GROUP
    link = at(network.pointers, lists) + at(network.shifts, layer.tile_link + tile)
    filled = np.intp(0)
    for _ in range(0, layer.outputs, GROUP):
        filled = group_gradient(network, number, tile, lists, batch, gradient, filled)
        lists += GROUP
        whole = filled - filled % 16
        if whole:
            update(network.parameters, optimizer, pace, link, whole)
            link += whole
            filled -= whole
            store(gradient, 0, load16(gradient, whole))
    store(gradient, filled, splat16(np.float32(0)))
    update(network.parameters, optimizer, pace, link, filled)


@kernel
def learn_listed(network: Network, optimizer: Optimizer, pace: Pace, batch: int) -> None:
    listed, units = network.listed, network.layers[0].outputs
    starts, y = network.unit_starts, network.layers[0].y
    turn_deltas(network.deltas, network.block, y, units, starts, starts, listed.turned, batch)
    link = listed.links
    for row in range(0, listed.rows, LANES):
        for unit in range(listed.inputs):
            store(optimizer.gradient, 0, listed_gradient(network, row, unit, batch))
            update(network.parameters, optimizer, pace, link, min(LANES, units - row))
            link += LANES
