"""A program played: whole training steps and whole evaluations, the entry points from Python."""

import numpy as np

from karikomi.engines.sparse.kernels.activations import IDENTITY
from karikomi.engines.sparse.kernels.elementwise import add, bend, hand_on, unbend
from karikomi.engines.sparse.kernels.flow import (
    AVERAGE,
    CONVOLUTION,
    LINEAR,
    MAXIMUM,
    NORMALIZATION,
    SUM,
    Flow,
)
from karikomi.engines.sparse.kernels.gather import Source, gather
from karikomi.engines.sparse.kernels.loss import activate, cross_entropy, score
from karikomi.engines.sparse.kernels.normalization import normalize, normalize_back, normalize_by_running
from karikomi.engines.sparse.kernels.optimizer import Optimizer, Pace, pace_of, update
from karikomi.engines.sparse.kernels.plain_convolution import convolution_gradient, convolve, convolve_back
from karikomi.engines.sparse.kernels.pooling import back_to_windows, largest, mean
from karikomi.engines.sparse.kernels.products import back, linear
from karikomi.engines.sparse.kernels.steps import learn
from karikomi.engines.sparse.kernels.vector import LANES, kernel, load16, store


@kernel
def train_flow(source: Source, order: np.ndarray, flow: Flow, optimizer: Optimizer, done: int, taken: int) -> float:
    """As :func:`train_steps`."""
    (steps, batch), network = order.shape, flow.network
    total = 0.0
    for step in range(steps):
        examples, following = order[step], order[min(step + 1, steps - 1)]
        for first in range(0, batch, LANES):
            block = first // LANES * network.block
            gather(source, examples[first : first + LANES], network, block, following[first : first + LANES])
        for number in range(flow.operations.size):
            if flow.operations[number].kind == NORMALIZATION:
                normalize(flow, number, batch)
                continue
            for first in range(0, batch, LANES):
                forward(flow, number, first // LANES * network.block)
        loss = 0.0
        for first in range(0, batch, LANES):
            block, some = first // LANES * network.block, examples[first : first + LANES]
            loss += cross_entropy(network, block, source.labels, some, np.float32(1 / batch))
        total += loss / batch
        pace = pace_of(optimizer, optimizer.rates[done + step], taken + step + 1)
        for number in range(flow.operations.size - 1, -1, -1):
            backward(flow, number, optimizer, pace, batch)
        for place in flow.held:
            network.parameters[place], optimizer.first[place] = np.float32(0), np.float32(0)
            if optimizer.adam:
                optimizer.second[place] = np.float32(0)
    return total


@kernel
def evaluate_flow(source: Source, examples: np.ndarray, flow: Flow, correct: np.ndarray) -> float:
    """As :func:`evaluate_all`."""
    loss, network = 0.0, flow.network
    # A literal 0 would be compiled as a type of its own.
    block = np.intp(0)
    for first in range(0, examples.size, LANES):
        some = examples[first : first + LANES]
        gather(source, some, network, block, examples[first + LANES : first + 2 * LANES])
        for number in range(flow.operations.size):
            if flow.operations[number].kind == NORMALIZATION:
                normalize_by_running(flow, number, block)
            else:
                forward(flow, number, block)
        loss += score(network, source.labels, some, correct)
    return loss


@kernel
def forward(flow: Flow, number: int, block: int) -> None:
    """One operation on a block of examples, normalization apart."""
    operation, network, units = flow.operations[number], flow.network, flow.network.units
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    if operation.kind == CONVOLUTION:
        convolve(flow, number, block)
        bend(units, target, block, operation.activation)
    elif operation.kind == LINEAR:
        if not linear(network, operation.number, block, True):
            activate(network, operation.number, block)
    elif operation.kind == MAXIMUM:
        largest(units, operation, signal, target, block)
    elif operation.kind == AVERAGE:
        mean(units, operation, signal, target, block)
    elif operation.kind == SUM:
        add(units, signal, flow.signals[operation.z], target, block, operation.activation)


@kernel
def backward(flow: Flow, number: int, optimizer: Optimizer, pace: Pace, batch: int) -> None:
    """New parameters of one operation, and the loss's derivatives by what it reads."""
    operation, network = flow.operations[number], flow.network
    units, deltas = network.units, network.deltas
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    for first in range(0, batch, LANES):
        block = first // LANES * network.block
        if operation.kind == CONVOLUTION or operation.kind == LINEAR:
            unbend(units, deltas, target, block, operation.activation)
        if operation.kind == CONVOLUTION and operation.back_x:
            convolve_back(flow, number, block)
        elif operation.kind == LINEAR and operation.back_x:
            back(network, operation.number, block, IDENTITY)
        elif operation.kind == MAXIMUM or operation.kind == AVERAGE:
            back_to_windows(units, deltas, operation, signal, target, block, operation.kind == MAXIMUM)
        elif operation.kind == SUM:
            if operation.back_x:
                hand_on(units, deltas, target, signal, block, operation.activation, operation.fresh_x)
            if operation.back_z:
                other = flow.signals[operation.z]
                hand_on(units, deltas, target, other, block, operation.activation, operation.fresh_z)
    if operation.kind == LINEAR:
        learn(network, operation.number, optimizer, pace, batch)
    elif operation.kind == CONVOLUTION:
        convolution_gradient(flow, number, batch, optimizer.gradient)
        inputs = signal.channels // operation.groups
        links = target.channels * inputs * operation.kernel_height * operation.kernel_width
        learn_pair(flow, number, links, target.channels, optimizer, pace)
    elif operation.kind == NORMALIZATION:
        normalize_back(flow, number, batch, optimizer.gradient)
        learn_pair(flow, number, signal.channels, signal.channels, optimizer, pace)


@kernel
def learn_pair(flow: Flow, number: int, weights: int, biases: int, optimizer: Optimizer, pace: Pace) -> None:
    """New weights, then biases, whose gradient begins at the next multiple of sixteen."""
    operation, parameters, gradient = flow.operations[number], flow.network.parameters, optimizer.gradient
    if operation.weight >= 0:
        update(parameters, optimizer, pace, operation.weight, weights)
    if operation.bias >= 0:
        start = -(-weights // 16) * 16
        for place in range(0, biases, 16):
            store(gradient, place, load16(gradient, start + place))
        update(parameters, optimizer, pace, operation.bias, biases)
