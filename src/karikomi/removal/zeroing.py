"""Units of any module silenced by weights of 0."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS, LOOKED_UP, PRODUCTS, contraction
from karikomi.networks.nested import Ref
from karikomi.networks.parts import Part
from karikomi.networks.tape import Op
from karikomi.removal.axes import recurrent_weights


def zero(small: nn.Module, anatomy: Anatomy, part: Part, lost: Tensor) -> None:
    """Have nothing read the units, or where they are added to something, have them be 0."""
    joins = part.kind == "recurrent"
    for site in part.sites:
        for place in site.readers:
            op = anatomy.tape.ops[place]
            columns = _columns(anatomy, op, site.value)
            if columns is None:
                joins = True
                continue
            name, axis, at = columns
            if at != site.axis:
                joins = True
                continue
            along = torch.cat([lost, lost.new_zeros(1)])[site.units]
            weight = small.get_parameter(name).data
            weight[(slice(None),) * axis + (along.to(weight.device),)] = 0
    if joins or not part.sites:
        _zero_rows(small, anatomy, part, lost)


def _columns(anatomy: Anatomy, op: Op, value: int) -> tuple[str, int, int] | None:
    """The weight of a linear reader, its axis of inputs, and the axis of the signal that it sums over."""
    if (found := contraction(op)) is not None:
        return anatomy.tape.origin(found.weight), 1 - found.rows, found.summed
    if op.name not in ("linear", "addmm", *CONVOLUTIONS) or op.argument(6, "groups") not in (None, 1):
        return None
    place = 2 if op.name == "addmm" else 1
    weight, signal = op.argument(place, "weight"), op.args[place - 1]
    uses = sum(any(weight is leaf for leaf in other.args) for other in anatomy.tape.ops)
    if not isinstance(weight, nn.Parameter) or signal != Ref(value) or uses > 1:
        return None
    ndim = anatomy.tape.values[value].ndim
    return (
        anatomy.tape.origin(weight),
        0 if op.name == "addmm" else 1,
        ndim - weight.ndim + 1 if op.name in CONVOLUTIONS else ndim - 1,
    )


def _zero_rows(small: nn.Module, anatomy: Anatomy, part: Part, lost: Tensor) -> None:
    """Rows, biases, and scale and shift of normalizations behind them become 0; of a recurrent unit those of all gates.

    A recurrent unit without any weight keeps a state of 0.
    """
    if part.kind == "recurrent":
        for weight in (
            one for place in part.calls for one in recurrent_weights(anatomy.tape.ops[place], part.recurrent)
        ):
            gates = small.get_parameter(anatomy.tape.origin(weight)).data.unflatten(0, (-1, part.units))
            gates[:, lost.to(gates.device)] = 0
        return
    for name, axis in _own_numbers(anatomy, part):
        value = small.get_parameter(name).data
        if axis < value.ndim and value.shape[axis] == part.units:
            value[(slice(None),) * axis + (lost.to(value.device),)] = 0


def _own_numbers(anatomy: Anatomy, part: Part) -> Iterator[tuple[str, int]]:
    """What gives the units their signal: parameters, and their axis of units."""
    yield from ((name, 0) for name in part.owned)
    yield from ((name, max(range(units.ndim), key=units.shape.__getitem__)) for name, units in part.shifts)
    for place in part.calls:
        op = anatomy.tape.ops[place]
        turned = op.name in (*LOOKED_UP, "addmm") or op.name.startswith("conv_transpose")
        turned = turned or (op.name in PRODUCTS and isinstance(op.args[0], Ref))
        for tensor in (*op.args, *op.kwargs.values()):
            if isinstance(tensor, nn.Parameter) and tensor.ndim > 1:
                found = contraction(op)
                yield anatomy.tape.origin(tensor), found.rows if found else int(turned)
