"""Whole training steps and whole evaluations: the entry points from Python."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.contract import ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON
from karikomi.engines.kernels.gather import Source, fetch_ahead, find_present, gather
from karikomi.engines.kernels.layout import Network
from karikomi.engines.kernels.loss import activate, back_through_activation, cross_entropy, score
from karikomi.engines.kernels.products import add_gradient, back, linear
from karikomi.engines.kernels.vector import LANES, kernel

_BETA1, _BETA2, _EPSILON = np.float32(ADAM_BETA1), np.float32(ADAM_BETA2), np.float32(ADAM_EPSILON)
_REST1, _REST2 = np.float32(1 - ADAM_BETA1), np.float32(1 - ADAM_BETA2)


class Optimizer(NamedTuple):
    """An optimizer and its state; everything but the settings is as long as the network's parameters.

    Adam's moments are ``first`` and ``second``; momentum is in ``first``. ``gradient`` is 0 between steps.
    """

    adam: bool
    rate: float
    momentum: float
    decay: float
    gradient: np.ndarray
    first: np.ndarray
    second: np.ndarray


@kernel
def train_steps(source: Source, order: np.ndarray, network: Network, optimizer: Optimizer, done: int) -> float:
    """One step per row of ``order``, after ``done`` earlier ones; returns the sum of the minibatches' mean losses."""
    starts = np.empty(LANES, np.int64)
    steps, batch = order.shape
    total = 0.0
    for step in range(steps):
        if step + 1 < steps:
            fetch_ahead(source, order[step + 1])
        loss = 0.0
        for first in range(0, batch, LANES):
            examples = order[step, first : min(first + LANES, batch)]
            forward(source, examples, starts, network)
            loss += cross_entropy(network, source.labels, examples, np.float32(1 / batch))
            for number in range(network.layers.size - 1, -1, -1):
                back_through_activation(network, number)
                if number:
                    back(network, number)
                add_gradient(network, number, optimizer.gradient, examples.size)
        total += loss / batch
        keep_removed(network, optimizer.gradient)
        if optimizer.adam:
            adam(network.parameters, optimizer, done + step + 1)
        else:
            descend(network.parameters, optimizer)
    return total


@kernel
def evaluate_all(source: Source, examples: np.ndarray, network: Network, correct: np.ndarray) -> float:
    """The summed cross-entropy of ``examples``; right answers per class are added to ``correct``."""
    starts = np.empty(LANES, np.int64)
    loss = 0.0
    for first in range(0, examples.size, LANES):
        block = examples[first : first + LANES]
        fetch_ahead(source, examples[first + LANES : first + 2 * LANES])
        forward(source, block, starts, network)
        loss += score(network, source.labels, block, correct)
    return loss


@kernel
def forward(source: Source, examples: np.ndarray, starts: np.ndarray, network: Network) -> None:
    gather(source, examples, examples.size, starts, network)
    find_present(network)
    for number in range(network.layers.size):
        linear(network, number)
        activate(network, number)


@kernel
def keep_removed(network: Network, gradient: np.ndarray) -> None:
    """Removed links in dense layers have no gradient, and so stay 0."""
    for number in range(network.layers.size):
        layer = network.layers[number]
        if layer.keep >= 0:
            for place in range(layer.outputs * layer.stride):
                gradient[layer.links + place] *= network.keep[layer.keep + place]


@kernel
def adam(parameters: np.ndarray, optimizer: Optimizer, step: int) -> None:
    """Kingma & Ba 2015, algorithm 1, in PyTorch's form: epsilon is added after the correction of the second moment."""
    gradient, first, second = optimizer.gradient, optimizer.first, optimizer.second
    rate = np.float32(optimizer.rate / (1 - ADAM_BETA1**step))
    correction = np.float32(1 / np.sqrt(1 - ADAM_BETA2**step))
    decay = np.float32(optimizer.decay)
    for place in range(parameters.size):
        value = parameters[place]
        slope = gradient[place] + decay * value
        mean = _BETA1 * first[place] + _REST1 * slope
        square = _BETA2 * second[place] + _REST2 * slope * slope
        first[place], second[place], gradient[place] = mean, square, np.float32(0)
        parameters[place] = value - rate * mean / (np.sqrt(square) * correction + _EPSILON)


@kernel
def descend(parameters: np.ndarray, optimizer: Optimizer) -> None:
    """Stochastic gradient descent with PyTorch's momentum."""
    gradient, velocity = optimizer.gradient, optimizer.first
    rate, momentum, decay = np.float32(optimizer.rate), np.float32(optimizer.momentum), np.float32(optimizer.decay)
    for place in range(parameters.size):
        value = parameters[place]
        speed = momentum * velocity[place] + (gradient[place] + decay * value)
        velocity[place], gradient[place] = speed, np.float32(0)
        parameters[place] = value - rate * speed
