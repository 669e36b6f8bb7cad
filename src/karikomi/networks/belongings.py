"""Which numbers of which parameters belong to the units of a layer, and are gone with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from karikomi.networks.detection import (
    CELLS,
    CONVOLUTIONS,
    LOOKED_UP,
    PRODUCTS,
    RECURRENT,
    TRANSPOSED,
    contraction,
)
from karikomi.networks.nested import Ref

if TYPE_CHECKING:
    from karikomi.networks.anatomy import Anatomy
    from karikomi.networks.parts import Part, Site
    from karikomi.networks.tape import Op


class Belonging(NamedTuple):
    """Numbers of a parameter that belong to the units of a layer.

    Attributes:
        name: the parameter.
        units: for each number its unit, int64, -1 for none, in a shape that broadcasts to the parameter's.
        own: whether they make the unit's signal (row, bias, normalization); else they read it.
    """

    name: str
    units: np.ndarray
    own: bool

    def of(self, units: np.ndarray) -> np.ndarray:
        """Which numbers belong to ``units``, bool ``[units]``: bool in the shape of ``units``."""
        return np.append(units, False)[self.units]


def along(there: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of a parameter, summed over the axes along which ``shape``, which broadcasts to theirs, is 1."""
    return there.sum(axis=tuple(axis for axis, length in enumerate(shape) if length == 1), keepdims=True)


def belongings(anatomy: Anatomy) -> dict[str, tuple[Belonging, ...]]:
    """What belongs to each layer of any model, by name: as far as it lies in parameters."""
    found = {}
    for part in anatomy.parts:
        each = {
            (one.name, one.own, one.units.tobytes()): one for one in (*_own(anatomy, part), *_readers(anatomy, part))
        }
        found[part.name] = tuple(each.values())  # a cell that is called at every step, once
    return found


def weights_of(anatomy: Anatomy) -> dict[str, int]:
    """By parameter that signals are multiplied with the axis of its inputs, in the order of the forward."""
    axes = {}
    for found in anatomy.found:
        op = anatomy.tape.ops[found.place]
        for weight in (*op.args, *op.kwargs.values()) if found.kind in ("neurons", "channels") else ():
            rows = _rows(op, weight, found.units)
            name = anatomy.tape.origin(weight)
            if rows is not None and name:
                named = _named(anatomy, weight, rows)
                inputs = 1 - int(np.argmax((named[1] if named else rows).shape[:2]))
                axes.setdefault(name, inputs)
    return axes


def _own(anatomy: Anatomy, part: Part) -> Iterator[Belonging]:
    """Rows, biases and normalization; heads have none."""
    if part.recurrent:
        yield from _recurrent(anatomy, part)
    if part.recurrent or part.kind == "heads":
        return
    yield from (Belonging(name, np.arange(part.units), True) for name in part.owned)
    yield from (Belonging(name, units.numpy(), True) for name, units in part.shifts)
    op = anatomy.tape.ops[part.calls[0]]
    for weight in (*op.args, *op.kwargs.values()):
        rows = _rows(op, weight, part.units)
        if rows is not None and (named := _named(anatomy, weight, rows)):
            yield Belonging(*named, True)


def _rows(op: Op, weight: Any, units: int) -> np.ndarray | None:
    """For each number of a layer's weight the unit whose signal it makes."""
    if isinstance(weight, Tensor) and op.name in CELLS:  # a row, and a bias, for every gate
        return _along(np.arange(len(weight)) % units, 0, weight.ndim)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        return None
    if op.name in TRANSPOSED:
        groups = op.argument(6, "groups") or 1
        group = np.arange(len(weight)) // (len(weight) // groups)
        return _wide(group[:, None] * weight.shape[1] + np.arange(weight.shape[1]), weight.ndim)
    if op.name == "einsum":
        found = contraction(op)
        return None if found is None else _along(np.arange(units), found.rows, weight.ndim)
    from_the_right = op.name in PRODUCTS and isinstance(op.args[-1 if op.name == "__rmatmul__" else -2], Ref)
    return _along(np.arange(units), weight.ndim - 1 if from_the_right or op.name in LOOKED_UP else 0, weight.ndim)


def _readers(anatomy: Anatomy, part: Part) -> Iterator[Belonging]:
    """Columns of what reads the units, where that is a weight."""
    yield from (one for site in part.sites for place in sorted(site.readers) for one in _read(anatomy, site, place))


def read_by_weights(anatomy: Anatomy, site: Site) -> bool:
    """Whether whatever reads a site is a weight."""
    return all(any(True for _ in _read(anatomy, site, place)) for place in site.readers)


