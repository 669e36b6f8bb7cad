"""A forward without some of its units: what depends on them is repeated, all else is as it was recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS
from karikomi.networks.folding import folded
from karikomi.networks.nested import Ref
from karikomi.networks.parts import Part, Site
from karikomi.networks.quick import QUICK, linear
from karikomi.networks.tape import Op, Tape

FEW = 0.5
"""Up to this share of a reader's inputs, what they brought is taken off its result, else all of it is computed anew."""

Cut = dict[int, list[tuple[Site, Tensor]]]
"""By value the sites in it, and the units of each that are gone."""

Instead = Mapping[int, Tensor]
"""By the value of a site what removed units show in it; a site that is not named: 0."""


@dataclass
class Cuts:
    """Lesions of one model.

    Attributes:
        anatomy: its layers and sites.
        parts: the layers whose units are numbered through.
    """

    anatomy: Anatomy
    parts: Sequence[Part]
    plans: dict[frozenset[int], Mapping[int, list[int]]] = field(default_factory=dict)
    folded: Mapping[int, tuple[Op | None, int]] | None = None

    def __post_init__(self) -> None:
        self.bounds = np.cumsum([0, *(part.units for part in self.parts)])

    @property
    def units(self) -> int:
        return int(self.bounds[-1])

    def without(self, tape: Tape, gone: np.ndarray, instead: Instead, result: int) -> Tensor:
        """A value of the forward on ``tape`` without the units ``gone``, bool ``[units]``."""
        lost = [(k, torch.from_numpy(gone[start:end])) for k, (start, end) in enumerate(pairwise(self.bounds))]
        lost = [(k, some) for k, some in lost if some.any()]
        changed: dict[int, Tensor] = {}
        cut: Cut = {}
        recurrent: dict[int, list[tuple[Part, Tensor]]] = {}
        for k, some in lost:
            part = self.parts[k]
            for site in part.sites:
                cut.setdefault(site.value, []).append((site, some))
            if part.recurrent:
                recurrent.setdefault(part.calls[0], []).append((part, some))
        lesioned: dict[tuple[int, ...], Tensor] = {}

        def value(place: int, number: int) -> Tensor:
            signal = changed.get(number, tape.values[number])
            taken = [k for k, (site, _) in enumerate(cut.get(number, ())) if place in site.readers]
            if taken and (number, *taken) not in lesioned:
                for k in taken:
                    signal = remove(*cut[number][k], signal, instead.get(number))
                lesioned[(number, *taken)] = signal
            return lesioned[(number, *taken)] if taken else signal

        for place, done in self._plan(frozenset(k for k, _ in lost), tape, result).items():
            op, reader = self._operation(place, tape)
            if op is None:
                continue
            if place in recurrent:
                results = _without_recurrent(op, recurrent[place], partial(value, place))
            else:
                results = self._taken_off(op, tape, cut, changed, partial(value, reader))
                results = results or op.run(partial(value, reader))
            changed |= dict(zip(op.results, results, strict=True))
            for number in done:  # its memory, still in the cache, serves the next operation
                changed.pop(number, None)
        return changed.get(result, tape.values[result])

    def _plan(self, affected: frozenset[int], tape: Tape, result: int) -> Mapping[int, list[int]]:
        """The operations that depend on units of these layers, in order, each with the values that it takes last."""
        if affected not in self.plans:
            parts = [self.parts[k] for k in affected]
            first: dict[int, frozenset[int]] = {}
            for site in (site for part in parts for site in part.sites):  # side by side, layers share a signal
                first[site.value] = first.get(site.value, frozenset()) | site.readers
            inner = {part.calls[0] for part in parts if part.recurrent}
            places = sorted({*self.anatomy.dependent(first)[0], *inner, *self.anatomy.behind(*inner)[0]})
            ops = {place: op for place in places if (op := self._operation(place, tape)[0])}
            last = {number: place for place, op in ops.items() for number in op.refs}
            last.pop(result, None)
            self.plans[affected] = {place: [n for n, end in last.items() if end == place] for place in places}
        return self.plans[affected]

    def _operation(self, place: int, tape: Tape) -> tuple[Op | None, int]:
        """What is done in a place of the tape, None for what another one takes over, and in whose place it reads."""
        if self.folded is None:
            self.folded = folded(self.anatomy, tape)
        op, reader = self.folded.get(place, (tape.ops[place], place))
        if op is not None and op.function in QUICK:
            op = replace(op, function=QUICK[op.function])
        return op, reader

    def _taken_off(
        self,
        op: Op,
        tape: Tape,
        cut: Cut,
        changed: Mapping[int, Tensor],
        value: Callable[[int], Tensor],
    ) -> list[Tensor] | None:
        """What a linear reader gives, from what it gave: few of its inputs have changed, and by how much is known."""
        if op.name not in ("linear", *CONVOLUTIONS) or not isinstance(op.args[0], Ref):
            return None
        number, grouped = op.args[0].number, op.name != "linear" and op.argument(6, "groups") not in (None, 1)
        if number not in cut or number in changed or grouped or len(op.refs) > 1:
            return None
        sites = [site for site, _ in cut[number]]
        signal, weight = tape.values[number], op.argument(1, "weight")
        axis = signal.ndim - 1 if op.name == "linear" else signal.ndim - weight.ndim + 1
        if any(site.axis != axis or site.axis == site.examples for site in sites):
            return None
        gone = torch.stack([_places(*one) for one in cut[number]]).any(0)
        columns = torch.nonzero(gone).flatten().to(signal.device)
        if len(columns) > FEW * signal.shape[axis]:
            return None
        difference = (value(number) - signal).index_select(axis, columns)
        narrow = weight.index_select(1, columns)
        if op.name == "linear":
            brought = linear(difference, narrow)
        else:
            rest = dict(zip(("stride", "padding", "dilation"), op.args[3:6], strict=False))
            brought = getattr(F, op.name)(difference, narrow, **{**rest, **_settings(op)})
        return [tape.values[op.results[0]] + brought]


