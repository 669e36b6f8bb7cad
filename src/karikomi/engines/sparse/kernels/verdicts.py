"""What a pack of examples, all of one class, says about a lesioned network."""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.activations import IDENTITY
from karikomi.engines.sparse.kernels.fused import any_bit, total
from karikomi.engines.sparse.kernels.loss import exponential
from karikomi.engines.sparse.kernels.packs import LOWEST, Circuit, Signals, State, activated
from karikomi.engines.sparse.kernels.rows import PACK, ROWS, add_multiples, inlined, load_rows, store_rows
from karikomi.engines.sparse.kernels.vector import (
    absolute,
    at,
    intrinsic,
    kernel,
    larger,
    load16,
    splat16,
    store,
    where_positive,
)

_ZERO, _ONE = np.float32(0), np.float32(1)
# Outputs that differ by less than this share of what was added up, regardless of sign, may be in the other order
# without rounding. Differences in trained networks of one to five hidden layers were off by a fourth of that at most.
_ROUNDING = np.float32(2**-19)
_LEFT_OVER = np.float32(2**-3)


class Tally(NamedTuple):
    """What is counted of each lesion: ``loss`` ``[lesions]`` and ``correct`` ``[classes, lesions]``.

    An answer too close to call in float32 is not counted but listed: ``close`` ``[calls, 2]`` has its lesion and its
    example; ``listed`` says how many there are.
    """

    loss: np.ndarray
    correct: np.ndarray
    close: np.ndarray
    listed: np.ndarray


@intrinsic(types.float64)
def product(builder, vector):
    """Of all lanes, in float64: so large a product of sums of powers does not overflow, and needs one logarithm."""
    double = ir.DoubleType()
    wide = builder.fpext(vector, ir.VectorType(double, PACK))
    kind = ir.FunctionType(double, [double, wide.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fmul.v{PACK}f64")
    return builder.call(function, [ir.Constant(double, 1.0), wide], fastmath=["reassoc"])


@kernel
def set_margin(circuit: Circuit, state: State, signals: Signals, start: int) -> None:
    """By how much rounding may change an output of the pack that starts at ``start``, more than enough."""
    last = circuit.levels.size - 1
    level, outputs, largest, peak = circuit.levels[last - 1], circuit.levels[last], splat16(_ZERO), splat16(_ZERO)
    for row in range(outputs.row):
        peak = larger(absolute(load16(signals.before, start + row * PACK)), peak)
    # What cancels in one level leaves its rounding to the next ones, even to units that are silent.
    floor = peak * splat16(_LEFT_OVER)
    for output in range(0, outputs.units, ROWS):
        place = (outputs.row + output) * PACK
        sums = load_rows(circuit.bias_sizes, place)
        for unit in range(level.units):
            row = start + (level.row + unit) * PACK
            # Before the activation: a unit may be silent only until another one is gone.
            value = larger(absolute(load16(signals.before, row)), absolute(load16(signals.removed, row)))
            links = level.links + unit * level.stride + output
            sums = add_multiples(circuit.weight_sizes, links, larger(value, floor), sums)
        store_rows(state.sums, place, sums)
    for output in range(outputs.row, outputs.row + outputs.units):
        largest = larger(load16(state.sums, output * PACK), largest)
    store(state.margin, 0, largest * splat16(_ROUNDING))


@inlined
def highest_of(logits: np.ndarray, first: int, last: int):
    highest = splat16(LOWEST)
    for place in range(first, last, PACK):
        highest = larger(load16(logits, place), highest)
    return highest


@inlined
def judge(circuit: Circuit, state: State, label: int, valid) -> None:
    """The verdict: summed cross-entropy, number of right answers and, for each lane, whether it is too close to call.

    An answer is the first of the highest outputs. Only lanes where ``valid`` is 1, not 0, count.
    """
    level, logits, zero = circuit.levels[circuit.levels.size - 1], state.sums, splat16(_ZERO)
    first = level.row * PACK
    own, last = first + label * PACK, first + level.units * PACK
    if level.activation != IDENTITY:
        logits = state.outputs
        for place in range(first, last, PACK):
            store(logits, place, activated(level.activation, load16(state.sums, place)))
    answer, earlier, later = load16(logits, own), highest_of(logits, first, own), highest_of(logits, own + PACK, last)
    rival = larger(earlier, later)
    highest, sums, largest = larger(rival, answer), zero, zero
    for place in range(first, last, PACK):
        logit = load16(logits, place)
        sums = sums + exponential(logit - highest)
        largest = larger(absolute(logit), largest)
    # Where all outputs are 0 nothing was rounded: no unit is left, or none is active.
    lead, margin = answer - rival, where_positive(largest, load16(state.margin, 0), zero)
    tied = where_positive(later - answer, zero, where_positive(answer - earlier, valid, zero))
    right = where_positive(margin, where_positive(lead - margin, valid, zero), tied)
    close = where_positive(margin - absolute(lead), valid, zero)
    store(state.close, 0, close)
    loss = np.log(product(where_positive(valid, sums, splat16(_ONE))))
    state.verdict[0] = loss + total((highest - answer) * valid)
    state.verdict[1] = total(right)
    state.verdict[2] = any_bit(close)


@inlined
def count(state: State, signals: Signals, pack: int, tally: Tally, lesion: int) -> None:
    """Add the verdict on a pack to what is known of the lesion."""
    tally.loss[lesion] += state.verdict[0]
    tally.correct[at(signals.labels, pack), lesion] += np.int64(state.verdict[1])
    if state.verdict[2]:
        for lane in range(PACK):
            if at(state.close, lane):
                place = tally.listed[0]
                tally.close[place, 0], tally.close[place, 1] = lesion, signals.examples[pack, lane]
                tally.listed[0] += 1