def _read(anatomy: Anatomy, site: Site, place: int) -> Iterator[Belonging]:
    for axis, weight, columns in _columns(anatomy.tape.ops[place], site, anatomy.tape.values[site.value].ndim):
        if site.axis == axis != site.examples and (named := _named(anatomy, weight, columns)):
            yield Belonging(*named, False)


def _columns(op: Op, site: Site, ndim: int) -> Iterator[tuple[int, Any, np.ndarray]]:
    """The axis of a signal that a weight sums over, the weight, and for each of its numbers the unit that it reads."""
    units = site.units.numpy()

    def reads(given: Any) -> bool:
        return isinstance(given, Ref) and given.number == site.value

    if op.name in CONVOLUTIONS | TRANSPOSED and reads(op.args[0]):
        weight = op.argument(1, "weight")
        groups = (op.argument(6, "groups") or 1) if op.name in CONVOLUTIONS else 1
        axis = ndim - weight.ndim + 1
        if groups == 1:
            yield axis, weight, _along(units, 1 if op.name in CONVOLUTIONS else 0, weight.ndim)
        else:
            group = np.arange(len(weight)) // (len(weight) // groups)
            yield axis, weight, _wide(units[group[:, None] * weight.shape[1] + np.arange(weight.shape[1])], weight.ndim)
    elif op.name == "linear" and reads(op.args[0]):
        yield ndim - 1, op.argument(1, "weight"), units[None]
    elif op.name in ("addmm", "matmul", "__matmul__", "mm", "__rmatmul__"):
        left, right = op.args[-2:] if op.name != "__rmatmul__" else op.args[::-1]
        if reads(left):
            yield ndim - 1, right, units[:, None]
        if reads(right):
            yield ndim - 2, left, units[None]
    elif (found := contraction(op)) is not None:  # of one signal, which is this one
        yield found.summed, found.weight, _along(units, 1 - found.rows, 2)
    elif op.name in RECURRENT and reads(op.args[0]):
        params, per, ways, _ = _params(op)
        yield from ((ndim - 1, params[per * way], units[None]) for way in range(ways))
    elif op.name in CELLS:
        state = op.args[1] if isinstance(op.args[1], Ref) else op.args[1][0]  # of an LSTM beside its memory
        yield from (
            (ndim - 1, weight, units[None])
            for given, weight in ((op.args[0], op.args[2]), (state, op.args[3]))
            if reads(given)
        )


def _recurrent(anatomy: Anatomy, part: Part) -> Iterator[Belonging]:
    """Rows and biases of all gates, and what reads the state inside the recurrent layer."""
    assert part.recurrent, "of a recurrent part"
    (layer, way), (params, per, ways, layers) = part.recurrent, _params(anatomy.tape.ops[part.calls[0]])
    origin, first = anatomy.tape.origin, per * (layer * ways + way)
    for param in params[first : first + per]:
        yield Belonging(origin(param), _along(np.arange(len(param)) % part.units, 0, param.ndim), True)
    yield Belonging(origin(params[first + 1]), np.arange(part.units)[None], False)
    for other in range(ways) if layer < layers - 1 else ():
        columns = np.full((1, ways * part.units), -1)
        columns[0, way * part.units :][: part.units] = np.arange(part.units)
        yield Belonging(origin(params[per * ((layer + 1) * ways + other)]), columns, False)


def _params(op: Op) -> tuple[Sequence[Tensor], int, int, int]:
    """Parameters of a recurrent operation, how many each layer and direction has, directions, and layers."""
    at = 3 if isinstance(op.args[3], list | tuple) else 2
    biases, layers, _, _, both = op.args[at + 1 : at + 6]
    return op.args[at], 4 if biases else 2, 2 if both else 1, layers


def _named(anatomy: Anatomy, weight: Any, units: np.ndarray) -> tuple[str, np.ndarray] | None:
    """The parameter that a weight is, as it is or transposed, and the units of its numbers; None for anything else."""
    if isinstance(weight, nn.Parameter):
        return anatomy.tape.origin(weight), units
    base = weight._base if isinstance(weight, Tensor) else None
    if not isinstance(base, nn.Parameter) or base.ndim != 2 or weight.ndim != 2:
        return None
    turned = weight.stride() == base.stride()[::-1] and weight.shape == base.shape[::-1]
    return (anatomy.tape.origin(base), units.T) if turned else None


def _along(units: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    """One number of ``units`` for each place along an axis of a parameter."""
    return units.reshape(*[1] * axis, -1, *[1] * (ndim - axis - 1))


def _wide(units: np.ndarray, ndim: int) -> np.ndarray:
    """Rows and columns, the same for all numbers of a kernel."""
    return units.reshape(*units.shape, *[1] * (ndim - 2))
