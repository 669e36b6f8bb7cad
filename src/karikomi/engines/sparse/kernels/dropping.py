"""Dropout (Srivastava et al. 2014) on planes: kept numbers are scaled by 1 / (1 - p), as in PyTorch.

What is kept depends on the seed, the training step, the operation and the number's place in the minibatch alone, so
that the way back finds it again, and blocks may come in any order.
"""

import numpy as np
from llvmlite import ir

from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.joining import lay_beside
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import FLOAT, INT, VECTORS, intrinsic, kernel, load16, spread, store

# Odd numbers that spread steps and operations over all keys: 2^64 times the golden ratio's fraction, and the plastic's.
BY_STEP, BY_OPERATION = np.int64(-7046029254386353131), np.int64(-4417276706812531889)
# Shifts and factors of a hash of 32 bits (Wellons, hash-prospector: lowbias32).
MIXING = ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1))


@intrinsic(VECTORS[ROW])
def kept(builder, key, row, threshold, factor):
    """``factor`` where the hash of a lane of a row is at least ``threshold`` of 2^32, else 0."""
    many = ir.VectorType(INT, ROW)

    def everywhere(value):
        return spread(builder, builder.trunc(value, INT), ROW)

    first = builder.shl(everywhere(row), ir.Constant(many, [4] * ROW))
    number = builder.add(first, ir.Constant(many, [*range(ROW)]))
    for half in (everywhere(key), everywhere(builder.lshr(key, key.type(32)))):
        number = builder.xor(number, half)
        for shift, multiple in MIXING:
            number = builder.xor(number, builder.lshr(number, ir.Constant(many, [shift] * ROW)))
            number = builder.mul(number, ir.Constant(many, [multiple] * ROW))
    stays = builder.icmp_unsigned(">=", number, everywhere(threshold))
    zero = ir.Constant(ir.VectorType(FLOAT, ROW), [0.0] * ROW)
    return builder.select(stays, spread(builder, factor, ROW), zero)


@inlined
def key_of(flow: Flow, number: int) -> int:
    return flow.drawn[0] + flow.drawn[1] * BY_STEP + number * BY_OPERATION


@kernel
def drop(flow: Flow, number: int, block: int, training: bool) -> None:
    """A signal without what is dropped in training."""
    operation, start, yes = flow.operations[number], block * flow.block, np.bool_(True)
    signal, target = flow.signals[operation.x], flow.signals[operation.y]
    if training:
        pass_kept(flow, number, block, flow.units, signal, target, start, yes)
    else:
        lay_beside(flow.units, signal, start, np.intp(0), target, start, np.intp(0), signal.channels, yes)


@kernel
def drop_back(flow: Flow, number: int, block: int) -> None:
    """The derivatives by what was kept."""
    operation, start = flow.operations[number], block * flow.slope_block
    slopes, goal = flow.slopes[operation.y], flow.slopes[operation.x]
    pass_kept(flow, number, block, flow.deltas, slopes, goal, start, operation.fresh_x != 0)


@kernel
def pass_kept(flow: Flow, number: int, block: int, values: np.ndarray, signal, target, start: int, fresh: bool) -> None:
    """What is kept of a signal becomes another one, or is added to it if not ``fresh``."""
    share, key = flow.operations[number].epsilon, key_of(flow, number)
    row, threshold = block * signal.channels * signal.height * signal.width, int(share * 2.0**32)
    factor = np.float32(1 / (1 - share))
    for channel in range(signal.channels):
        for y in range(signal.height):
            source, place = line_of(signal, start, channel, y), line_of(target, start, channel, y)
            for x in range(0, signal.width * ROW, ROW):
                value = load16(values, source + x) * kept(key, row, threshold, factor)
                store(values, place + x, value if fresh else value + load16(values, place + x))
                row += 1