def _settings(op: Op) -> dict[str, Any]:
    return {name: value for name, value in op.kwargs.items() if name in ("stride", "padding", "dilation")}


def _places(site: Site, gone: Tensor) -> Tensor:
    """For every place along a site's axis whether its unit is gone, ``gone`` being bool ``[units]``."""
    return torch.cat([gone, gone.new_zeros(1)])[site.units]  # the last one is what belongs to no unit


def remove(site: Site, gone: Tensor, signal: Tensor, instead: Tensor | None) -> Tensor:
    """A site's signal in which the units ``gone`` show something else: 0, or a signal of the same shape."""
    places = spread(site, _places(site, gone), signal)
    return signal.masked_fill(places, 0) if instead is None else torch.where(places, instead.to(signal), signal)


def spread(site: Site, along: Tensor, signal: Tensor) -> Tensor:
    """Numbers for the places along a site's axis, in a shape that fits its signal."""
    along = along.to(signal.device)
    if site.axis == site.examples:
        along = along.repeat(signal.shape[site.axis] // len(along))
    return along.view(-1, *[1] * (signal.ndim - site.axis - 1))


def by_unit(site: Site, units: int, signal: Tensor, where: str) -> Tensor:
    """A site's signal as ``[n, units, numbers of each]``."""
    if site.examples < 0:
        raise InputError(f"the signal of {where} has no axis of examples, so its units cannot be observed")
    axis, examples = site.axis, site.examples
    if axis == examples:
        signal, axis = signal.unflatten(axis, (-1, site.merged)), axis + 1
    elif site.merged > 1:
        signal = signal.unflatten(examples, (-1, site.merged))
        axis += axis > examples
    apart = signal.movedim((examples, axis), (0, 1))[..., None].flatten(2)
    each = len(site.units) // units
    if torch.equal(site.units, torch.arange(len(site.units)) // max(each, 1)):
        return apart.unflatten(1, (units, each)).flatten(2)
    order = torch.argsort(site.units, stable=True)
    order = order[site.units[order] >= 0].to(signal.device)
    return apart.index_select(1, order).unflatten(1, (units, -1)).flatten(2)


def _without_recurrent(op: Op, lost: Sequence[tuple[Part, Tensor]], value: Any) -> list[Tensor]:
    """A recurrent operation in which units are 0 at every time: in its state, and in what it gives."""
    packed = isinstance(op.args[3], list | tuple)
    at = 3 if packed else 2
    params, numbers = list(op.args[at]), op.args[at + 1 :]
    per, ways, layers = (4 if numbers[0] else 2), (2 if numbers[4] else 1), numbers[1]
    shown: list[tuple[int, int, Tensor]] = []
    for part, some in lost:
        assert part.recurrent, "of a recurrent part"
        (layer, way), gone = part.recurrent, torch.nonzero(some).flatten().to(params[0].device)
        own = per * (layer * ways + way) + 1
        params[own] = params[own].index_fill(1, gone, 0)
        if layer < layers - 1:
            for other in range(ways):
                reader = per * ((layer + 1) * ways + other)
                params[reader] = params[reader].index_fill(1, way * part.units + gone, 0)
        shown.append((layer, way, gone))
    args = (*op.args[:at], params, *op.args[at + 1 :])
    output, *states = Op(op.function, op.name, args, op.kwargs, op.results, op.module).run(value)
    for layer, way, gone in shown:
        if layer == layers - 1:
            width = params[1].shape[1]
            output = output.index_fill(-1, way * width + gone, 0)
        for number, state in enumerate(states):
            state = state.clone()
            state[layer * ways + way] = state[layer * ways + way].index_fill(-1, gone, 0)
            states[number] = state
    return [output, *states]
