"""What the units of any model are: its layers, where their units act, who reads them, which layers are outputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from karikomi.networks.regions import NONLINEAR, RESHAPING, through
from karikomi.networks.tape import READ_OUT, Op, Ref, Tape

Kind = Literal["neurons", "channels", "heads", "recurrent", "embedding"]

CONVOLUTIONS = {f"conv{n}d" for n in (1, 2, 3)}
TRANSPOSED = {f"conv_transpose{n}d" for n in (1, 2, 3)}
PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
CELLS = {"lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
WITH_PROJECTIONS = "multi_head_attention"
ATTENTION = {"scaled_dot_product_attention", WITH_PROJECTIONS}


class Site(NamedTuple):
    """A signal in which units act: the last one that leaves each of them to itself.

    Attributes:
        value: its number on the tape.
        readers: the operations, by their places on the tape, that take the units' signal from it.
        axis: that of the units.
        units: for every place along the axis the unit, int64; -1 for none. Where examples share the axis, those of one
            example.
        examples: the axis of examples; -1 if it has none.
        merged: how many numbers in a row of that axis are one example's.
    """

    value: int
    readers: frozenset[int]
    axis: int
    units: Tensor
    examples: int
    merged: int


@dataclass(frozen=True)
class Part:
    """A layer as the forward uses it.

    Attributes:
        name: that of the submodule, or of the parameter, that it belongs to.
        kind: what its units are.
        units: how many.
        calls: the operations that it is, by their places on the tape.
        weight: the name of the parameter that its weight is, or is computed from; "" for heads.
        sites: where its units act.
        bends: where its units enter the non-linearity; a site, where there is none.
        owned: parameters with a number for each unit: bias, scale and shift of a normalization.
        recurrent: the number of the stacked layer and of the direction in a recurrent operation.
    """

    name: str
    kind: Kind
    units: int
    calls: tuple[int, ...]
    weight: str
    sites: tuple[Site, ...]
    bends: tuple[Site, ...]
    owned: tuple[str, ...] = ()
    recurrent: tuple[int, int] | None = None


class Found(NamedTuple):
    """An operation that is a layer's, with the labels of its results."""

    key: tuple[Any, ...]
    kind: Kind
    units: int
    place: int
    origin: str
    labels: Mapping[int, Tensor]
    recurrent: tuple[int, int] | None = None


