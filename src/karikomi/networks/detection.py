"""Which operations of a forward are layers, with how many units of what kind, and what they are called."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from karikomi.networks.nested import Ref
from karikomi.networks.tape import Op, Tape

Kind = Literal["neurons", "channels", "heads", "recurrent", "embedding"]

CONVOLUTIONS = {f"conv{n}d" for n in (1, 2, 3)}
TRANSPOSED = {f"conv_transpose{n}d" for n in (1, 2, 3)}
PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
CELLS = {"lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
WITH_PROJECTIONS = "multi_head_attention"
ATTENTION = {"scaled_dot_product_attention", WITH_PROJECTIONS}


class Found(NamedTuple):
    """An operation that is a layer's, with the labels of its results."""

    key: tuple[Any, ...]
    kind: Kind
    units: int
    place: int
    origin: str
    labels: Mapping[int, Tensor]
    recurrent: tuple[int, int] | None = None


def layers_on(tape: Tape) -> list[Found]:
    """The operations that are layers, in order."""
    softmaxed, found = set[int](), list[Found]()
    for place, op in enumerate(tape.ops):
        goes_on = op.refs and op.refs[0] in softmaxed and op.name not in {*PRODUCTS, "einsum"}
        if op.name == "softmax" or goes_on:
            softmaxed |= set(op.results)
        found += _layers_of(tape, place, softmaxed)
    return found


def _layers_of(tape: Tape, place: int, softmaxed: set[int]) -> Iterator[Found]:
    op = tape.ops[place]
    if not op.results:
        return
    result = tape.values[op.results[0]]
    if op.name in ATTENTION or _attends(op, softmaxed):
        axis, units = _heads(op, result)
        labels = _along(result, axis, units)
        yield Found(("heads", place), "heads", units, place, "", {op.results[0]: labels})
        return
    if op.name in RECURRENT:
        yield from _recurrent(tape, place)
        return
    weight, kind, axis = weight_of(op)
    origin = tape.origin(weight)
    # A constant matrix, such as the adjacency of a graph, has no units.
    if not origin or axis is None or (op.name in PRODUCTS and origin in tape.buffers):
        return
    units = result.shape[axis]
    key = (op.name, origin, tuple(weight.shape), weight.is_leaf and id(weight))
    yield Found(key, kind, units, place, origin, {op.results[0]: _along(result, axis, units)})


def _attends(op: Op, softmaxed: set[int]) -> bool:
    return op.name in {*PRODUCTS, "einsum"} and len(op.refs) == 2 and bool(softmaxed & set(op.refs))


def _heads(op: Op, result: Tensor) -> tuple[int, int]:
    """The axis of heads, and how many there are."""
    if op.name == WITH_PROJECTIONS:
        return result.ndim - 1, op.args[4]
    if op.name == "einsum":
        equation = op.args[0].replace(" ", "")
        (one, other), out = equation.split("->")[0].split(","), equation.split("->")[1]
        common = [axis for axis, letter in enumerate(out) if letter in one and letter in other]
        if len(common) > 1:
            return common[-1], result.shape[common[-1]]
        return 0, max(1, result.shape[0] // 3)
    if result.ndim >= 4:
        return result.ndim - 3, result.shape[-3]
    return 0, max(1, result.shape[0] // 3)


def _recurrent(tape: Tape, place: int) -> Iterator[Found]:
    op = tape.ops[place]
    packed = isinstance(op.args[3], list | tuple)
    params, numbers = (op.args[3], op.args[4:]) if packed else (op.args[2], op.args[3:])
    biases, layers, _, _, both = numbers[:5]
    origin = tape.origin(params[0])
    owner, per = origin.rpartition(".")[0], 4 if biases else 2
    hidden, ways = params[1].shape[1], 2 if both else 1
    if len(params) != per * layers * ways:
        return  # projections
    output = tape.values[op.results[0]]
    for layer in range(layers):
        for way in range(ways):
            labels = torch.full(output.shape, -1)
            if layer == layers - 1:
                labels[..., way * hidden : (way + 1) * hidden] = torch.arange(hidden)
            name = owner if layers * ways == 1 else f"{owner}.l{layer}" + ("_reverse" if way else "")
            key = ("recurrent", name.removeprefix("."), id(params[0]))
            yield Found(key, "recurrent", hidden, place, origin, {op.results[0]: labels}, (layer, way))


def _along(result: Tensor, axis: int, units: int) -> Tensor:
    """Labels of ``units`` along an axis, on which each has as many places in a row, or examples come first."""
    axis %= result.ndim
    length = result.shape[axis]
    labels = torch.arange(length) // (length // units) if axis else torch.arange(length) % units
    return labels.view(-1, *[1] * (result.ndim - axis - 1)).expand(result.shape)


def weight_of(op: Op) -> tuple[Any, Kind, int | None]:
    """The weight of a layer's operation, what its units are, and their axis; None for the axis where it is no layer."""
    nothing = (None, "neurons", None)
    if op.name in ("linear", "bilinear"):
        weight = op.argument(1 if op.name == "linear" else 2, "weight")
        return nothing if isinstance(weight, Ref) else (weight, "neurons", -1)
    if op.name in CONVOLUTIONS | TRANSPOSED:
        weight = op.argument(1, "weight")
        return nothing if isinstance(weight, Ref) else (weight, "channels", 1 - weight.ndim)
    if op.name == "embedding":
        return op.argument(1, "weight"), "embedding", -1
    if op.name in CELLS:
        return op.args[3], "recurrent", -1
    if op.name in PRODUCTS:
        operands = op.args[1:] if op.name in ("addmm", "baddbmm") else op.args
        if op.name == "__rmatmul__":
            operands = operands[::-1]
        if len(operands) < 2 or isinstance(operands[0], Ref) == isinstance(operands[1], Ref):
            return nothing
        right = isinstance(operands[0], Ref)
        weight = operands[1] if right else operands[0]
        return nothing if weight.ndim < 2 else (weight, "neurons", -1 if right else -2)
    return nothing


def names_of(firsts: Mapping[tuple[Any, ...], Found], tape: Tape) -> dict[tuple[Any, ...], str]:
    """A name for every layer: its submodule's, or where a submodule has several, its parameter's."""
    names, taken = {}, set[str]()
    for key, one in firsts.items():
        if one.kind == "heads":
            choices = [tape.ops[one.place].module, "attention"]
        elif one.key[0] == "recurrent":
            choices = [one.key[1] or "recurrent"]
        else:
            owner = one.origin.partition(".parametrizations.")[0]
            owner = owner if owner != one.origin else one.origin.rpartition(".")[0]
            choices = [owner, tape.ops[one.place].module, one.origin]
        name = next((choice for choice in choices if choice and choice not in taken), "")
        number = 2
        while not name:
            other = f"{choices[0] or choices[-1]}:{number}"
            name, number = (other if other not in taken else ""), number + 1
        names[key] = name
        taken.add(name)
    return names
