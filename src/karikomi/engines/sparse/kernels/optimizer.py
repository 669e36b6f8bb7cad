"""New parameters from their gradient, sixteen at a time."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.contract import ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import (
    absolute,
    load16,
    multiply_add,
    splat16,
    square_root,
    store,
    where_positive,
    with_sign,
)

_f32 = np.float32
_ZERO, _REST1, _REST2, _MANY = _f32(0), _f32(1 - ADAM_BETA1), _f32(1 - ADAM_BETA2), 1e36


class Optimizer(NamedTuple):
    """An optimizer and its state.

    ``rates`` is the learning rate of every step; ``decoupled`` is AdamW's decay. Adam's moments are ``first`` and
    ``second``; momentum is in ``first``. Parameters are updated in pieces: ``gradient`` has room for two of the longest
    ones. ``cost`` is what each parameter costs by its size (empty: nothing), ``frozen`` is 1 for those that stay as
    they are (empty: none).
    """

    adam: bool
    decoupled: bool
    nesterov: bool
    rates: np.ndarray
    momentum: float
    decay: float
    first: np.ndarray
    second: np.ndarray
    gradient: np.ndarray
    cost: np.ndarray
    frozen: np.ndarray


class Pace(NamedTuple):
    """SGD's learning rate. What Adam divides the first moment by: ``scale`` times the second one's root, plus epsilon.

    The learning rate and both corrections are in them. ``kept``: what AdamW's decay leaves of a weight.
    """

    rate: np.float32
    scale: np.float32
    epsilon: np.float32
    kept: np.float32


@inlined
def pace_of(optimizer: Optimizer, rate: float, step: int) -> Pace:
    # Infinity times a moment of 0 would be no number; nor would 0 over a rate of 0, where a schedule has ended.
    part = min((1 - ADAM_BETA1**step) / rate, _MANY) if rate > 0 else _MANY
    scale, epsilon = part / np.sqrt(1 - ADAM_BETA2**step), part * ADAM_EPSILON
    kept = np.float32(1 - rate * optimizer.decay)
    return Pace(np.float32(rate), np.float32(scale), np.float32(epsilon), kept)


@inlined
def update(parameters: np.ndarray, optimizer: Optimizer, pace: Pace, start: int, count: int) -> None:
    """The ``count`` parameters from ``start`` on move along ``gradient``.

    So do those that fill up the last sixteen, which are nobody's. Adam (Kingma & Ba 2015, algorithm 1) and momentum are
    PyTorch's: epsilon is added after the correction of the second moment; the learning rate is not part of the
    momentum.
    """
    gradient, decay, zero = optimizer.gradient, splat16(np.float32(optimizer.decay)), splat16(_ZERO)
    for done in range(0, count, 16):
        place = start + done
        before, slope = load16(parameters, place), load16(gradient, done)
        value = before
        if optimizer.cost.size:
            # Σ cost · |value|: at 0 its slope is 0, so what is removed stays so.
            slope = slope + where_positive(absolute(value), with_sign(load16(optimizer.cost, place), value), zero)
        if optimizer.decoupled:
            value = value * splat16(pace.kept)
        elif optimizer.decay:
            slope = multiply_add(decay, value, slope)
        if optimizer.adam:
            mean, square = load16(optimizer.first, place), load16(optimizer.second, place)
            mean = multiply_add(splat16(_REST1), slope - mean, mean)
            square = multiply_add(splat16(_REST2), slope * slope - square, square)
            store(optimizer.first, place, mean)
            store(optimizer.second, place, square)
            change = mean / multiply_add(square_root(square), splat16(pace.scale), splat16(pace.epsilon))
        else:
            speed = multiply_add(splat16(np.float32(optimizer.momentum)), load16(optimizer.first, place), slope)
            store(optimizer.first, place, speed)
            if optimizer.nesterov:
                speed = multiply_add(splat16(np.float32(optimizer.momentum)), speed, slope)
            change = splat16(pace.rate) * speed
        store(parameters, place, value - change)
        if optimizer.frozen.size:
            # Afterwards: chosen at once, the difference would be rounded otherwise, where nothing is frozen too.
            store(parameters, place, where_positive(load16(optimizer.frozen, place), before, load16(parameters, place)))
