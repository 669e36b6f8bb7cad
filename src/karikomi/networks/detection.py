"""Which operations of a forward are layers, with how many units of what kind, and what they are called."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from karikomi.networks.nested import Ref, leaves
from karikomi.networks.tape import Op, Tape

Kind = Literal["neurons", "channels", "heads", "recurrent", "embedding"]

CONVOLUTIONS = {f"conv{n}d" for n in (1, 2, 3)}
TRANSPOSED = {f"conv_transpose{n}d" for n in (1, 2, 3)}
PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm"}
MIXING = {*PRODUCTS, "einsum"}
LOOKED_UP = {"embedding", "embedding_bag"}
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


class Contraction(NamedTuple):
    """An ``einsum`` of a signal and a matrix.

    Attributes:
        weight: the matrix.
        rows: its axis of units.
        summed: the axis of the signal that it sums over.
        axis: that of the units in the result, from its end.
    """

    weight: Any
    rows: int
    summed: int
    axis: int


def layers_on(tape: Tape, two: Tape) -> list[Found]:
    """The operations that are layers, in order, from a forward on three examples and the same on two of them."""
    untouched, softmaxed, found = given(tape), set[int](), list[Found]()
    scored, scores = dict[int, int](), set[int]()  # products with computed queries or keys, by value what they lead to
    for place, op in enumerate(tape.ops):
        goes_on = op.refs and op.refs[0] in softmaxed and op.name not in MIXING
        if (op.name == "softmax" and op.refs[0] not in untouched) or goes_on:
            softmaxed |= set(op.results)
        here = [*_layers_of(tape, two, place, softmaxed)]
        found += here
        if op.name not in MIXING and not here:
            scored |= {result: scored[number] for number in op.refs if number in scored for result in op.results}
        elif op.name in MIXING and here and here[0].kind == "heads":
            scores |= {scored[number] for number in op.refs if number in softmaxed and number in scored}
        elif op.name in MIXING and here and not isinstance(weight_of(op)[0], nn.Parameter):
            scored |= dict.fromkeys(op.results, place)
    return [one for one in found if one.place not in scores]


def given(tape: Tape) -> set[int]:
    """Values that are computed from the inputs without parameters, such as an adjacency."""
    values, parameters = set(tape.inputs), {*tape.origins.values()} - tape.buffers
    for op in tape.ops:
        touched = any(tape.origin(leaf) in parameters for leaf in leaves((op.args, op.kwargs)))
        if not touched and values.issuperset(op.refs):
            values |= set(op.results)
    return values


def _layers_of(tape: Tape, two: Tape, place: int, softmaxed: set[int]) -> Iterator[Found]:
    op = tape.ops[place]
    if not op.results:
        return
    result = tape.values[op.results[0]]
    if op.name in ATTENTION or _attends(op, softmaxed):
        axis, units = _heads(op, result)
        labels = _along(result, axis, units)
        if axis == 0 and _heads_first(result, two.values[op.results[0]], units):
            labels = (torch.arange(len(result)) // 3).view(-1, *[1] * (result.ndim - 1)).expand(result.shape)
        yield Found(("heads", place), "heads", units, place, "", {op.results[0]: labels})
        return
    if op.name in RECURRENT:
        yield from _recurrent(tape, place)
        return
    weight, kind, axis = weight_of(op)
    origin = tape.origin(weight)
    # A constant matrix, such as the adjacency of a graph, has no units.
    if not origin or axis is None or (op.name in MIXING and origin in tape.buffers):
        return
    units = result.shape[axis]
    key = (op.name, origin, tuple(weight.shape), weight.is_leaf and id(weight))
    yield Found(key, kind, units, place, origin, {op.results[0]: _along(result, axis, units)})


def _attends(op: Op, softmaxed: set[int]) -> bool:
    return op.name in MIXING and len(op.refs) == 2 and bool(softmaxed & set(op.refs))


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


def _heads_first(three: Tensor, two: Tensor, heads: int) -> bool:
    """Whether on an axis of heads and examples all examples of a head follow one another."""
    if len(two) != 2 * heads or heads == 1:
        return False
    first, second = three.unflatten(0, (heads, 3))[:, :2], two.unflatten(0, (heads, 2))
    return first.shape == second.shape and torch.allclose(first, second, 1e-3, 1e-5)


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
    if op.name in LOOKED_UP:
        return op.argument(1, "weight"), "embedding", -1
    if op.name == "einsum":
        found = contraction(op)
        return nothing if found is None else (found.weight, "neurons", found.axis)
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


def subscripts(op: Op) -> tuple[list[tuple[Any, str]], str] | None:
    """Operands of an ``einsum`` with their letters, and those of the result; None where some are not written out."""
    equation = str(op.args[0]).replace(" ", "")
    operands = op.args[1] if len(op.args) == 2 and isinstance(op.args[1], list | tuple) else op.args[1:]
    operands = [op.args[1]] if isinstance(operands, Ref) else operands
    letters = equation.partition("->")[0].split(",")
    if "->" not in equation or "." in equation or len(letters) != len(operands):
        return None
    return list(zip(operands, letters, strict=True)), equation.partition("->")[2]


def contraction(op: Op) -> Contraction | None:
    """What an ``einsum`` of a signal and a matrix does; None for any other operation."""
    found = subscripts(op) if op.name == "einsum" and len(op.refs) == 1 else None
    if found is None or len(found[0]) != 2:
        return None
    [(_, signal)] = [one for one in found[0] if isinstance(one[0], Ref)]
    [(weight, own)] = [one for one in found[0] if not isinstance(one[0], Ref)]
    out, units = found[1], [letter for letter in own if letter not in signal]
    summed = [letter for letter in own if letter in signal and letter not in out]
    if len(own) != 2 or len(units) != 1 or len(summed) != 1 or units[0] not in out:
        return None
    return Contraction(weight, own.index(units[0]), signal.index(summed[0]), out.index(units[0]) - len(out))


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
