"""A program played: whole training steps and whole evaluations, the entry points from Python.

Every thread of a team makes the same call. Block b of the planes belongs to thread b modulo their number, all rows to
the first one; what several blocks bring is added in the order of the blocks, whoever has them.
"""

from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.activations import IDENTITY, RELU, TANH
from karikomi.engines.sparse.kernels.bends import bend_back, bend_into
from karikomi.engines.sparse.kernels.convolution import convolve, convolve_back, turn_weights
from karikomi.engines.sparse.kernels.convolution_gradients import (
    convolution_bias_gradient,
    convolution_gradient,
)
from karikomi.engines.sparse.kernels.dropping import drop, drop_back
from karikomi.engines.sparse.kernels.elementwise import add, bend, hand_on, unbend
from karikomi.engines.sparse.kernels.flow import (
    AVERAGE,
    BEND,
    CONCATENATION,
    CONVOLUTION,
    DROPOUT,
    LAYER_NORM,
    MAXIMUM,
    NORMALIZATION,
    STATISTICS,
    SUM,
    TO_PLANES,
    TO_ROWS,
    Flow,
)
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.joining import join, join_back
from karikomi.engines.sparse.kernels.layer import floats
from karikomi.engines.sparse.kernels.layer_norm import normalize_examples, normalize_examples_back
from karikomi.engines.sparse.kernels.loss import activate, cross_entropy, score, times_slope
from karikomi.engines.sparse.kernels.meeting import Team, meet
from karikomi.engines.sparse.kernels.moving import exchange, gather_planes
from karikomi.engines.sparse.kernels.normalization import (
    gather_moments,
    gather_sums,
    join_moments,
    join_sums,
    normalize,
    normalize_back,
)
from karikomi.engines.sparse.kernels.optimizer import Optimizer, Pace, pace_of, update
from karikomi.engines.sparse.kernels.passing import move_passing
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.pooling import in_squares, pool, pool_back, pool_squares, pool_squares_back
from karikomi.engines.sparse.kernels.products import back, linear
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.steps import learn
from karikomi.engines.sparse.kernels.vector import LANES, kernel, load16, load64, splat16, store

PIECE = 1024
"""Parameters that are updated at once."""