class Anatomy:
    """Layers and sites of a model, from its forward on three examples and on two of them."""

    def __init__(self, three: Tape, two: Tape, by_name: bool = False) -> None:
        self.tape, self.two, self.by_name = three, two, by_name

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """By value the operations that take it."""
        taken: dict[int, list[int]] = {}
        for place, op in enumerate(self.tape.ops):
            for number in set(op.refs):
                taken.setdefault(number, []).append(place)
        return taken

    @cached_property
    def found(self) -> list[Found]:
        """The operations that are layers, in order."""
        softmaxed = set[int]()
        found = list[Found]()
        for place, op in enumerate(self.tape.ops):
            if op.name == "softmax" or (
                op.refs and op.refs[0] in softmaxed and op.name not in PRODUCTS and op.name != "einsum"
            ):
                softmaxed |= set(op.results)
            found += self._layers_of(place, op, softmaxed)
        return found

    @cached_property
    def parts(self) -> list[Part]:
        """All layers, those that are outputs or have no units that can be removed left out."""
        return [part for part in self._named.values() if part.name not in {*self.outputs, *self.left_out}]

    @property
    def outputs(self) -> list[str]:
        """The names of ``last``."""
        return [part.name for part in self.last]

    @cached_property
    def last(self) -> list[Part]:
        """The layers whose signal leads to the outputs and to no other layer."""
        return [
            part
            for part in self._named.values()
            if not any(self._next_layers(place) for place in part.calls)
            and any(self.tape.result in self.behind(place)[1] for place in part.calls)
        ]

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Layers whose units cannot be removed, with the reason."""
        reasons = {}
        for part in self._named.values():
            behind = [self.behind(place) for place in part.calls]
            reads = [op for places, _ in behind for p in places if (op := self.tape.ops[p]).name in READ_OUT]
            if part.name in self.outputs:
                continue
            if part.kind in ("neurons", "channels") and self._only_attended(part):
                reasons[part.name] = "a projection of attention, whose units are the heads"
            elif not any(self.tape.result in values for _, values in behind):
                reasons[part.name] = "it does not lead to the outputs"
            elif reads:
                reasons[part.name] = f"the forward reads its signal into Python ({reads[0].name})"
        return reasons

    def behind(self, *places: int) -> tuple[list[int], set[int]]:
        """The operations that depend on these ones, in order, and the values that do, their own results included."""
        values = {number for place in places for number in self.tape.ops[place].results}
        later, dependent = self.dependent(dict.fromkeys(values))
        return later, values | dependent

    def dependent(self, first: Mapping[int, frozenset[int] | None]) -> tuple[list[int], set[int]]:
        """The operations that depend on the values ``first``, each taken by certain operations or by any (None).

        In order, with the values that they give.
        """
        values, places = set[int](), list[int]()
        for place, op in enumerate(self.tape.ops):
            if any(n in values or (n in first and ((by := first[n]) is None or place in by)) for n in op.refs):
                places.append(place)
                values |= set(op.results)
        return places, values

    @cached_property
    def _named(self) -> dict[tuple[Any, ...], Part]:
        calls: dict[tuple[Any, ...], list[Found]] = {}
        for one in self.found:
            calls.setdefault(one.key, []).append(one)
        names = _names({key: some[0] for key, some in calls.items()}, self.tape)
        return {key: self._part(names[key], some) for key, some in calls.items()}

    def _part(self, name: str, calls: Sequence[Found]) -> Part:
        sites, bends, owned = list[Site](), list[Site](), dict[str, None]()
        for one in calls:
            mine, its_bends, passed = self._sites(one)
            sites += mine
            bends += its_bends
            owned |= dict.fromkeys(self._numbers_of_units([self.tape.ops[one.place], *passed], one.units))
        first = calls[0]
        return Part(
            name,
            first.kind,
            first.units,
            tuple(one.place for one in calls),
            first.origin,
            tuple(sites),
            tuple(bends),
            tuple(owned),
            first.recurrent,
        )

    def _numbers_of_units(self, ops: Sequence[Op], units: int) -> Iterator[str]:
        """Parameters with a number for each unit."""
        for op in ops:
            for tensor in (*op.args, *op.kwargs.values()):
                if isinstance(tensor, nn.Parameter) and tensor.ndim == 1 and len(tensor) == units:
                    yield self.tape.origin(tensor)

    def _sites(self, found: Found) -> tuple[list[Site], list[Site], list[Op]]:
        """Where the units of one call act, what enters the non-linearity, and what the signal passes on the way."""
        ops, values = self.tape.ops, self.tape.values
        labels, outside, bend, passed = dict(found.labels), dict[int, set[int]](), None, list[Op]()
        for place in range(found.place + 1, len(ops)):
            op = ops[place]
            mine = [number for number in op.refs if number in labels]
            if not mine:
                continue
            given = None if self._is_layer(place) else through(op, labels, values.__getitem__)
            if given is None or not all(map(self._site, op.results, given)):
                for number in mine:
                    outside.setdefault(number, set()).add(place)
                continue
            if bend is None and NONLINEAR.fullmatch(op.name):
                bend = mine[0]
            labels |= dict(zip(op.results, given, strict=True))
            passed.append(op)
        if self.tape.result in labels:
            outside.setdefault(self.tape.result, set())
        roots = {self._before_reshaping(number, labels) for number in outside}
        if len(outside) > len(roots) == 1:  # one signal, read in several shapes
            [root] = roots
            outside = {root: set(self.readers[root])}
        sites = [self._site(number, labels[number], frozenset(readers)) for number, readers in outside.items()]
        sites = [site for site in sites if site is not None]
        before = self._site(bend, labels[bend]) if bend is not None else None
        return sites, [before] if before else sites[:1], passed

    def _before_reshaping(self, number: int, labels: Mapping[int, Tensor]) -> int:
        """The value that this one is, in another shape."""
        op = next((op for op in self.tape.ops if number in op.results), None)
        if op is None or not RESHAPING.fullmatch(op.name) or not op.refs or op.refs[0] not in labels:
            return number
        return self._before_reshaping(op.refs[0], labels)

    def _site(self, number: int, labels: Tensor, readers: frozenset[int] = frozenset()) -> Site | None:
        """None where the units have no single axis."""
        shape, two = labels.shape, self.two.values[number].shape
        varying = [axis for axis in range(labels.ndim) if (labels != labels.narrow(axis, 0, 1)).any()]
        if len(varying) > 1 or not labels.ndim:
            return None
        merged_axes = [axis for axis in range(labels.ndim) if shape[axis] != two[axis]]
        examples = merged_axes[0] if merged_axes else -1
        merged = shape[examples] // 3 if merged_axes else 1
        three = self.tape.values[number].narrow(examples, 0, 2 * merged) if merged_axes else None
        apart = three is not None and three.shape == two and torch.allclose(three, self.two.values[number], 1e-3, 1e-5)
        axis = varying[0] if varying else labels.ndim - 1
        units = labels.movedim(axis, 0).flatten(1)[:, 0] if labels.ndim > 1 else labels
        if axis == examples:
            if not apart or not torch.equal(units, units[:merged].repeat(3)):
                return None
            units = units[:merged]
        return Site(number, readers, axis, units.clone(), examples if apart else -1, merged)

    def _is_layer(self, place: int) -> bool:
        return place in self._places

    @cached_property
    def _places(self) -> set[int]:
        return {one.place for one in self.found}

    def _next_layers(self, place: int) -> set[int]:
        """The layers that an operation's results reach before any other."""
        values, reached = set(self.tape.ops[place].results), set[int]()
        for later in range(place + 1, len(self.tape.ops)):
            op = self.tape.ops[later]
            if values & set(op.refs):
                if self._is_layer(later):
                    reached.add(later)
                else:
                    values |= set(op.results)
        return reached

    def _only_attended(self, part: Part) -> bool:
        following = set[int]().union(*(self._next_layers(place) for place in part.calls))
        # nn.MultiheadAttention has its projections inside.
        ops = self.tape.ops
        heads = {one.place for one in self.found if one.kind == "heads" and ops[one.place].name != WITH_PROJECTIONS}
        return bool(following) and following <= heads

    def _layers_of(self, place: int, op: Op, softmaxed: set[int]) -> Iterator[Found]:
        if not op.results:
            return
        result = self.tape.values[op.results[0]]
        if op.name in ATTENTION or self._attends(op, softmaxed):
            axis, units = self._heads(op, result)
            labels = _along(result, axis, units)
            yield Found(("heads", place), "heads", units, place, "", {op.results[0]: labels})
            return
        if op.name in RECURRENT:
            yield from self._recurrent(place, op)
            return
        weight, kind, axis = _weight(op)
        origin = self.tape.origin(weight)
        if not origin or axis is None:
            return
        units = result.shape[axis]
        key = (op.name, origin, tuple(weight.shape), weight.is_leaf and id(weight))
        yield Found(key, kind, units, place, origin, {op.results[0]: _along(result, axis, units)})

    def _attends(self, op: Op, softmaxed: set[int]) -> bool:
        return op.name in {*PRODUCTS, "einsum"} and len(op.refs) == 2 and bool(softmaxed & set(op.refs))

    def _heads(self, op: Op, result: Tensor) -> tuple[int, int]:
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

    def _recurrent(self, place: int, op: Op) -> Iterator[Found]:
        packed = isinstance(op.args[3], list | tuple)
        params, numbers = (op.args[3], op.args[4:]) if packed else (op.args[2], op.args[3:])
        biases, layers, _, _, both = numbers[:5]
        origin = self.tape.origin(params[0])
        owner, per = origin.rpartition(".")[0], 4 if biases else 2
        hidden, ways = params[1].shape[1], 2 if both else 1
        if len(params) != per * layers * ways:
            return  # projections
        output = self.tape.values[op.results[0]]
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


def _weight(op: Op) -> tuple[Any, Kind, int | None]:
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


def _names(firsts: Mapping[tuple[Any, ...], Found], tape: Tape) -> dict[tuple[Any, ...], str]:
    """A name for every layer: its submodule's, or where a submodule has several, its parameter's."""
    names, taken = {}, set[str]()
    for key, one in firsts.items():
        if one.kind == "heads":
            choices = [tape.ops[one.place].module, "attention"]
        elif one.key[0] == "recurrent":
            choices = [one.key[1]]
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
