"""Packs of examples of one class under many lesions of a network that is a program: the entry points from Python.

A pack is a block of planes. What a removed channel takes with it is followed until it mixes with others: the outputs
of the layer that reads it change by one channel's products. Only what lies behind them is computed anew.
"""

from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.activations import RELU
from karikomi.engines.sparse.kernels.convolution import ADDED, PLAIN, add_all_taps
from karikomi.engines.sparse.kernels.cuts import (
    ADD_CONVOLVED,
    ADD_MULTIPLIED,
    CHANNEL,
    CONVERT,
    GROW,
    KEPT,
    MULTIPLY,
    SHOWN,
    THROUGH,
    TILE,
    Cuts,
    Pack,
    copy,
    give_back,
    replace,
    restore,
    set_aside,
)
from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.growth import grow
from karikomi.engines.sparse.kernels.linear_sums import multiply
from karikomi.engines.sparse.kernels.moving import gather_planes
from karikomi.engines.sparse.kernels.packs import LOWEST, Circuit, State
from karikomi.engines.sparse.kernels.planes import ROW, plane
from karikomi.engines.sparse.kernels.play import through_planes
from karikomi.engines.sparse.kernels.rows import inlined
from karikomi.engines.sparse.kernels.vector import kernel, load16, store
from karikomi.engines.sparse.kernels.verdicts import judge
from karikomi.engines.sparse.kernels.winograd import convolve_tiles


@kernel
def show_others(source: Source, examples: np.ndarray, flow: Flow, cuts: Cuts, present: np.ndarray) -> None:
    """Removed units show what they do on these ``examples``."""
    pass_whole(source, examples, flow, cuts, present)
    copy(flow.units, np.intp(0), SHOWN * flow.block, flow.block)


@kernel
def pass_whole(source: Source, examples: np.ndarray, flow: Flow, cuts: Cuts, present: np.ndarray) -> None:
    """All signals of the network that has the units that are ``present``."""
    gather_planes(source, examples, flow, np.intp(0))
    for number in range(cuts.every.size):
        take(flow, cuts, cuts.every[number], np.intp(0), np.bool_(False))
        set_aside(flow, cuts, cuts.every[number].site, present)


@kernel
def knock_out_channels(
    source: Source,
    pack: Pack,
    flow: Flow,
    cuts: Cuts,
    circuit: Circuit,
    state: State,
    units: np.ndarray,
    lesions: np.ndarray,
    loss: np.ndarray,
    correct: np.ndarray,
) -> None:
    """Lesion 0 is the whole network, lesion ``lesions[k]`` the one without ``units[k]``, which come site by site."""
    pass_whole(source, pack.examples, flow, cuts, state.some)
    judge_outputs(flow, cuts, circuit, state, pack)
    whole, right = state.verdict[0], np.int64(state.verdict[1])
    loss[0] += whole
    correct[pack.label, 0] += right
    copy(flow.units, np.intp(0), KEPT * flow.block, flow.block)
    for number in range(units.size):
        site, channel = cuts.sites[cuts.site_of[units[number]]], cuts.channel_of[units[number]]
        if number and cuts.site_of[units[number]] != cuts.site_of[units[number - 1]]:
            restore(flow, cuts, cuts.site_of[units[number - 1]], cuts.site_of[units[number]])
        if replace(flow, site, channel, SHOWN):
            for step in range(site.joined, site.end):
                take(flow, cuts, cuts.steps[step], channel, np.bool_(True))
            judge_outputs(flow, cuts, circuit, state, pack)
            loss[lesions[number]] += state.verdict[0]
            correct[pack.label, lesions[number]] += np.int64(state.verdict[1])
            give_back(flow, cuts, site, channel)
        else:
            loss[lesions[number]] += whole
            correct[pack.label, lesions[number]] += right


@kernel
def remove_channels(
    source: Source,
    pack: Pack,
    flow: Flow,
    cuts: Cuts,
    circuit: Circuit,
    state: State,
    orders: np.ndarray,
    loss: np.ndarray,
    correct: np.ndarray,
) -> None:
    """Lesion r (steps + 1) + s is the network without the first s units of order r.

    Units are given back, the last one first: sums are then rounded like sums over what is left.
    """
    (many, steps), present = orders.shape, state.some
    for number in range(many):
        order, first = orders[number], number * (steps + 1)
        for step in range(steps):
            present[order[step]] = 0
        pass_whole(source, pack.examples, flow, cuts, present)
        judge_outputs(flow, cuts, circuit, state, pack)
        loss[first + steps] += state.verdict[0]
        correct[pack.label, first + steps] += np.int64(state.verdict[1])
        for step in range(steps - 1, -1, -1):
            unit = order[step]
            site, channel = cuts.sites[cuts.site_of[unit]], cuts.channel_of[unit]
            present[unit] = 1
            if replace(flow, site, channel, KEPT):
                for behind in range(site.first, site.last):
                    take(flow, cuts, cuts.steps[behind], channel, np.bool_(False))
                    set_aside(flow, cuts, cuts.steps[behind].site, present)
                judge_outputs(flow, cuts, circuit, state, pack)
            loss[first + step] += state.verdict[0]
            correct[pack.label, first + step] += np.int64(state.verdict[1])


