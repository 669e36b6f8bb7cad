"""Packs of examples of one class under many lesions of a network that is a program: the entry points from Python.

A pack is a block of planes. What a removed channel takes with it is followed until it mixes with others: the outputs
of the layer that reads it change by one channel's products. Only what lies behind them is computed anew.
"""

from typing import Any, NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.convolution import ADDED, PLAIN, add_all_taps
from karikomi.engines.sparse.kernels.elementwise import line_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import any_bit
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.moving import gather_planes
from karikomi.engines.sparse.kernels.packs import Circuit, State
from karikomi.engines.sparse.kernels.planes import ROW, plane
from karikomi.engines.sparse.kernels.play import through_planes
from karikomi.engines.sparse.kernels.rows import ROWS, add_multiples, load_rows, store_rows
from karikomi.engines.sparse.kernels.vector import absolute, kernel, larger, load16, splat16, store
from karikomi.engines.sparse.kernels.verdicts import judge

BLOCKS = 3
"""The network as it is; as it was, or in removed channels what they would do; and what they show instead."""
KEPT, SHOWN = 1, 2

STEPS = ("through", "multiply", "convert", "channel", "add_convolved", "add_multiplied")
THROUGH, MULTIPLY, CONVERT, CHANNEL, ADD_CONVOLVED, ADD_MULTIPLIED = range(len(STEPS))

STEP = np.dtype(
    [
        (name, np.int64)
        for name in (
            # ``operation`` reads the signals ``x`` and ``z`` and makes ``y``; ``source`` is by how much a channel of x
            # grew, ``target`` is for that of y. ``layer`` is the convolution that reads channel 0 alone; ``site`` is
            # the one in y, or -1.
            *("what", "operation", "x", "z", "y", "source", "target", "layer", "site"),
        )
    ],
    align=True,
)

SITE = np.dtype([(name, np.int64) for name in ("signal", "change", "first", "last")], align=True)
"""The signal that units act in, the one for a channel's change, and the range of the steps behind."""

LINEAR = np.dtype([(name, np.int64) for name in ("x", "y", "outputs", "stride", "links", "bias")], align=True)
"""A linear layer: ``stride`` links for each number that it reads, from ``links`` on, and rows of biases."""


class Cuts(NamedTuple):
    """What lesions change: ``every`` step of a whole forward, and the ``steps`` behind each of the ``sites``."""

    every: Any
    steps: Any
    sites: Any
    site_of: np.ndarray
    channel_of: np.ndarray
    linear: Any
    links: np.ndarray
    biases: np.ndarray
    output: int


class Pack(NamedTuple):
    """``examples`` of one class, and the lanes of them that count, 1 or 0."""

    examples: np.ndarray
    label: int
    valid: np.ndarray


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
        take(flow, cuts, cuts.every[number], np.intp(0))
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
    """Lesion 0 is the whole network, lesion ``lesions[k]`` the one without ``units[k]``, which are sorted by site."""
    pass_whole(source, pack.examples, flow, cuts, state.some)
    judge_outputs(flow, cuts, circuit, state, pack)
    whole, right = state.verdict[0], np.int64(state.verdict[1])
    loss[0] += whole
    correct[pack.label, 0] += right
    copy(flow.units, np.intp(0), KEPT * flow.block, flow.block)
    for number in range(units.size):
        site, channel = cuts.sites[cuts.site_of[units[number]]], cuts.channel_of[units[number]]
        if number and cuts.site_of[units[number]] != cuts.site_of[units[number - 1]]:
            restore(flow, cuts, cuts.site_of[units[number - 1]])
        if replace(flow, site, channel, SHOWN):
            for step in range(site.first, site.last):
                take(flow, cuts, cuts.steps[step], channel)
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
                    take(flow, cuts, cuts.steps[behind], channel)
                    set_aside(flow, cuts, cuts.steps[behind].site, present)
                judge_outputs(flow, cuts, circuit, state, pack)
            loss[first + step] += state.verdict[0]
            correct[pack.label, first + step] += np.int64(state.verdict[1])


