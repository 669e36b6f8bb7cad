"""What lesions change in a program, and channels that go and come back."""

from typing import Any, NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.fused import any_bit
from karikomi.engines.sparse.kernels.growth import Growths
from karikomi.engines.sparse.kernels.planes import ROW, plane
from karikomi.engines.sparse.kernels.vector import absolute, kernel, larger, load16, splat16, store
from karikomi.engines.sparse.kernels.winograd import Winograd

BLOCKS = 3
"""The network as it is; as it was, or in removed channels what they would do; and what they show instead."""
KEPT, SHOWN = 1, 2

STEPS = ("through", "tile", "multiply", "convert", "channel", "add_convolved", "add_multiplied", "grow")
THROUGH, TILE, MULTIPLY, CONVERT, CHANNEL, ADD_CONVOLVED, ADD_MULTIPLIED, GROW = range(len(STEPS))

STEP = np.dtype(
    [
        (name, np.int64)
        for name in (
            # ``operation`` reads the signals ``x`` and ``z`` and makes ``y``; ``source`` is by how much a channel of x
            # grew, ``target`` is for that of y. ``layer`` is the convolution that reads channel 0 alone, or the one in
            # tiles, or whose sums grow; ``site`` is the one in y, or -1.
            *("what", "operation", "x", "z", "y", "source", "target", "layer", "site"),
        )
    ],
    align=True,
)

SITE = np.dtype([(name, np.int64) for name in ("signal", "change", "first", "last", "joined", "end")], align=True)
"""The signal that units act in, the one for a channel's change, and the range of the steps behind.

From ``joined`` to before ``end`` are the same for single lesions: layers joined with what follows them, which leave
out the signals between.
"""

LINEAR = np.dtype([(name, np.int64) for name in ("x", "y", "outputs", "links", "bias")], align=True)
"""A linear layer: a link to each of its ``outputs`` for every number that it reads, from ``links`` on, and biases."""


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
    winograd: Winograd
    growths: Growths
    output: int


class Pack(NamedTuple):
    """``examples`` of one class, and the lanes of them that count, 1 or 0."""

    examples: np.ndarray
    label: int
    valid: np.ndarray


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
    """The channel of a single lesion becomes what it was, here and where it was followed alone."""
    signal = flow.signals[site.signal]
    here = signal.start + channel * plane(signal)
    copy(flow.units, here + KEPT * flow.block, here, plane(signal))
    for number in range(site.joined, site.end):
        if cuts.steps[number].what == CHANNEL:
            signal = flow.signals[cuts.steps[number].y]
            here = signal.start + channel * plane(signal)
            copy(flow.units, here + KEPT * flow.block, here, plane(signal))


@kernel
def restore(flow: Flow, cuts: Cuts, before: int, after: int) -> None:
    """What lies behind one site becomes what it was, but for what is computed anew behind the next one."""
    site, following = cuts.sites[before], cuts.sites[after]
    for number in range(site.joined, site.end):
        anew = False
        for other in range(following.joined, following.end):
            step = cuts.steps[other]
            anew = anew or (step.y == cuts.steps[number].y and step.what != CHANNEL)
        if not anew:
            signal = flow.signals[cuts.steps[number].y]
            copy(flow.units, signal.start + KEPT * flow.block, signal.start, signal.channels * plane(signal))
