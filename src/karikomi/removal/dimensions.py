"""Which numbers of which parameters go together: the groups that can be taken out of any model as one.

Every row of a layer's weight has an id, which is sent through the forward. Signals that are added have one id at each
place; what is normalized together is fixed. A group is the rows, the numbers in normalizations and scales, and the
columns of the readers that have one id (Fang et al. 2023, DepGraph: Towards any structural pruning, arXiv 2301.12900).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS, TRANSPOSED, Found
from karikomi.networks.nested import Ref
from karikomi.networks.regions import ARITHMETIC, ELEMENTWISE, NONLINEAR, through
from karikomi.networks.tape import Op


class Slice(NamedTuple):
    """An axis of a parameter or buffer, and the id of each place along it."""

    name: str
    axis: int
    ids: Tensor


@dataclass
class Dimensions:
    """The groups of a model.

    Attributes:
        slices: all axes of parameters that have ids.
        rows: by the place of a layer's operation the ids of its units.
    """

    anatomy: Anatomy
    slices: list[Slice] = field(default_factory=list)
    rows: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parents, self.fixed = list[int](), set[int]()
        self.ids: dict[int, Tensor] = {}
        layers = {one.place: one for one in self.anatomy.found}
        for place, op in enumerate(self.anatomy.tape.ops):
            if place in layers:
                self._layer(op, layers[place])
            else:
                self._pass(op)
        if self.anatomy.tape.result in self.ids:
            self._fix(self.ids[self.anatomy.tape.result])
        for part in self.anatomy.parts:
            calls = [self.rows[place] for place in part.calls if place in self.rows]
            for other in calls[1:]:
                self._join(calls[0], other)

    def group(self, one: int) -> int:
        """The id that stands for a group."""
        while self.parents[one] != one:
            one = self.parents[one]
        return one

    def groups(self, ids: Tensor) -> list[int]:
        """The group at each place; -1 where there is none."""
        return [self.group(one) if one >= 0 else -1 for one in ids.tolist()]

    def _layer(self, op: Op, found: Found) -> None:
        weight = self._parameter(op, found)
        result = self.anatomy.tape.values[op.results[0]]
        read = [self.ids[number] for number in op.refs if number in self.ids]
        if weight is None:
            for ids in read:
                self._fix(ids)
            return
        name, tensor = weight
        rows, columns = (1, 0) if op.name in (*TRANSPOSED, "addmm", "matmul", "__matmul__", "mm") else (0, 1)
        if op.name == "embedding":
            rows, columns = 1, -1
        own = torch.arange(len(self.parents), len(self.parents) + found.units)
        self.parents += own.tolist()
        self.rows[found.place] = own
        self.slices.append(Slice(name, rows, own))
        for bias in _biases(op):
            self._along(bias, own)
        groups = op.argument(8 if op.name in TRANSPOSED else 6, "groups") if op.name in CONVOLUTIONS | TRANSPOSED else 1
        for ids in read:
            axis = ids.ndim - tensor.ndim + 1 if op.name in CONVOLUTIONS | TRANSPOSED else ids.ndim - 1
            along = _vector(ids, axis)
            if along is None:
                self._fix(ids)
            elif groups in (None, 1):
                self.slices.append(Slice(name, columns, along))
            elif groups == len(along) == found.units:
                self._join(own, along)
            else:
                self._fix(along)
                self._fix(own)
        labels = found.labels[op.results[0]]
        self.ids[op.results[0]] = own[labels].expand(result.shape)

    def _parameter(self, op: Op, found: Found) -> tuple[str, Tensor] | None:
        """Name and value of a layer's weight; None where it is not one parameter by itself."""
        if found.kind in ("heads", "recurrent"):
            return None
        own = [leaf for leaf in (*op.args, *op.kwargs.values()) if isinstance(leaf, Tensor) and leaf.ndim > 1]
        [weight, *_] = own
        name = self.anatomy.tape.origin(weight)
        return (name, weight) if isinstance(weight, torch.nn.Parameter) else None

    def _pass(self, op: Op) -> None:
        known = [number for number in op.refs if number in self.ids]
        if not known or not op.results:
            return
        results = [self.anatomy.tape.values[number] for number in op.results]
        elementwise = any(kind.fullmatch(op.name) for kind in (NONLINEAR, ELEMENTWISE, ARITHMETIC))
        if elementwise and len(results) == 1:
            self.ids[op.results[0]] = self._elementwise(op, known, results[0])
            return
        labels = {number: self.ids[number] for number in known}
        given = through(op, labels, self.anatomy.tape.values.__getitem__)
        if given is None or any(tensor.ndim for tensor in _constants(op)):
            for number in known:
                self._fix(self.ids[number])
        else:
            self.ids |= dict(zip(op.results, given, strict=True))

    def _elementwise(self, op: Op, known: list[int], result: Tensor) -> Tensor:
        spread = [self.ids[number].expand(result.shape) for number in known]
        axis = next((a for a in range(result.ndim) if _vector(spread[0], a) is not None), None)
        for other in spread[1:]:
            self._join(spread[0], other)
        for number in set(op.refs) - set(known):
            if axis is None or self.anatomy.tape.values[number].expand(result.shape).stride(axis):
                self._fix(spread[0])
        for tensor in _constants(op):
            if tensor.ndim == 0 or tensor.numel() == 1:
                continue
            if op.name == "batch_norm" or op.name == "prelu":
                axis = 1
            if axis is None or not self._along(tensor, _vector(spread[0], axis), op.name, axis, result.ndim):
                self._fix(spread[0])
        return spread[0]

    def _along(self, tensor: Any, ids: Tensor | None, how: str = "", axis: int = 0, ndim: int = 1) -> bool:
        """Note a parameter with a number for each id; False if it is another kind of tensor."""
        name = self.anatomy.tape.origin(tensor)
        if ids is None or not name:
            return False
        own = 0 if how in ("batch_norm", "prelu", "") else axis - (ndim - tensor.ndim)
        if own < 0 or tensor.shape[own] == 1:
            return True
        if tensor.shape[own] != len(ids):
            return False
        self.slices.append(Slice(name, own, ids))
        return True

    def _join(self, one: Tensor, other: Tensor) -> None:
        pairs = torch.stack([one.flatten(), other.flatten()]).unique(dim=1)
        for a, b in pairs.T.tolist():
            if a < 0 or b < 0:
                self.fixed.add(max(a, b)) if max(a, b) >= 0 else None
            else:
                self.parents[self.group(a)] = self.group(b)

    def _fix(self, ids: Tensor) -> None:
        self.fixed |= {one for one in ids.unique().tolist() if one >= 0}


def _vector(ids: Tensor, axis: int) -> Tensor | None:
    """Ids along an axis; None if they differ along another one."""
    if not 0 <= axis < ids.ndim:
        return None
    apart = ids.movedim(axis, 0).flatten(1)
    return apart[:, 0].clone() if bool((apart == apart[:, :1]).all()) else None


def _constants(op: Op) -> Iterator[Tensor]:
    for leaf in (*op.args, *op.kwargs.values()):
        if isinstance(leaf, Tensor):
            yield leaf
        elif isinstance(leaf, list | tuple) and not isinstance(leaf, Ref):
            yield from (one for one in leaf if isinstance(one, Tensor))


def _biases(op: Op) -> Iterator[Tensor]:
    yield from (leaf for leaf in _constants(op) if leaf.ndim == 1)