@kernel
def train_flow(
    source: Source, order: np.ndarray, flow: Flow, optimizer: Optimizer, done: int, taken: int, team: Team
) -> float:
    """As :func:`~karikomi.engines.sparse.kernels.steps.train_steps`; what the first thread returns counts."""
    (steps, batch), network, total = order.shape, flow.network, 0.0
    # A literal True would be compiled as a type of its own, here and below.
    for step in range(steps):
        examples, flow.drawn[1] = order[step], taken + step  # the same by every thread
        forward(source, examples, flow, np.bool_(True), team)
        meet(team)
        loss = 0.0
        for first in range(0, batch if team.number == 0 else 0, LANES):
            some = examples[first : first + LANES]
            loss += cross_entropy(network, first // LANES * network.block, source.labels, some, np.float32(1 / batch))
        total += loss / batch
        pace = pace_of(optimizer, optimizer.rates[done + step], taken + step + 1)
        turn_weights(flow.convolutions, network.parameters, team.number, team.threads)
        for block in range(team.number, -(-batch // ROW), team.threads):
            for place in range(block * flow.gradient_block, (block + 1) * flow.gradient_block, 16):
                store(flow.gradient, place, splat16(np.float32(0)))
        for number in range(len(flow.segments) - 1, -1, -1):
            meet(team)
            backward(flow, number, optimizer, pace, batch, team)
        meet(team)
        learn_planes(flow, optimizer, pace, batch, team)
        meet(team)
    return total


@kernel
def evaluate_flow(source: Source, examples: np.ndarray, flow: Flow, correct: np.ndarray, team: Team) -> float:
    """As :func:`~karikomi.engines.sparse.kernels.steps.evaluate_all`; what the first thread returns counts."""
    loss, together = 0.0, min(LANES, flow.real.size)
    for first in range(0, examples.size, together):
        some = examples[first : first + together]
        forward(source, some, flow, np.bool_(False), team)
        meet(team)
        if team.number == 0:
            loss += score(flow.network, source.labels, some, correct)
        meet(team)
    return loss


@kernel
def forward(source: Source, examples: np.ndarray, flow: Flow, training: bool, team: Team) -> None:
    network, batch = flow.network, examples.size
    for block in range(team.number, -(-batch // ROW), team.threads):
        gather_planes(source, examples[block * ROW : (block + 1) * ROW], flow, block)
    for number in range(len(flow.segments)):
        begin, end, rows = flow.segments[number]
        if number:
            meet(team)
        for first in range(0, batch if rows and team.number == 0 else 0, LANES):
            block = first // LANES * network.block
            for operation in range(begin, end):
                layer = flow.operations[operation].number
                if not linear(network, layer, block, True):
                    activate(network, layer, block)
        if rows:
            continue
        if training and flow.operations[begin].kind == NORMALIZATION:
            join_moments(flow, begin, batch, team.number == 0)
        for block in range(team.number, -(-batch // ROW), team.threads):
            move_passing(flow, block, team.number)
            for operation in range(begin, end):
                through_planes(flow, operation, block, batch, training)


@kernel
def backward(flow: Flow, number: int, optimizer: Optimizer, pace: Pace, batch: int, team: Team) -> None:
    """Back through a segment."""
    begin, end, rows = flow.segments[number]
    if rows:
        for operation in range(end - 1, begin - 1 if team.number == 0 else end - 1, -1):
            back_through_rows(flow, operation, optimizer, pace, batch)
        return
    if flow.operations[end - 1].kind == STATISTICS:
        join_sums(flow, end - 1, batch, team.number == 0)
    # What forward left in the caches last comes first.
    for block in range((batch - 1) // ROW, -1, -1):
        if block % team.threads != team.number:
            continue
        move_passing(flow, block, team.number)
        if flow.operations[begin].passing:
            through_planes(flow, begin, block, batch, np.bool_(True))
        for operation in range(end - 1, begin - 1, -1):
            back_through_planes(flow, operation, block, batch)


@kernel
def through_planes(flow: Flow, number: int, block: int, batch: int, training: bool) -> None:
    """One operation on a block of planes."""
    operation, network, start = flow.operations[number], flow.network, block * flow.block
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    yes, no = np.bool_(True), np.bool_(False)
    if operation.kind == CONVOLUTION:
        relu = operation.activation == RELU
        convolve(flow.convolutions, operation.number, flow.units, start, network.parameters, relu)
    elif operation.kind == MAXIMUM and in_squares(operation, signal):
        pool_squares(flow, number, start)
    elif operation.kind == MAXIMUM or operation.kind == AVERAGE:
        pool(flow, number, start)
    elif operation.kind == STATISTICS:
        if training:
            gather_moments(flow, number, block, batch)
    elif operation.kind == NORMALIZATION:
        normalize(flow, number, block, not training)
    elif operation.kind == SUM:
        add(flow, number, start)
    elif operation.kind == BEND:
        bend_into(flow, number, start)
    elif operation.kind == CONCATENATION:
        join(flow, number, start)
    elif operation.kind == LAYER_NORM:
        normalize_examples(flow, number, start)
    elif operation.kind == DROPOUT:
        drop(flow, number, block, training)
    elif operation.kind == TO_ROWS:
        exchange(flow, signal, start, target.start, block, flow.units, network.units, yes, yes)
    elif operation.kind == TO_PLANES:
        exchange(flow, target, start, signal.start, block, flow.units, network.units, no, yes)
    if operation.activation == TANH and operation.kind != STATISTICS:
        bend(flow.units, target, start)


@kernel
def back_through_planes(flow: Flow, number: int, block: int, batch: int) -> None:
    """The loss's derivatives by what an operation reads, on a block, and its part of the gradient."""
    operation, network, start = flow.operations[number], flow.network, block * flow.slope_block
    yes, no, fresh = np.bool_(True), np.bool_(False), operation.fresh_x != 0
    if operation.kind == CONVOLUTION:
        unbend(flow, number, block)
        convolution_back(flow, number, block)
    elif operation.kind == NORMALIZATION:
        gather_sums(flow, number, block)
    elif operation.kind == SUM:
        if operation.back_x:
            hand_on(flow, number, block, operation.x, fresh)
        if operation.back_z and operation.z != operation.x:
            hand_on(flow, number, block, operation.z, operation.fresh_z != 0)
    elif operation.kind == CONCATENATION:
        join_back(flow, number, block)
    elif operation.kind == LAYER_NORM:
        normalize_examples_back(flow, number, block)
    elif operation.back_x:
        if operation.kind == MAXIMUM and fresh and in_squares(operation, flow.signals[operation.x]):
            pool_squares_back(flow, number, block)
        elif operation.kind == MAXIMUM or operation.kind == AVERAGE:
            pool_back(flow, number, block)
        elif operation.kind == STATISTICS:
            normalize_back(flow, number, block, batch)
        elif operation.kind == BEND:
            bend_back(flow, number, block)
        elif operation.kind == DROPOUT:
            drop_back(flow, number, block)
        elif operation.kind == TO_ROWS:
            row, slopes = flow.signals[operation.y].start, flow.slopes[operation.x]
            exchange(flow, slopes, start, row, block, flow.deltas, network.deltas, no, fresh)
        elif operation.kind == TO_PLANES:
            row, slopes = flow.signals[operation.x].start, flow.slopes[operation.y]
            exchange(flow, slopes, start, row, block, flow.deltas, network.deltas, yes, fresh)


@kernel
def convolution_back(flow: Flow, number: int, block: int) -> None:
    operation, convolutions, units, start = flow.operations[number], flow.convolutions, flow.units, block * flow.block
    layer, gradient, by_outputs = operation.number, flow.gradient, floats(slopes_of(flow, operation.y, block))
    own = block * flow.gradient_block
    convolution_gradient(convolutions, layer, units, by_outputs, start, gradient, own + operation.weight)
    if operation.bias >= 0:
        convolution_bias_gradient(convolutions, layer, by_outputs, start, gradient, own + operation.bias)
    if operation.back_x:
        by_inputs = floats(slopes_of(flow, operation.x, block))
        more, gated = operation.fresh_x == 0, operation.gated != 0
        convolve_back(convolutions, layer, units, by_outputs, by_inputs, start, more, gated)


@inlined
def slopes_of(flow: Flow, number: int, block: int) -> int:
    """An address from which on the derivatives by a signal of a block are where its values are in ``units``."""
    place, own = block * flow.slope_block + flow.slopes[number].start, block * flow.block + flow.signals[number].start
    return flow.address + 4 * (place - own)


@kernel
def back_through_rows(flow: Flow, number: int, optimizer: Optimizer, pace: Pace, batch: int) -> None:
    """A linear layer's new parameters, and the derivatives by what it reads."""
    operation, network = flow.operations[number], flow.network
    layer: Any = network.layers[operation.number]
    for first in range(0, batch, LANES):
        block = first // LANES * network.block
        for place in range(block + layer.y, block + layer.y + layer.outputs * LANES, LANES):
            slope = times_slope(layer.activation, load64(network.deltas, place), load64(network.units, place))
            store(network.deltas, place, slope)
        if operation.back_x:
            back(network, operation.number, block, IDENTITY)
    learn(network, operation.number, optimizer, pace, batch)


@kernel
def learn_planes(flow: Flow, optimizer: Optimizer, pace: Pace, batch: int, team: Team) -> None:
    """New parameters of what works on planes, a thread's pieces of them; those that are held stay 0."""
    parameters, last = flow.network.parameters, (batch - 1) // ROW
    for start in range(team.number * PIECE, flow.learned, team.threads * PIECE):
        size = min(PIECE, flow.learned - start)
        for place in range(0, size, 16):
            gradient = load16(flow.gradient, last * flow.gradient_block + start + place)
            for block in range(last - 1, -1, -1):
                gradient = gradient + load16(flow.gradient, block * flow.gradient_block + start + place)
            store(optimizer.gradient, place, gradient)
        update(parameters, optimizer, pace, start, size)
    for place in flow.held:
        if place // PIECE % team.threads != team.number:
            continue
        parameters[place], optimizer.first[place] = np.float32(0), np.float32(0)
        if optimizer.adam:
            optimizer.second[place] = np.float32(0)
