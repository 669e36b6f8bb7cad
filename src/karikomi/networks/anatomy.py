"""What the units of any model are: its layers, where their units act, who reads them, which layers are outputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from karikomi.networks.detection import MIXING, WITH_PROJECTIONS, Found, given, layers_on, names_of
from karikomi.networks.nested import Ref, leaves, mapped
from karikomi.networks.parts import Part, Site
from karikomi.networks.regions import ARITHMETIC, NONLINEAR, RESHAPING, through, varies
from karikomi.networks.tape import READ_OUT, Op, Tape


class Anatomy:
    """Layers and sites of a model, from its forward on three examples and on two of them."""

    def __init__(self, three: Tape, two: Tape, by_name: bool = False) -> None:
        self.tape, self.two, self.by_name = three, two, by_name
        self._examples = dict[int, tuple[int, int, bool]]()

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """By value the operations that take it."""
        taken: dict[int, list[int]] = {}
        for place, op in enumerate(self.tape.ops):
            for number in set(op.refs):
                taken.setdefault(number, []).append(place)
        return taken

    @cached_property
    def makers(self) -> dict[int, int]:
        """By value the operation that gives it, the first if it is given again."""
        return {number: place for place, op in reversed([*enumerate(self.tape.ops)]) for number in op.results}

    @cached_property
    def found(self) -> list[Found]:
        """The operations that are layers, in order."""
        return layers_on(self.tape, self.two)

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
        reasons = dict.fromkeys(self._not_followed(), "the units of its einsum are not known")
        for part in self._named.values():
            behind = [self.behind(place) for place in part.calls]
            reads = [op for places, _ in behind for p in places if (op := self.tape.ops[p]).name in READ_OUT]
            if part.name in self.outputs:
                continue
            if part.kind in ("neurons", "channels") and self._only_attended(part):
                reasons[part.name] = "a projection of attention, whose units are the heads"
            elif not any(self.tape.result in values for _, values in behind):
                reasons[part.name] = "it does not lead to the outputs"
            elif not part.sites and part.recurrent is None:
                reasons[part.name] = "its units and the examples cannot be told apart in its signal"
            elif reads:
                reasons[part.name] = f"the forward reads its signal into Python ({reads[0].name})"
        return reasons

    def _not_followed(self) -> Iterator[str]:
        """Weights of an ``einsum`` that is no product of a signal and a matrix."""
        for place, op in enumerate(self.tape.ops):
            if op.name == "einsum" and not self._is_layer(place):
                weights = [leaf for leaf in leaves(op.args) if isinstance(leaf, nn.Parameter) and leaf.ndim > 1]
                yield from map(self.tape.origin, weights)

    def behind(self, *places: int) -> tuple[list[int], set[int]]:
        """The operations that depend on these ones, in order, and the values that do, their own results included."""
        values = {number for place in places for number in self.tape.ops[place].results}
        later, dependent = self.dependent(dict.fromkeys(values))
        return later, values | dependent

    def dependent(self, first: Mapping[int, frozenset[int]] | Mapping[int, None]) -> tuple[list[int], set[int]]:
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
        names = names_of({key: some[0] for key, some in calls.items()}, self.tape)
        return {key: self._part(names[key], some) for key, some in calls.items()}

    def _part(self, name: str, calls: Sequence[Found]) -> Part:
        sites, bends, owned, shifts = list[Site](), list[Site](), dict[str, None](), dict[str, Tensor]()
        for one in calls:
            mine, its_bends, passed = self._sites(one)
            sites += mine
            bends += its_bends
            owned |= dict.fromkeys(self._numbers_of_units([self.tape.ops[one.place], *passed], one.units))
            for site in mine:
                shifts |= self._shifts(passed, site)
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
            tuple(shifts.items()),
        )

    def _numbers_of_units(self, ops: Sequence[Op], units: int) -> Iterator[str]:
        """Parameters with a number for each unit."""
        for op in ops:
            for tensor in (*op.args, *op.kwargs.values()):
                if isinstance(tensor, nn.Parameter) and tensor.ndim == 1 and len(tensor) == units:
                    yield self.tape.origin(tensor)

    def _shifts(self, ops: Sequence[Op], site: Site) -> Iterator[tuple[str, Tensor]]:
        """Parameters of several axes that elementwise operations spread over the signal of a site."""
        shape = self.tape.values[site.value].shape
        spread = [op for op in ops if ARITHMETIC.fullmatch(op.name) and self.tape.values[op.results[0]].shape == shape]
        for tensor in (tensor for op in spread for tensor in op.args):
            if isinstance(tensor, nn.Parameter) and tensor.ndim > 1:
                axis = site.axis - len(shape) + tensor.ndim
                if axis >= 0 and tensor.shape[axis] == len(site.units):
                    along = [-1 if axis == other else 1 for other in range(tensor.ndim)]
                    yield self.tape.origin(tensor), site.units.view(along)

    def _sites(self, found: Found) -> tuple[list[Site], list[Site], list[Op]]:
        """Where the units of one call act, what enters the non-linearity, and what the signal passes on the way."""
        ops, values = self.tape.ops, self.tape.values
        labels, outside, bend, passed = dict(found.labels), dict[int, set[int]](), None, list[Op]()
        for place in range(found.place + 1, len(ops)):
            op = ops[place]
            mine = [number for number in op.refs if number in labels]
            if not mine:
                continue
            sent = None if self._is_layer(place) else through(self._constant(op), labels, values.__getitem__)
            if sent is None or not all(map(self._site, op.results, sent)):
                for number in mine:
                    outside.setdefault(number, set()).add(place)
                continue
            if bend is None and NONLINEAR.fullmatch(op.name):
                bend = mine[0]
            labels |= dict(zip(op.results, sent, strict=True))
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

    def _constant(self, op: Op) -> Op:
        """A sum over places with what is given, such as an adjacency, as one with constants."""
        if op.name not in MIXING or self._given.isdisjoint(op.refs):
            return op

        def constant(leaf: Any) -> Any:
            return self.tape.values[leaf.number] if isinstance(leaf, Ref) and leaf.number in self._given else leaf

        return replace(op, args=mapped(op.args, constant))

    @cached_property
    def _given(self) -> set[int]:
        return given(self.tape)

    def _before_reshaping(self, number: int, labels: Mapping[int, Tensor]) -> int:
        """The value that this one is, in another shape."""
        op = self.tape.ops[self.makers[number]] if number in self.makers else None
        if op is None or not RESHAPING.fullmatch(op.name) or not op.refs or op.refs[0] not in labels:
            return number
        return self._before_reshaping(op.refs[0], labels)

    def _site(self, number: int, labels: Tensor, readers: frozenset[int] = frozenset()) -> Site | None:
        """None where the units have no single axis."""
        varying = [axis for axis in range(labels.ndim) if varies(labels, axis)]
        if len(varying) > 1 or not labels.ndim:
            return None
        examples, merged, apart = self._examples_of(number)
        axis = varying[0] if varying else labels.ndim - 1
        units = labels[tuple(slice(None) if other == axis else 0 for other in range(labels.ndim))]
        if axis == examples:
            if not apart or not torch.equal(units, units[:merged].repeat(3)):
                return None
            units = units[:merged]
        return Site(number, readers, axis, units.clone(), examples if apart else -1, merged)

    def _examples_of(self, number: int) -> tuple[int, int, bool]:
        """The axis of examples of a value (-1: none), how many places there are one's, and whether each has its own."""
        if number not in self._examples:
            three, two = self.tape.values[number], self.two.values[number]
            longer = [axis for axis in range(three.ndim) if three.shape[axis] != two.shape[axis]]
            axis = longer[0] if longer else -1
            merged = three.shape[axis] // 3 if longer else 1
            first = three.narrow(axis, 0, 2 * merged) if longer else three
            apart = bool(longer) and first.shape == two.shape and torch.allclose(first, two, 1e-3, 1e-5)
            self._examples[number] = axis, merged, apart
        return self._examples[number]

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
