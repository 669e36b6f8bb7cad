"""Which layers' units are in what each layer reads: followed through sums, where a site (:mod:`anatomy`) ends.

A stream is a signal into which several layers write, such as the one beside the blocks of a residual network. At any
place of it are the units of all of them, and who reads the place reads them all.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy, Part
from karikomi.networks.detection import CONVOLUTIONS, PRODUCTS, TRANSPOSED, weight_of
from karikomi.networks.layers import INPUTS
from karikomi.networks.regions import POOLING, reduced_axes, through
from karikomi.networks.tape import Op

SUMS = re.compile(r"(add|sub|subtract|rsub)_?|__[ri]?(add|sub)__")
SIDE_BY_SIDE = {"cat", "concat", "concatenate", "stack"}
NORMALIZING = {"layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm", "normalize"}
EMPTY = re.compile(r"(zeros|ones|full|empty|rand|randn)_like|new_(zeros|ones|full|empty|tensor)")

NO_WEIGHTS: Mapping[str, str] = {
    "heads": "has no fixed weights: attention weighs its signals anew for every example",
    "recurrent": "is recurrent: its links lead back, and a layered graph has none that do",
    "embedding": "reads no signal: its weights are looked up by number",
}

Stream = list[tuple[str, Tensor]] | str
"""Layers that have units in a value, each with their labels, as in :mod:`regions`; or why they are not known."""


class Reader(NamedTuple):
    """A weight that reads units of other layers.

    Attributes:
        weight: as the forward takes it.
        parameter: its name, or that of the parameter that it is computed from.
        columns: by layer pairs of a column of the weight (an input channel of a convolution) and the unit that is in
            what it takes, int64 ``[2, pairs]``.
        op: what is done with it.
    """

    weight: Tensor
    parameter: str
    columns: Mapping[str, Tensor]
    op: Op

    @property
    def groups(self) -> int:
        """Those of a grouped convolution."""
        return (self.op.argument(6, "groups") or 1) if self.op.name in CONVOLUTIONS | TRANSPOSED else 1

    def oriented(self, array: np.ndarray) -> np.ndarray:
        """The weight, or a mask of its shape, as ``[out, in / groups, …]``."""
        if self.op.name in TRANSPOSED:  # [in, out / groups, …]
            apart = array.reshape(self.groups, -1, *array.shape[1:]).swapaxes(1, 2)
            return apart.reshape(-1, *apart.shape[2:])
        return array.T if self.op.name in PRODUCTS and weight_of(self.op)[2] == -1 else array


class Wiring(NamedTuple):
    """Layers with their numbers of units, the inputs first, the outputs last; and what reads them, by layer."""

    units: Mapping[str, int]
    readers: Mapping[str, Reader]


def wiring(anatomy: Anatomy) -> Wiring:
    """Who reads whom.

    A unit of the inputs is the smallest part of them that weights read as one: a number before linear layers, a
    channel before convolutions.

    Raises:
        InputError: for what has no fixed weights between units, or leads back.
    """
    parts = [*anatomy.parts, *anatomy.last]
    if not parts:
        raise InputError("graph: the model has no layers that lead to its outputs")
    for kind, reason in NO_WEIGHTS.items():
        for part in parts:
            if part.kind == kind:
                raise InputError(f"graph: {part.name} ({anatomy.tape.ops[part.calls[0]].name}) {reason}")
    labels = {found.place: found.labels for found in anatomy.found}
    starts: dict[int, Stream] = {
        number: [(part.name, some)] for part in parts for place in part.calls for number, some in labels[place].items()
    }
    units = dict[str, int]()
    for name, number in _inputs(anatomy).items():
        of_input = _input_units(anatomy, number, parts)
        starts[number], units[name] = [(name, of_input)], int(of_input.max()) + 1
    columns = _followed(anatomy, starts, parts)
    read = {name for sources in columns.values() for name in sources}
    units = {name: many for name, many in units.items() if name in read} | {part.name: part.units for part in parts}
    _refuse_ways_back(list(units), columns)
    readers = {}
    for part in parts:
        op = anatomy.tape.ops[part.calls[0]]
        readers[part.name] = Reader(weight_of(op)[0], part.weight, columns[part.name], op)
    return Wiring(units, readers)


def _inputs(anatomy: Anatomy) -> dict[str, int]:
    numbers = anatomy.tape.inputs
    return {INPUTS if len(numbers) == 1 else f"{INPUTS}.{k}": number for k, number in enumerate(numbers)}


def _refuse_ways_back(layers: list[str], columns: Mapping[str, Mapping[str, Tensor]]) -> None:
    for reader, sources in columns.items():
        for source in sources:
            if layers.index(source) >= layers.index(reader):
                raise InputError(
                    f"graph: {reader} is used more than once, and reads {source} behind itself; a layered graph has no"
                    " links that lead back"
                )


def _input_units(anatomy: Anatomy, number: int, parts: list[Part]) -> Tensor:
    """The finest labels of an input by which every column of a weight reads one unit, or a sum of single units."""
    shape = anatomy.tape.values[number].shape
    for labels in _divided(shape):
        try:
            _followed(anatomy, {number: [(INPUTS, labels)]}, parts, alone=True)
        except InputError:
            continue
        return labels
    return torch.zeros(shape, dtype=torch.int64)


def _divided(shape: torch.Size) -> Iterator[Tensor]:
    """Labels of an input: by number, or by place along an axis."""
    if len(shape) > 1:
        yield torch.arange(shape[1:].numel()).view(shape[1:]).expand(shape)
    for axis in range(1, len(shape)):
        yield torch.arange(shape[axis]).view(-1, *[1] * (len(shape) - axis - 1)).expand(shape)


def _followed(
    anatomy: Anatomy, starts: Mapping[int, Stream], parts: list[Part], alone: bool = False
) -> dict[str, dict[str, Tensor]]:
    """By reader and layer that it reads: columns and units, as in :class:`Reader`.

    Args:
        anatomy: the model.
        starts: the values in which units begin.
        parts: the layers that are readers.
        alone: whether a column may read no unit beside another.

    Raises:
        InputError: if one of them reads what cannot be followed, or may not be read.
    """
    tape, readers = anatomy.tape, {place: part.name for part in parts for place in part.calls}
    layers = {found.place for found in anatomy.found}
    streams: dict[int, Stream] = {number: starts.get(number, []) for number in tape.inputs}
    columns: dict[str, dict[str, Tensor]] = {part.name: {} for part in parts}
    for place, op in enumerate(tape.ops):
        if place in readers:
            mine = columns[readers[place]]
            for name, some in _read(op, readers[place], streams):
                if alone and len(some[0].unique()) < some.shape[1]:
                    raise InputError(f"graph: {readers[place]} reads several units by one column")
                mine[name] = torch.cat([mine.get(name, some), some], dim=1).unique(dim=1)
            results: list[Stream] = [starts.get(number, []) for number in op.results]
        elif place in layers:
            why = anatomy.left_out.get(op.module, "it has no units of its own")
            results = [f"graph: {op.module or op.name} is left out: {why}" for _ in op.results]
        else:
            try:
                results = _passed(op, streams, tape.values)
            except InputError as problem:  # which matters if a layer reads it
                results = [str(problem) for _ in op.results]
        streams |= dict(zip(op.results, results, strict=True))
    return columns


def _read(op: Op, name: str, streams: Mapping[int, Stream]) -> Iterator[tuple[str, Tensor]]:
    """Layers that have units in what the operation of a layer takes, each with columns and units."""
    weight, _, axis = weight_of(op)
    if len(op.refs) > 1 or weight.ndim < 2 or (op.name in PRODUCTS and weight.ndim > 2) or axis is None:
        raise InputError(f"graph: {name} ({op.name}) is no single weight that reads a single signal")
    yield from ((source, _pairs(labels, axis)) for source, labels in _known(streams[op.refs[0]]))


def _pairs(labels: Tensor, axis: int) -> Tensor:
    """Places along an axis and the labels that are there, int64 ``[2, pairs]``, each pair once."""
    along = labels.movedim(axis, 0).reshape(labels.shape[axis], -1)
    places, low, high = torch.arange(len(along)), along.amin(1), along.amax(1)
    if torch.equal(low, high):
        pairs = torch.stack([places, low])
    else:
        many = int(high.max()) + 2
        codes = (places[:, None] * many + along + 1).unique()
        pairs = torch.stack([codes // many, codes % many - 1])
    return pairs[:, pairs[1] >= 0]


def _known(stream: Stream) -> list[tuple[str, Tensor]]:
    if isinstance(stream, str):
        raise InputError(stream)
    return stream


def _passed(op: Op, streams: Mapping[int, Stream], values: list[Tensor]) -> list[Stream]:
    """The streams in what an operation gives that is no layer.

    Raises:
        InputError: if it does more than to sum units, or to leave them where they are.
    """
    if EMPTY.fullmatch(op.name):
        return [[] for _ in op.results]
    given = {number: _known(streams[number]) for number in op.refs}
    several = [(number, *one) for number, stream in given.items() for one in stream]
    if SUMS.fullmatch(op.name):
        passed = [(name, [[labels.expand(values[op.results[0]].shape)]]) for _, name, labels in several]
    elif op.name in NORMALIZING and len(given) == 1:
        passed = [(name, [[labels]]) for _, name, labels in several]
    elif op.name in SIDE_BY_SIDE:
        passed = [(name, _through(op, {number: labels}, values)) for number, name, labels in several]
    elif len({tuple(name for name, _ in stream) for stream in given.values()}) == 1:
        rows = [(row[0][0], [labels for _, labels in row]) for row in zip(*given.values(), strict=True)]
        passed = [(name, _through(op, dict(zip(given, row, strict=True)), values)) for name, row in rows]
    else:
        passed = [("", list[list[Tensor]]())]
    if not all(ways for _, ways in passed):
        names = list(dict.fromkeys(name for _, name, _ in several))
        few = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        where = f" in {op.module}" if op.module else ""
        raise InputError(f"graph: {op.name}{where} mixes the signals of {few} without fixed weights")
    return [_distinct([(name, some[k]) for name, ways in passed for some in ways]) for k in range(len(op.results))]


def _through(op: Op, labels: Mapping[int, Tensor], values: list[Tensor]) -> list[list[Tensor]]:
    """Labels of an operation's results; several, one for each, where it sums over units; none, where it mixes them."""
    found = through(op, labels, values.__getitem__)
    if found is not None:
        return [found]
    [number, *others] = labels
    mine = labels[number]
    if op.name in ("mean", "sum") and not others:
        axes = reduced_axes(op, mine)
        shape = [mine.shape[axis] for axis in axes]
        rows = mine.movedim(axes, tuple(range(len(axes)))).reshape(math.prod(shape), -1).unique(dim=0)
        return [[row.view(values[op.results[0]].shape)] for row in rows]
    padded = mine.amax(tuple(range(2, mine.ndim)), keepdim=True).expand_as(mine)
    if POOLING.fullmatch(op.name) and bool(((mine < 0) | (mine == padded)).all()):
        return [found for found in [through(op, {number: padded}, values.__getitem__)] if found is not None]
    return []


def _distinct(stream: list[tuple[str, Tensor]]) -> Stream:
    """A stream in which what is added to itself is there once."""
    kept = list[tuple[str, Tensor]]()
    for name, labels in stream:
        if not any(name == other and torch.equal(labels, there) for other, there in kept):
            kept.append((name, labels))
    return kept