@inlined
def take(flow: Flow, cuts: Cuts, step, channel: int, single: bool) -> None:
    """One step; where it is one of a single channel, that is ``channel``.

    Of a ``single`` lesion, whatever the one before it left in the sums.
    """
    block, convolutions, units = np.intp(0), flow.convolutions, flow.units
    if single and (step.what == ADD_CONVOLVED or step.what == ADD_MULTIPLIED):
        signal = flow.signals[step.y]
        copy(units, signal.start + KEPT * flow.block, signal.start, signal.channels * plane(signal))
    if step.what == THROUGH:
        through_planes(flow, step.operation, block, ROW, np.bool_(False))
    elif step.what == TILE:
        convolve_tiles(cuts.winograd, step.layer, units, flow.signals, block, lowest_of(flow, step))
    elif step.what == GROW:
        kept = KEPT * flow.block
        grow(cuts.growths, step.layer, channel, units, flow.signals, kept, lowest_of(flow, step))
    elif step.what == MULTIPLY:
        multiply(flow, cuts, flow.operations[step.operation].number, flow.signals[step.x], block, np.bool_(True))
    elif step.what == CONVERT:
        convert(flow, flow.signals[step.x], flow.signals[step.y])
    elif step.what == CHANNEL:
        take_channel(flow, step, channel)
    elif step.what == ADD_CONVOLVED:
        parameters, no_bias = flow.network.parameters, np.intp(-1)
        layer: Any = convolutions.layers[step.layer + channel]
        add_all_taps(convolutions, layer.passes, block, units, parameters, no_bias, units, ADDED, PLAIN, units)
    else:
        multiply(
            *(flow, cuts, flow.operations[step.operation].number, flow.signals[step.source]),
            *(channel * flow.signals[step.x].height * flow.signals[step.x].width, np.bool_(False)),
        )


@inlined
def lowest_of(flow: Flow, step) -> np.float32:
    """What a step's activation lets through at least."""
    return np.float32(0) if flow.operations[step.operation].activation == RELU else LOWEST


@kernel
def take_channel(flow: Flow, step, channel: int) -> None:
    """An operation that leaves channels to themselves, in one of them; its growth is kept."""
    operation, signals = flow.operations[step.operation], flow.signals
    signals[operation.x].start = signals[step.x].start + channel * plane(signals[step.x])
    signals[operation.z].start = signals[step.z].start + channel * plane(signals[step.z])
    signals[operation.y].start = signals[step.y].start + channel * plane(signals[step.y])
    target, goal = signals[operation.y], signals[step.target].start
    copy(flow.units, target.start, goal, plane(target))
    through_planes(flow, step.operation, np.intp(0), ROW, np.bool_(False))
    for place in range(0, plane(target), ROW):
        store(flow.units, goal + place, load16(flow.units, target.start + place) - load16(flow.units, goal + place))


@kernel
def convert(flow: Flow, signal, target) -> None:
    """The numbers of a signal, in their order, in another shape."""
    number, size = 0, target.height * target.width
    for channel in range(signal.channels):
        for y in range(signal.height):
            line = line_of(signal, np.intp(0), channel, y)
            for place in range(line, line + signal.width * ROW, ROW):
                row, column = number % size // target.width, number % target.width
                goal = line_of(target, np.intp(0), number // size, row) + column * ROW
                store(flow.units, goal, load16(flow.units, place))
                number += 1


@kernel
def judge_outputs(flow: Flow, cuts: Cuts, circuit: Circuit, state: State, pack: Pack) -> None:
    """The verdict on the outputs as they are."""
    signal, goal = flow.signals[cuts.output], 0
    for channel in range(signal.channels):
        for y in range(signal.height):
            line = line_of(signal, np.intp(0), channel, y)
            for place in range(line, line + signal.width * ROW, ROW):
                store(state.sums, goal, load16(flow.units, place))
                goal += ROW
    judge(circuit, state, pack.label, load16(pack.valid, 0))