@kernel
def copy(values: np.ndarray, source: int, target: int, size: int) -> None:
    for place in range(0, size, ROW):
        store(values, target + place, load16(values, source + place))


@kernel
def replace(flow: Flow, site, channel: int, block: int) -> bool:
    """A channel becomes what it is in another block; the site's change is by how much it grows. Whether it does."""
    units, signal = flow.units, flow.signals[site.signal]
    here, goal = signal.start + channel * plane(signal), flow.signals[site.change].start
    largest = splat16(np.float32(0))
    for place in range(0, plane(signal), ROW):
        value = load16(units, here + place + block * flow.block)
        growth = value - load16(units, here + place)
        store(units, here + place, value)
        store(units, goal + place, growth)
        largest = larger(absolute(growth), largest)
    return any_bit(largest)


@kernel
def set_aside(flow: Flow, cuts: Cuts, site: int, present: np.ndarray) -> None:
    """What the removed units of a site do is kept; they show something else."""
    if site < 0:
        return
    signal = flow.signals[cuts.sites[site].signal]
    for unit in range(cuts.site_of.size):
        if cuts.site_of[unit] == site and not present[unit]:
            here = signal.start + cuts.channel_of[unit] * plane(signal)
            copy(flow.units, here, here + KEPT * flow.block, plane(signal))
            copy(flow.units, here + SHOWN * flow.block, here, plane(signal))


@kernel
def give_back(flow: Flow, cuts: Cuts, site, channel: int) -> None:
    """What is not computed anew with the next unit of a site becomes what it was."""
    signal = flow.signals[site.signal]
    here = signal.start + channel * plane(signal)
    copy(flow.units, here + KEPT * flow.block, here, plane(signal))
    for number in range(site.first, site.last):
        step, signal = cuts.steps[number], flow.signals[cuts.steps[number].y]
        if step.what == CHANNEL:
            here = signal.start + channel * plane(signal)
            copy(flow.units, here + KEPT * flow.block, here, plane(signal))
        elif step.what == ADD_CONVOLVED or step.what == ADD_MULTIPLIED:
            copy(flow.units, signal.start + KEPT * flow.block, signal.start, signal.channels * plane(signal))


@kernel
def restore(flow: Flow, cuts: Cuts, number: int) -> None:
    """All that lies behind a site becomes what it was."""
    for step in range(cuts.sites[number].first, cuts.sites[number].last):
        signal = flow.signals[cuts.steps[step].y]
        copy(flow.units, signal.start + KEPT * flow.block, signal.start, signal.channels * plane(signal))


@kernel
def take(flow: Flow, cuts: Cuts, step, channel: int) -> None:
    """One step; where it is one of a single channel, that is ``channel``."""
    block, convolutions, units = np.intp(0), flow.convolutions, flow.units
    if step.what == THROUGH:
        through_planes(flow, step.operation, block, ROW, np.bool_(False))
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
def multiply(flow: Flow, cuts: Cuts, number: int, signal, first: int, fresh: bool) -> None:
    """A linear layer's sums over a signal, the numbers from the ``first`` one on; if not ``fresh`` they are added."""
    layer, units = cuts.linear[number], flow.units
    goal = flow.signals[layer.y].start
    for output in range(0, layer.outputs, ROWS):
        sums = load_rows(cuts.biases, layer.bias + output * ROW) if fresh else load_rows(units, goal + output * ROW)
        link = layer.links + first * layer.stride + output
        for channel in range(signal.channels):
            for y in range(signal.height):
                line = line_of(signal, np.intp(0), channel, y)
                for place in range(line, line + signal.width * ROW, ROW):
                    sums = add_multiples(cuts.links, link, load16(units, place), sums)
                    link += layer.stride
        store_rows(units, goal + output * ROW, sums)


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
