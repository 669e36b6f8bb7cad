"""Which numbers of which parameters go together: the groups that can be taken out of any model as one.

Every row of a layer's weight has an id, which is sent through the forward. Signals that are added have one id at each
place; what is summed or normalized together is one group, and so are the rows of query, key and value that are one
head. A group is the rows, the numbers in normalizations and scales, and the columns of the readers that have one id
(Fang et al. 2023, DepGraph: Towards any structural pruning, arXiv 2301.12900).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CELLS, CONVOLUTIONS, TRANSPOSED, Found
from karikomi.networks.nested import Ref
from karikomi.networks.parts import Part
from karikomi.networks.regions import ARITHMETIC, ELEMENTWISE, NONLINEAR, core, through, varies
from karikomi.networks.tape import READ_OUT, Op, Tape
from karikomi.removal.axes import BY_CHANNEL, layout, mixed_axes, multiplied, recurrent_weights, scaled_axis

Key = tuple[int, tuple[int, int] | None]
"""A layer's call: the place of its operation, and in a recurrent one the stacked layer and the direction."""


class Slice(NamedTuple):
    """An axis of a parameter or buffer, and the id of each place along it."""

    name: str
    axis: int
    ids: Tensor


@dataclass
class Dimensions:
    """The groups of a model.

    Attributes:
        anatomy: what its forward does.
        module: the model.
        slices: all axes of parameters that have ids.
        rows: by a layer's call the ids of its units.
        ids: by the number of a value on the tape its ids, int64 of its shape; -1 where there is none.
        attended: ids of rows that are multiplied in attention, whose units are the heads.
    """

    anatomy: Anatomy
    module: nn.Module
    slices: list[Slice] = field(default_factory=list)
    rows: dict[Key, Tensor] = field(default_factory=dict)
    ids: dict[int, Tensor] = field(default_factory=dict)
    attended: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parents, self.fixed = list[int](), set[int]()
        self.own = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        layers: dict[int, list[Found]] = {}
        for one in self.anatomy.found:
            layers.setdefault(one.place, []).append(one)
        needed = _needed(self.anatomy.tape)
        for place, op in enumerate(self.anatomy.tape.ops):
            found = layers.get(place)
            if found is None and needed.isdisjoint(op.results):
                continue
            if found is None:
                self._pass(op)
            elif found[0].kind == "heads":
                self._heads(op, found[0])
            elif found[0].kind == "recurrent":
                self._recurrent(op, found)
            else:
                self._layer(op, found[0])
        if self.anatomy.tape.result in self.ids:
            self._fix(self.ids[self.anatomy.tape.result])
        for part in self.anatomy.parts:
            for key in self.keys(part):
                self._join(self.rows[self.keys(part)[0]], self.rows[key])
        alike: dict[tuple[str, int], Tensor] = {}
        for one in self.slices:  # weights that are used again
            self._join(alike.setdefault((one.name, one.axis), one.ids), one.ids)

    def keys(self, part: Part) -> list[Key]:
        """The calls of a layer whose rows are known."""
        return [key for place in part.calls if (key := (place, part.recurrent)) in self.rows]

    def group(self, one: int) -> int:
        """The id that stands for a group."""
        while self.parents[one] != one:
            self.parents[one] = one = self.parents[self.parents[one]]
        return one

    def groups(self, ids: Tensor) -> list[int]:
        """The group at each place; -1 where there is none."""
        return [self.group(one) if one >= 0 else -1 for one in ids.tolist()]

    def _new(self, units: int, found: Found) -> Tensor:
        own = torch.arange(len(self.parents), len(self.parents) + units)
        self.parents += own.tolist()
        self.rows[found.place, found.recurrent] = own
        return own

    def _layer(self, op: Op, found: Found) -> None:
        [weight, *_] = [leaf for leaf in (*op.args, *op.kwargs.values()) if isinstance(leaf, Tensor) and leaf.ndim > 1]
        if not isinstance(weight, nn.Parameter) or op.name in ("bilinear", "einsum"):
            self._stay(op)
            return
        rows, columns, summed = layout(op, weight)
        own, name = self._new(found.units, found), self.anatomy.tape.origin(weight)
        self.slices.append(Slice(name, rows, own))
        for bias in _constants(op):
            if bias.ndim == 1 and len(bias) == found.units:
                self.slices.append(Slice(self.anatomy.tape.origin(bias), 0, own))
        convolves = op.name in CONVOLUTIONS | TRANSPOSED
        groups = op.argument(8 if op.name in TRANSPOSED else 6, "groups") if convolves else None
        for along in [self._along(self.ids[number], summed) for number in op.refs if number in self.ids]:
            if groups in (None, 1):
                self.slices.append(Slice(name, columns, along))
            elif groups == len(along) == found.units:
                self._join(own, along)
            else:
                self._fix(along)
                self._fix(own)
        labels = found.labels[op.results[0]]
        self.ids[op.results[0]] = own[core(labels)[0]].expand(labels.shape)

    def _heads(self, op: Op, found: Found) -> None:
        ids = self._product(op)
        if ids is None:
            return
        self.rows[found.place, None] = rows = torch.full((found.units,), -1)
        rows[found.labels[op.results[0]].flatten()] = ids.flatten()
        self.ids[op.results[0]] = ids

    def _recurrent(self, op: Op, found: Sequence[Found]) -> None:
        """Rows of all gates, and the columns that read the units' state."""
        read = [self._along(self.ids[number], -1) for number in op.refs[:1] if number in self.ids]
        owns = [self._new(one.units, one) for one in found]
        ways = 1 + max(one.recurrent[1] if one.recurrent else 0 for one in found)
        for at, (one, own) in enumerate(zip(found, owns, strict=True)):
            below = owns[at // ways * ways - ways : at // ways * ways]
            weights = recurrent_weights(op, one.recurrent)
            names = [self.anatomy.tape.origin(weight) for weight in weights]
            for name, weight in zip(names, weights, strict=True):
                self.slices.append(Slice(name, 0, own.repeat(len(weight) // one.units)))
            self.slices.append(Slice(names[1], 1, own))
            self.slices += [Slice(names[0], 1, along) for along in ([torch.cat(below)] if below else read)]
        output, *states = [self.anatomy.tape.values[number] for number in op.results]
        shown = owns[0] if op.name in CELLS else torch.stack(owns)
        for number in op.refs[1:]:
            if number in self.ids:
                ids = self.ids[number]
                self._join(shown.unsqueeze(-2).expand(ids.shape), ids)
        self.ids[op.results[0]] = torch.cat(owns[-ways:]).expand(output.shape)
        for number, state in zip(op.results[1:], states, strict=True):
            self.ids[number] = shown.unsqueeze(-2).expand(state.shape)

    def _pass(self, op: Op) -> None:
        known = [number for number in op.refs if number in self.ids]
        if not known or not op.results:
            return
        values = self.anatomy.tape.values
        if multiplied(op, values):
            product = self._product(op)
            self.ids |= {} if product is None else {op.results[0]: product}
            return
        if op.name == "glu":
            value, gate = self.ids[known[0]].chunk(2, -1 if (axis := op.argument(1, "dim")) is None else axis)
            self._join(value, gate)
            self.ids[op.results[0]] = value
            return
        if op.name == "group_norm":
            for number in known:
                ids = self.ids[number]
                self.ids[number] = self._together(ids.reshape(len(ids), op.args[1], -1), (2,)).reshape(ids.shape)
        elementwise = any(kind.fullmatch(op.name) for kind in (NONLINEAR, ELEMENTWISE, ARITHMETIC))
        if (elementwise or op.name in BY_CHANNEL) and len(op.results) == 1:
            self.ids[op.results[0]] = self._elementwise(op, known, values[op.results[0]])
            return
        axes = mixed_axes(op, self.ids[known[0]])
        labels = {number: self._together(self.ids[number], axes) for number in known}
        given = through(op, labels, values.__getitem__)
        if given is None:
            self._stay(op)
        else:
            self.ids |= dict(zip(op.results, given, strict=True))

    def _elementwise(self, op: Op, known: list[int], result: Tensor) -> Tensor:
        ids, *others = [self.ids[number].expand(result.shape) for number in known]
        for other in others:
            self._join(ids, other)
        unknown = [self.anatomy.tape.values[number] for number in set(op.refs) - set(known)]
        for tensor in (*unknown, *_constants(op)):
            ids = self._beside(tensor, ids, [scaled_axis(op, own, tensor, result) for own in range(tensor.ndim)])
        return ids

    def _beside(self, tensor: Tensor, ids: Tensor, axes: Sequence[int]) -> Tensor:
        """A tensor without ids, whose axes are ``axes`` of a signal: a parameter is cut, else they stay whole."""
        name = self.anatomy.tape.origin(tensor)
        for own, axis in enumerate(axes):
            if tensor.shape[own] == 1 or not varies(ids, axis):
                continue
            some, places = core(ids)[0].unique(return_inverse=True)
            ids = torch.tensor(self.groups(some))[places].expand(ids.shape)
            if not varies(ids, axis):
                continue
            parameter, size = self.own.get(name, tensor), tensor.shape[own]
            alike = [own] if parameter is tensor else [k for k, other in enumerate(parameter.shape) if other == size]
            if name and len(alike) == 1:
                self.slices.append(Slice(name, alike[0], self._along(ids, axis)))
            else:
                ids = self._together(ids, (axis,))
        return ids

    def _product(self, op: Op) -> Tensor | None:
        """Ids of a product of signals: at each place of the axes that they have in common all is one group."""
        values = self.anatomy.tape.values
        operands, out = multiplied(op, values) or ([], "")
        if not operands or any(number not in self.ids for number, _ in operands):
            return self._stay(op)
        result = values[op.results[0]]
        common = [letter for letter in out if all(letter in axes for _, axes in operands)]
        shape = [result.shape[out.index(letter)] for letter in common]
        heads = list[Tensor]()
        for number, axes in operands:
            ids = self._together(self.ids[number], [k for k, letter in enumerate(axes) if letter not in common])
            ids = ids.permute([axes.index(letter) for letter in (*common, *(one for one in axes if one not in common))])
            each = ids[(..., *[0] * (ids.ndim - len(common)))]
            if not any(varies(each, axis) for axis in range(each.ndim)):
                self._fix(each)  # what all heads share
                continue
            self.attended |= set(each.flatten().tolist())
            if each.shape[-1] not in (1, shape[-1]):  # query heads in a row share one of keys and values
                each = each.repeat_interleave(shape[-1] // each.shape[-1], -1)
            heads.append(each.expand(shape))
        if not heads:
            return None
        for other in heads[1:]:
            self._join(heads[0], other)
        sizes = [size if letter in common else 1 for size, letter in zip(result.shape, out, strict=True)]
        ids = heads[0].reshape(sizes).expand(result.shape)
        mask = op.argument(3, "attn_mask") if op.name == "scaled_dot_product_attention" else None
        mask = values[mask.number] if isinstance(mask, Ref) else mask
        return ids if mask is None else self._beside(mask, ids, range(ids.ndim - mask.ndim, ids.ndim))

    def _stay(self, op: Op) -> None:
        for number in op.refs:
            if number in self.ids:
                self._fix(self.ids[number])

    def _along(self, ids: Tensor, axis: int) -> Tensor:
        """An id for each place along an axis, where all that it has along the others is one group."""
        others = [other for other in range(ids.ndim) if other != axis % ids.ndim]
        return self._together(ids, others).movedim(axis, 0).flatten(1)[:, 0].clone()

    def _together(self, ids: Tensor, axes: Sequence[int]) -> Tensor:
        """All along ``axes`` becomes one group; gives the ids with one of them in place of all."""
        if not axes or not ids.numel():
            return ids
        one = core(ids)[0].amax(tuple(axes), keepdim=True).expand(ids.shape)
        self._join(ids, one)
        return one

    def _join(self, one: Tensor, other: Tensor) -> None:
        one, other = core(one, other)
        apart = one != other
        for a, b in torch.stack([one[apart], other[apart]]).unique(dim=1).T.tolist():
            if a < 0 or b < 0:
                self.fixed.add(max(a, b))
            else:
                self.parents[self.group(a)] = self.group(b)

    def _fix(self, ids: Tensor) -> None:
        self.fixed |= {one for one in core(ids)[0].unique().tolist() if one >= 0}


def _needed(tape: Tape) -> set[int]:
    """The values that outputs, or the forward's course, depend on."""
    needed = {tape.result}
    for op in reversed(tape.ops):
        if op.name in READ_OUT or not needed.isdisjoint(op.results):
            needed |= set(op.refs)
    return needed


def _constants(op: Op) -> Iterator[Tensor]:
    for leaf in (*op.args, *op.kwargs.values()):
        if isinstance(leaf, Tensor):
            yield leaf
        elif isinstance(leaf, list | tuple) and not isinstance(leaf, Ref):
            yield from (one for one in leaf if isinstance(one, Tensor))
