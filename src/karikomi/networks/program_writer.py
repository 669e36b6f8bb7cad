"""A forward, recorded operation by operation, written as a program."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.nested import Ref
from karikomi.networks.program import Activated, Kind, Pair, Part, Program, Shape, Signal
from karikomi.networks.tape import Op


def program_of(module: nn.Module, anatomy: Anatomy) -> Program:
    """The forward of ``module`` as a program.

    Raises:
        InputError: with the layer or operation that is none of its parts.
    """
    writer = _Writer(module, anatomy)
    for op in anatomy.tape.ops:
        known = _KNOWN.get(op.name.strip("_"))
        try:
            _require(known is not None and len(op.results) == 1, "not among the operations that it knows")
            assert known
            known(writer, op)
        except InputError as problem:
            raise InputError(f"{f'{op.module}, ' if op.module else ''}{op.name}: {problem}") from None
    return writer.program()


class _Writer:
    def __init__(self, module: nn.Module, anatomy: Anatomy) -> None:
        self.module, self.tape, self.readers = module, anatomy.tape, anatomy.readers
        self.parameters = {id(value): name for name, value in module.named_parameters()}
        self.used = set[str]()
        self.signals, self.parts = list[Signal](), list[Part]()
        self.numbers = dict[int, int]()  # of signals, by those of values
        _require(len(self.tape.inputs) == 1, "the network takes more than one input")
        self._new(self.tape.inputs[0])

    def program(self) -> Program:
        output = self.numbers.get(self.tape.result)
        alone = output is not None and isinstance(self.tape.output, Tensor) and self.tape.output.ndim == 2
        _require(alone, "the network does not give one row of outputs for each example")
        assert output is not None
        needed, parts = {self.signals[output].same}, list[Part]()
        for part in reversed(self.parts):
            if self.signals[part.y].same in needed:
                parts.insert(0, part)
                needed |= {self.signals[x].same for x in part.x}
        _require(any(part.weight for part in parts), "the network has no layers")
        return Program(self.signals, parts, output, self.numbers)

    # What the operations are.

    def convolution(self, op: Op) -> None:
        weight = op.argument(1, "weight")
        kernel, stride = _pair(weight.shape[2:]), self._pair(op, 3, "stride", 1)
        padding, dilation = op.argument(4, "padding"), self._pair(op, 5, "dilation", 1)
        if isinstance(padding, str):
            beyond = [d * (side - 1) for d, side in zip(dilation, kernel, strict=True)]
            _require(padding == "valid" or not any(both % 2 for both in beyond), "the padding same, uneven")
            border = beyond[0] // 2 * (padding == "same"), beyond[1] // 2 * (padding == "same")
        else:
            border = self._pair(op, 4, "padding", 0)
        groups = op.argument(6, "groups") or 1
        told: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": border, "dilation": dilation}
        self._layer(op, "convolution", **told, groups=groups)

    def linear(self, op: Op) -> None:
        _require(self._value(op).ndim == 2, "more than one row for each example")
        self._layer(op, "linear")

    def normalization(self, op: Op) -> None:
        layer = self.module.get_submodule(op.module)
        whole = isinstance(layer, _BatchNorm) and layer.running_mean is not None and layer.momentum is not None
        _require(whole and op.module not in self.used, "no batch normalization with running statistics of its own")
        self.used.add(op.module)
        names = (f"{op.module}.{name}" for name in ("running_mean", "running_var", "num_batches_tracked"))
        told: dict[str, Any] = dict(zip(("mean", "variance", "count"), names, strict=True))
        assert isinstance(layer, _BatchNorm)
        self._layer(op, "normalization", 3, **told, momentum=layer.momentum, epsilon=layer.eps)

    def _layer(self, op: Op, kind: Kind, place: int = 1, **settings: Any) -> None:
        weight, bias = self._parameter(op, place, "weight"), self._parameter(op, place + 1, "bias")
        self._add(op, kind, weight=weight, bias=bias, **settings)

    def pooling(self, op: Op) -> None:
        kernel = self._pair(op, 1, "kernel_size", 1)
        stride, padding = (
            self._pair(op, 2, "stride", 1, op.argument(2, "stride") or kernel),
            self._pair(op, 3, "padding", 0),
        )
        if "max" in op.name:
            plain = all(step == 1 for step in self._pair(op, 4, "dilation", 1)) and not op.argument(6, "return_indices")
        else:
            counts = any(padding) and op.argument(5, "count_include_pad") is False
            plain = not op.argument(4, "ceil_mode") and not counts and not op.argument(6, "divisor_override")
        _require(plain, "windows with holes or of different weights")
        self._add(op, _pooling(op), kernel=kernel, stride=stride, padding=padding)

    def adaptive(self, op: Op) -> None:
        self._whole(op, _shape_of(self.tape.values[op.results[0]]))

    def mean(self, op: Op) -> None:
        value, dim = self._value(op), op.argument(1, "dim")
        axes = [axis % value.ndim for axis in (dim if isinstance(dim, list | tuple) else [dim]) if axis is not None]
        _require(value.ndim > 2 and sorted(axes) == [*range(2, value.ndim)], "not over all places")
        self._whole(op, Shape(0))

    def _whole(self, op: Op, after: Shape) -> None:
        before = _shape_of(self._value(op))
        even = before.height % after.height == 0 and before.width % after.width == 0
        _require(even, "windows of different sizes")
        kernel = before.height // after.height, before.width // after.width
        self._add(op, _pooling(op), kernel=kernel, stride=kernel)

    def sum(self, op: Op) -> None:
        values = [self.tape.values[number] for number in (*op.refs, *op.results)]
        two = len(op.refs) == len({*op.refs}) == 2 and isinstance(op.argument(1, "other"), Ref)
        plain = two and len({value.shape for value in values}) == 1 and op.argument(2, "alpha") in (None, 1)
        _require(plain, "not of two different signals of one shape")
        self._add(op, "sum")

    def bend(self, op: Op) -> None:
        [value], name = op.refs, op.name.strip("_")
        number = self.numbers[value]
        made = next((place for place, part in enumerate(self.parts) if part.y == number), None)
        alone = len(self.readers[value]) == 1 and value != self.tape.result
        takes = made is not None and self.parts[made].kind in get_args(Activated)
        if made is not None and takes and alone and self.parts[made].activation == "identity":
            self.parts[made] = replace(self.parts[made], activation=name)
            self.numbers[op.results[0]] = number
        else:
            self._add(op, "sum", activation=name)

    def other_bend(self, op: Op) -> None:
        name, slope = op.name.strip("_"), op.argument(1, "negative_slope")
        if name == "gelu" and op.argument(1, "approximate") == "tanh":
            name = "gelu_tanh"
        self._add(op, "bend", bend=name, negative=(0.01 if slope is None else slope) if name == "leaky_relu" else 0.0)

    def reshape(self, op: Op) -> None:
        """Nothing, or another shape."""
        before, after = self._value(op), self.tape.values[op.results[0]]
        rows = len(before) == len(after) and torch.equal(before.flatten(1), after.flatten(1))
        _require(rows, "the axis of examples does not stay")
        self._new(op.results[0], self.signals[self.numbers[op.refs[0]]].same)

    def dropout(self, op: Op) -> None:
        share = op.argument(1, "p")
        share = 0.5 if share is None else share
        _require(share < 1, "drops all")
        if share:
            self._add(op, "dropout", probability=share)
        else:
            self.reshape(op)

    def concatenation(self, op: Op) -> None:
        refs, axis = op.refs, op.argument(1, "dim")
        ndim = self._value(op).ndim
        plain = len({*refs}) == len(refs) == len(op.args[0]) and ndim < 5 and axis in (1, 1 - ndim)
        _require(plain, "not of different signals, channel behind channel")
        number, shape = self.numbers[refs[0]], self.signals[self.numbers[refs[0]]].shape
        for ref in refs[1:]:
            other = self.numbers[ref]
            shape = shape._replace(channels=shape.channels + self.signals[other].shape.channels)
            pair, number = (number, other), len(self.signals)
            self.signals.append(Signal(shape, number))
            self.parts.append(Part("concatenation", op.module, pair, number))
        self.numbers[op.results[0]] = number

    def layer_norm(self, op: Op) -> None:
        _require([*op.args[1]] == [*self._value(op).shape[1:]], "not over all numbers of an example")
        epsilon = op.argument(4, "eps")
        self._layer(op, "layer_norm", 2, epsilon=1e-5 if epsilon is None else epsilon)

    # What they have in common.

    def _value(self, op: Op) -> Tensor:
        return self.tape.values[op.refs[0]]

    def _pair(self, op: Op, place: int, name: str, fill: int, given: Any = None) -> Pair:
        """An argument for height and width; ``fill`` where it is not given, and for the height of 1-D signals."""
        given = op.argument(place, name) if given is None else given
        return _pair(fill if given is None else given, fill if self._value(op).ndim == 3 else None)

    def _parameter(self, op: Op, place: int, name: str) -> str | None:
        given = op.argument(place, name)
        if given is None:
            return None
        found = self.parameters.get(id(given), "")
        own = found and found not in self.used and given.requires_grad and given.dtype == torch.float32
        _require(bool(own), f"its {name} is computed, not trained, used twice or not float32")
        self.used.add(found)
        return found

    def _new(self, value: int, same: int | None = None) -> int:
        number = self.numbers[value] = len(self.signals)
        self.signals.append(Signal(_shape_of(self.tape.values[value]), number if same is None else same))
        return number

    def _add(self, op: Op, kind: Kind, **settings: Any) -> None:
        x = tuple(self.numbers[number] for number in op.refs)
        self.parts.append(Part(kind, op.module, x, self._new(op.results[0]), **settings))


_KNOWN: Mapping[str, Callable[[_Writer, Op], None]] = {
    **dict.fromkeys(("conv1d", "conv2d"), _Writer.convolution),
    "linear": _Writer.linear,
    "batch_norm": _Writer.normalization,
    **dict.fromkeys(("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"), _Writer.pooling),
    **{f"adaptive_{kind}_pool{axes}d": _Writer.adaptive for kind in ("max", "avg") for axes in (1, 2)},
    "mean": _Writer.mean,
    **dict.fromkeys(("add", "iadd"), _Writer.sum),
    **dict.fromkeys(("relu", "tanh"), _Writer.bend),
    **dict.fromkeys(("leaky_relu", "gelu", "silu", "sigmoid"), _Writer.other_bend),
    **dict.fromkeys(
        ("flatten", "unflatten", "view", "reshape", "squeeze", "unsqueeze", "contiguous", "clone"), _Writer.reshape
    ),
    "dropout": _Writer.dropout,
    **dict.fromkeys(("cat", "concat", "concatenate"), _Writer.concatenation),
    "layer_norm": _Writer.layer_norm,
}


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise InputError(why)


def _pooling(op: Op) -> Kind:
    return "maximum" if "max" in op.name else "average"


def _pair(given: Any, height: int | None = None) -> Pair:
    """Of one number twice, or of one for each axis; ``height`` stands for the missing axis of 1-D signals."""
    sides = list(given) if isinstance(given, list | tuple) else [given] * (1 if height is not None else 2)
    return (1 if height is None else height, sides[0]) if len(sides) == 1 else (sides[0], sides[1])


def _shape_of(value: Tensor) -> Shape:
    """``[n, channels]``, ``[n, channels, width]`` or ``[n, channels, height, width]``; an input may be of any shape."""
    sides = [*value.shape[1:]]
    return (
        Shape(sides[0], 1, sides[1])
        if len(sides) == 2
        else Shape(*(sides if 0 < len(sides) < 4 else [value[0].numel()]))
    )
