"""A program as lesions play it: where units act, and what each operation has to do once one of them is gone.

Nothing is learned, so normalization becomes part of the layer before it. What a layer with an activation gives before
that is a signal of its own: a convolution is linear up to there, so that what a channel brings can be taken off it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from karikomi.engines.sparse.lowering import Lowered, bent_late, readers_of
from karikomi.networks.architecture import Architecture
from karikomi.networks.channels import Channels, channels_of
from karikomi.networks.program import Part, Shape, Signal

LAYERS = ("convolution", "linear")
BY_CHANNEL = ("maximum", "average", "sum", "bend", "dropout")

How = Literal["whole", "channel", "added"]
"""An operation is done again: wholly, in one channel, or so that what its input's one channel grew by is added."""


class Step(NamedTuple):
    """How an operation, by its number, is done again."""

    operation: int
    how: How


@dataclass(frozen=True)
class Lesionable:
    """Operations in order; those that linear layers are read planes of any shape.

    Attributes:
        low: signals and operations.
        normalizations: by the number of a layer's signal the normalization that is part of it.
        sites: of the hidden layers, in their order.
        steps: for each of them what is to be done once a unit's channel has changed.
    """

    low: Lowered
    normalizations: Mapping[int, Part]
    sites: Sequence[Channels]
    steps: Sequence[Sequence[Step]]


def lesionable(architecture: Architecture) -> Lesionable:
    """The program of a network, to be lesioned.

    Raises:
        InputError: with the layer whose units are not the channels of one signal.
    """
    return _Writer(architecture).run()


def followers_of(low: Lowered, sites: Collection[int]) -> dict[int, int]:
    """By the number of a convolution that of what its sums go through at once: an activation, or pooling by squares."""
    found = dict[int, int]()
    for number, part in enumerate(low.parts):
        readers = [n for n, reader in enumerate(low.parts) if part.y in reader.x]
        if low.kinds[number] == "convolution" and len(readers) == 1 and part.y not in {low.output, *sites}:
            [reader] = readers
            if _goes_through(low, reader):
                found[number] = reader
    return found


def _goes_through(low: Lowered, number: int) -> bool:
    kind, part = low.kinds[number], low.parts[number]
    _, height, width = low.signals[part.x[0]].shape
    squares = part.kernel == part.stride == (2, 2) and part.padding == (0, 0) and height % 2 == width % 2 == 0
    alone = len(part.x) == 1 and part.activation in ("identity", "relu")
    return alone and (kind == "sum" or (kind == "maximum" and squares))


class _Writer:
    def __init__(self, architecture: Architecture) -> None:
        self.program = program = architecture.program
        self.signals, self.normalizations = list(program.signals), dict[int, Part]()
        first = next(x for part in program.parts for x in part.x if self._root(x) == 0)
        self.signals[0] = Signal(self.signals[first].shape, 0)
        self.kinds, self.parts = list[str](), list[Part]()
        self.sites = channels_of(program, architecture.anatomy)
        self.varying = {site.signal for site in self.sites}  # signals that lesions change

    def run(self) -> Lesionable:
        acting = {site.signal for site in self.sites}
        for part in self._normalized(acting):
            if part.kind == "linear":
                part = replace(part, x=(self._root(part.x[0]),))
            else:
                part = replace(part, x=tuple(map(self._as_planes, part.x)))
            varies, bends = not self.varying.isdisjoint(part.x), part.activation != "identity"
            if varies:
                self.varying.add(part.y)
            # Sums of a linear layer have no activation of their own, whatever it reads.
            if (part.kind in LAYERS and varies and (bends or part.y in acting)) or (part.kind == "linear" and bends):
                inner = self._new(self.signals[part.y].shape)
                self._add(part.kind, replace(part, y=inner, activation="identity"))
                if part.y in self.normalizations:
                    self.normalizations[inner] = self.normalizations[part.y]
                part = Part("sum", part.name, (inner,), part.y, part.activation)
            self._add(part.kind, part)
        low = Lowered(self.signals, self.kinds, self.parts, frozenset(), self._root(self.program.output))
        return Lesionable(low, self.normalizations, self.sites, [self._steps(site.signal) for site in self.sites])

    def _steps(self, signal: int) -> list[Step]:
        """What follows when one channel of a signal changes."""
        changed, steps = {signal: True}, list[Step]()  # whether it is that channel alone
        for number, (kind, part) in enumerate(zip(self.kinds, self.parts, strict=True)):
            alone = [changed[x] for x in part.x if x in changed]
            if alone:
                single = all(alone)
                how: How = "whole"
                if single and kind in (*BY_CHANNEL, *LAYERS):
                    how = "channel" if kind in BY_CHANNEL else "added"
                changed[part.y] = how == "channel"
                steps.append(Step(number, how))
        return steps

    def _normalized(self, acting: set[int]) -> list[Part]:
        """The parts, normalization taken into the layer before it where it is the only one to read that."""
        kept: list[Part | None] = list(bent_late(self.program))
        makers = {part.y: place for place, part in enumerate(kept) if part}
        for place, part in enumerate(kept):
            number = part.x[0] if part and part.kind == "normalization" else -1
            layer = kept[makers[number]] if number in makers else None
            seen = {*acting, self._root(self.program.output)}
            alone = number not in seen and len(readers_of(self.program, number)) == 1
            if part and layer and layer.kind in LAYERS and layer.activation == "identity" and alone:
                kept[makers[number]] = replace(layer, y=part.y, activation=part.activation)
                kept[place], self.normalizations[part.y] = None, part
        return [part for part in kept if part]

    def _root(self, number: int) -> int:
        return self.program.signals[number].same if number < len(self.program.signals) else number

    def _as_planes(self, number: int) -> int:
        """The signal in its own shape: planes may have a halo, so another shape is another order in memory."""
        root, shape = self._root(number), self.signals[number].shape
        if shape == self.signals[root].shape:
            return root
        moved = self._new(shape)
        self.varying |= {moved} if root in self.varying else set()
        self._add("to_planes", Part("sum", "", (root,), moved))
        return moved

    def _new(self, shape: Shape) -> int:
        self.signals.append(Signal(shape, len(self.signals)))
        return len(self.signals) - 1

    def _add(self, kind: str, part: Part) -> None:
        self.kinds.append(kind)
        self.parts.append(part)
