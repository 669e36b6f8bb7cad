"""A layer as a forward uses it, and the signals in which its units act."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from karikomi.networks.detection import Kind


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
        shifts: parameters of several axes that the signal is scaled or shifted by, such as positions: the name, and the
            units in a shape that broadcasts to the parameter's.
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
    shifts: tuple[tuple[str, Tensor], ...] = ()
