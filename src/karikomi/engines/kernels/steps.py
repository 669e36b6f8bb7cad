"""Whole training steps and whole evaluations: the entry points from Python."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.contract import ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON
from karikomi.engines.kernels.fused import DENSE_ROWS
from karikomi.engines.kernels.gather import Source, fetch_ahead, gather
from karikomi.engines.kernels.layout import Network
from karikomi.engines.kernels.listed import listed_gradient, multiply_listed, turn_deltas
from karikomi.engines.kernels.loss import activate, back_through_activation, cross_entropy, score
from karikomi.engines.kernels.products import back, bias_gradient, dense_gradient, linear, tile_gradient
from karikomi.engines.kernels.placement import LISTED_TILE
from karikomi.engines.kernels.vector import LANES, kernel

_BETA1, _BETA2, _EPSILON = np.float32(ADAM_BETA1), np.float32(ADAM_BETA2), np.float32(ADAM_EPSILON)
_REST1, _REST2 = np.float32(1 - ADAM_BETA1), np.float32(1 - ADAM_BETA2)


class Optimizer(NamedTuple):
    """An optimizer and its state.

    Adam's moments are ``first`` and ``second``; momentum is in ``first``. Parameters are updated in pieces that fit
    into the cache, while they are there: ``gradient`` is as long as the longest one, and 0 in between. ``cost`` is what
    each parameter costs by its size (empty: nothing).
    """

    adam: bool
    rate: float
    momentum: float
    decay: float
    first: np.ndarray
    second: np.ndarray
    gradient: np.ndarray
    cost: np.ndarray


@kernel
def train_steps(source: Source, order: np.ndarray, network: Network, optimizer: Optimizer, done: int) -> float:
    """One step per row of ``order``, after ``done`` earlier ones; returns the sum of the minibatches' mean losses."""
    steps, batch = order.shape
    total = 0.0
    for step in range(steps):
        if step + 1 < steps:
            fetch_ahead(source, order[step + 1])
        examples = order[step]
        loss = 0.0
        for first in range(0, batch, LANES):
            block, some = first // LANES * network.block, examples[first : first + LANES]
            gather(source, some, network, block)
            forward(network, block, some.size)
            loss += cross_entropy(network, block, source.labels, some, np.float32(1 / batch))
        total += loss / batch
        for number in range(network.layers.size - 1, -1, -1):
            for first in range(0, batch, LANES):
                block = first // LANES * network.block
                back_through_activation(network, number, block)
                if number:
                    back(network, number, block)
            learn(network, number, optimizer, batch, done + step + 1)
    return total


@kernel
def evaluate_all(source: Source, examples: np.ndarray, network: Network, correct: np.ndarray) -> float:
    """The summed cross-entropy of ``examples``; right answers per class are added to ``correct``."""
    loss = 0.0
    # A literal 0 would be compiled as a type of its own.
    block = np.intp(0)
    for first in range(0, examples.size, LANES):
        some = examples[first : first + LANES]
        fetch_ahead(source, examples[first + LANES : first + 2 * LANES])
        gather(source, some, network, block)
        forward(network, block, some.size)
        loss += score(network, source.labels, some, correct)
    return loss


@kernel
def forward(network: Network, block: int, size: int) -> None:
    if network.listed.count:
        multiply_listed(network, block, size)
    for number in range(network.layers.size):
        linear(network, number, block)
        activate(network, number, block)


@kernel
def learn(network: Network, number: int, optimizer: Optimizer, batch: int, step: int) -> None:
    """The layer's gradient and, piece by piece, its new parameters."""
    layer, gradient = network.layers[number], optimizer.gradient
    if layer.stride:
        for row in range(0, layer.outputs, DENSE_ROWS):
            dense_gradient(network, number, row, batch, gradient)
            update(network.parameters, optimizer, layer.links + row * layer.stride, DENSE_ROWS * layer.stride, step)
    else:
        first = layer.links
        for tile in range(layer.tiles):
            count = tile_gradient(network, number, tile, batch, gradient)
            update(network.parameters, optimizer, first, count, step)
            first += count
    if number == 0 and network.listed.count:
        learn_listed(network, optimizer, batch, step)
    if layer.bias >= 0:
        bias_gradient(network, number, batch, gradient)
        update(network.parameters, optimizer, layer.bias, layer.outputs, step)


@kernel
def learn_listed(network: Network, optimizer: Optimizer, batch: int, step: int) -> None:
    listed = network.listed
    turn_deltas(network, batch)
    for row in range(0, listed.rows, LANES):
        for first in range(0, listed.count, LISTED_TILE):
            last = min(first + LISTED_TILE, listed.count)
            listed_gradient(network, row, first, last, batch, optimizer.gradient)
            links = listed.links + row * listed.count + first * LANES
            update(network.parameters, optimizer, links, (last - first) * LANES, step)


@kernel
def update(parameters: np.ndarray, optimizer: Optimizer, start: int, count: int, step: int) -> None:
    values, first = parameters[start : start + count], optimizer.first[start : start + count]
    if optimizer.cost.size:
        charge(values, optimizer.cost[start : start + count], optimizer.gradient)
    if optimizer.adam:
        adam(values, optimizer, first, optimizer.second[start : start + count], step)
    else:
        descend(values, optimizer, first)


@kernel
def charge(values: np.ndarray, cost: np.ndarray, gradient: np.ndarray) -> None:
    """The gradient of Σ cost · |value| is added; at 0 it is 0, so what is removed stays so."""
    for place in range(values.size):
        gradient[place] += cost[place] * np.sign(values[place])


@kernel
def adam(values: np.ndarray, optimizer: Optimizer, first: np.ndarray, second: np.ndarray, step: int) -> None:
    """Kingma & Ba 2015, algorithm 1, in PyTorch's form: epsilon is added after the correction of the second moment."""
    gradient, decay = optimizer.gradient, np.float32(optimizer.decay)
    rate = np.float32(optimizer.rate / (1 - ADAM_BETA1**step))
    correction = np.float32(1 / np.sqrt(1 - ADAM_BETA2**step))
    for place in range(values.size):
        value = values[place]
        slope = gradient[place] + decay * value
        mean = _BETA1 * first[place] + _REST1 * slope
        square = _BETA2 * second[place] + _REST2 * slope * slope
        first[place], second[place], gradient[place] = mean, square, np.float32(0)
        values[place] = value - rate * mean / (np.sqrt(square) * correction + _EPSILON)


@kernel
def descend(values: np.ndarray, optimizer: Optimizer, velocity: np.ndarray) -> None:
    """Stochastic gradient descent with PyTorch's momentum."""
    gradient, decay = optimizer.gradient, np.float32(optimizer.decay)
    rate, momentum = np.float32(optimizer.rate), np.float32(optimizer.momentum)
    for place in range(values.size):
        value = values[place]
        speed = momentum * velocity[place] + (gradient[place] + decay * value)
        velocity[place], gradient[place] = speed, np.float32(0)
        values[place] = value - rate * speed
