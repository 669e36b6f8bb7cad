"""Who reads whom: the units of each layer, and the weights that read them, in any model that fixed weights join."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS, PRODUCTS, TRANSPOSED, weight_of
from karikomi.networks.layers import INPUTS
from karikomi.networks.parts import Part
from karikomi.networks.streams import read, streams
from karikomi.networks.tape import Op

NO_WEIGHTS: Mapping[str, str] = {
    "heads": "has no fixed weights: attention weighs its signals anew for every example",
    "recurrent": "is recurrent: its links lead back, and a layered graph has none that do",
    "embedding": "reads no signal: its weights are looked up by number",
}


class Reader(NamedTuple):
    """A weight that reads units of other layers.

    Attributes:
        weight: as the forward takes it.
        parameter: its name, or that of the parameter that it is computed from.
        columns: by layer pairs of a column of the weight (an input channel of a convolution) and a unit that is in
            what it takes, int64 ``[2, pairs]``.
        op: what is done with it.
    """

    weight: Tensor
    parameter: str
    columns: Mapping[str, np.ndarray]
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
    """Layers with their numbers of units, the inputs first, the outputs last; and by layer what reads others."""

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
    _refuse_kinds(anatomy, parts)
    inputs = {
        name: (number, _input_units(anatomy, number, parts))
        for name, number in zip(_names_of_inputs(anatomy), anatomy.tape.inputs, strict=True)
    }
    units = {name: int(labels.max()) + 1 for name, (_, labels) in inputs.items()} | {p.name: p.units for p in parts}
    firsts = dict(zip(units, np.cumsum([0, *units.values()]).tolist(), strict=False))
    starts = {number: _numbered(labels, firsts[name]) for name, (number, labels) in inputs.items()}
    begins = {found.place: found.labels for found in anatomy.found}
    for part in parts:
        for number, labels in (some for place in part.calls for some in begins[place].items()):
            starts[number] = _numbered(labels, firsts[part.name])
    known, ops = streams(anatomy, starts, firsts), anatomy.tape.ops
    readers = {}
    for part in parts:
        pairs = torch.cat([some for place in part.calls for some in read(ops[place], part.name, known)], dim=1)
        columns = _by_layer(pairs.unique(dim=1).numpy(), firsts)
        _refuse_ways_back(part.name, columns, list(units))
        op = ops[part.calls[0]]
        readers[part.name] = Reader(weight_of(op)[0], part.weight, columns, op)
    unread = inputs.keys() - {name for reader in readers.values() for name in reader.columns}
    return Wiring({name: many for name, many in units.items() if name not in unread}, readers)


def _names_of_inputs(anatomy: Anatomy) -> list[str]:
    many = len(anatomy.tape.inputs)
    return [INPUTS] if many == 1 else [f"{INPUTS}.{k}" for k in range(many)]


def _refuse_kinds(anatomy: Anatomy, parts: list[Part]) -> None:
    """Raise an InputError for the first layer that has no place in a graph."""
    ops, kept = anatomy.tape.ops, {place for part in parts for place in part.calls}
    for kind, reason in NO_WEIGHTS.items():
        for part in parts:
            if part.kind == kind:
                raise InputError(f"graph: {part.name} ({ops[part.calls[0]].name}) {reason}")
    for place in {found.place for found in anatomy.found} - kept:
        if anatomy.tape.result in anatomy.behind(place)[1]:
            why = anatomy.left_out.get(ops[place].module, "it has no units of its own")
            raise InputError(f"graph: {ops[place].module or ops[place].name} is left out: {why}")
    if not parts:
        raise InputError("graph: the model has no layers that lead to its outputs")


def _refuse_ways_back(name: str, columns: Mapping[str, np.ndarray], layers: list[str]) -> None:
    for source in columns:
        if layers.index(source) >= layers.index(name):
            raise InputError(
                f"graph: {name} is used more than once, and reads {source} behind itself; a layered graph has no links"
                " that lead back"
            )


def _numbered(labels: Tensor, first: int) -> Tensor:
    """Labels from ``first`` on; what is only spread over places stays so, without memory of its own."""
    narrow = labels[tuple(slice(None) if step else slice(1) for step in labels.stride())]
    return (narrow + first).expand_as(labels)


def _by_layer(pairs: np.ndarray, firsts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Pairs of a column and a unit, numbered through all layers, by layer, and there from 0 on."""
    names, starts = list(firsts), np.array(list(firsts.values()))
    layer = np.searchsorted(starts, pairs[1], side="right") - 1
    return {names[k]: pairs[:, layer == k] - np.array([[0], [starts[k]]]) for k in np.unique(layer).tolist()}


def _input_units(anatomy: Anatomy, number: int, parts: list[Part]) -> Tensor:
    """The finest labels of an input by which every column of a weight reads one unit, or a sum of single units."""
    shape = anatomy.tape.values[number].shape
    for labels in _divided(shape):
        known = streams(anatomy, {number: labels}, {INPUTS: 0})
        try:
            taken = [
                pairs for part in parts for place in part.calls for pairs in read(anatomy.tape.ops[place], "", known)
            ]
        except InputError:
            continue
        if all(len(pairs[0].unique()) == pairs.shape[1] for pairs in taken):
            return labels
    return torch.zeros(shape, dtype=torch.int64)


def _divided(shape: torch.Size) -> Iterator[Tensor]:
    """Labels of an input: by number, or by place along an axis."""
    if len(shape) > 1:
        yield torch.arange(shape[1:].numel()).view(shape[1:]).expand(shape)
    for axis in range(1, len(shape)):
        yield torch.arange(shape[axis]).view(-1, *[1] * (len(shape) - axis - 1)).expand(shape)
