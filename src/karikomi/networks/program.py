"""A forward as a program: layers, pooling, normalization, sums, concatenation, activations and dropout, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Activated = Literal["convolution", "linear", "maximum", "average", "normalization", "sum"]
Kind = Literal[Activated, "bend", "concatenation", "layer_norm", "dropout"]
Bend = Literal["leaky_relu", "gelu", "gelu_tanh", "silu", "sigmoid"]
Pair = tuple[int, int]


class Shape(NamedTuple):
    """Of a signal of one example; the numbers of a row are channels of one place."""

    channels: int
    height: int = 1
    width: int = 1


class Signal(NamedTuple):
    """A signal. ``same`` is the number of the one whose values it holds in another shape, or its own."""

    shape: Shape
    same: int


@dataclass(frozen=True)
class Part:
    """One step of a program; its kind decides which attributes mean something.

    Attributes:
        name: of the module that does it.
        x: numbers of the signals that it takes: one, of a sum one or two, of a concatenation two.
        y: of the one that it gives.
        activation: what is done to that last.
        bend: of a part that is an activation by itself, which one; its slope is told by what it is given.
        negative: the slope of leaky ReLU below 0.
        probability: of a number to be dropped in training.
        weight: name of the parameter; so are ``bias`` and, of running statistics, ``mean``, ``variance``, ``count``.
        kernel: height and width of what is seen at once.
        momentum: what a minibatch's statistics weigh in the running ones.
    """

    kind: Kind
    name: str
    x: tuple[int, ...]
    y: int
    activation: Literal["identity", "relu", "tanh"] = "identity"
    bend: Bend = "sigmoid"
    negative: float = 0.0
    probability: float = 0.0
    weight: str | None = None
    bias: str | None = None
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    mean: str = ""
    variance: str = ""
    count: str = ""
    momentum: float = 0.0
    epsilon: float = 0.0


class Program(NamedTuple):
    """Signal 0 holds the examples; the outputs are the signal with the number ``output``.

    ``values`` tells which signal holds a value of the tape.
    """

    signals: Sequence[Signal]
    parts: Sequence[Part]
    output: int
    values: Mapping[int, int]
