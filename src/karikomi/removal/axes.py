"""Along which axes operations scale, mix and multiply signals."""

import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from karikomi.networks.detection import CONVOLUTIONS, PRODUCTS, RECURRENT, TRANSPOSED
from karikomi.networks.nested import Ref
from karikomi.networks.regions import REDUCING
from karikomi.networks.tape import Op

BY_CHANNEL = {"batch_norm", "group_norm", "instance_norm", "prelu"}
"""What takes numbers for axis 1 of a signal; all else takes those of the last axes."""


def scaled_axis(op: Op, own: int, tensor: Tensor, result: Tensor) -> int:
    """The axis of an elementwise result that an axis of an operand belongs to."""
    return 1 if op.name in BY_CHANNEL else own + result.ndim - tensor.ndim


def mixed_axes(op: Op, signal: Tensor) -> tuple[int, ...]:
    """The axes that an operation sums or normalizes over; none for one of another kind."""
    if op.name in ("layer_norm", "rms_norm"):
        return tuple(range(-len(op.args[1]), 0))
    if not REDUCING.fullmatch(op.name) and op.name not in ("softmax", "log_softmax", "normalize"):
        return ()
    name = "dim" if "axis" not in op.kwargs else "axis"
    asked = op.argument(2 if op.name in ("norm", "normalize") else 1, name)
    axes = tuple(range(signal.ndim)) if asked is None else tuple(asked) if isinstance(asked, tuple | list) else (asked,)
    return axes if all(isinstance(axis, int) for axis in axes) else ()


def multiplied(op: Op, values: Sequence[Tensor]) -> tuple[list[tuple[int, str]], str] | None:
    """Of a product of signals the number of each with a letter for each axis, and the letters of the result.

    None for any other operation.
    """
    if op.name == "einsum" and len(op.refs) == 2 and re.fullmatch(r"\w+,\w+->\w+", op.args[0].replace(" ", "")):
        ones, out = op.args[0].replace(" ", "").split("->")
        return list(zip(op.refs, ones.split(","), strict=True)), out
    if op.name == "scaled_dot_product_attention":
        given, inner, end = [op.argument(n, name) for n, name in enumerate(("query", "key", "value"))], "xy zy zw", "xw"
    elif op.name in PRODUCTS - {"addmm", "baddbmm"}:
        given, inner, end = [*op.args[:2]], "xy yz", "xz"
        given = given[::-1] if op.name == "__rmatmul__" else given
    else:
        return None
    if not all(isinstance(one, Ref) and values[one.number].ndim >= 2 for one in given):
        return None
    ndims = [values[one.number].ndim for one in given]
    places = "abcdefgh"
    letters = [places[8 - ndim + 2 :] + two for ndim, two in zip(ndims, inner.split(), strict=True)]
    return list(zip([one.number for one in given], letters, strict=True)), places[8 - max(ndims) + 2 :] + end


def recurrent_weights(op: Op, recurrent: tuple[int, int] | None) -> list[Any]:
    """Weights for inputs and for the state, and the biases, of one layer and direction of a recurrent operation."""
    if op.name not in RECURRENT:
        return [leaf for leaf in op.args[2:] if isinstance(leaf, Tensor)]
    at = 3 if isinstance(op.args[3], list | tuple) else 2
    params, both, per = op.args[at], op.args[at + 5], 4 if op.args[at + 1] else 2
    layer, way = recurrent or (0, 0)
    first = per * (layer * (2 if both else 1) + way)
    return list(params[first : first + per])


def layout(op: Op, weight: Tensor) -> tuple[int, int, int]:
    """A weight's axes of rows and columns, and the axis of the signal that it sums over."""
    if op.name in CONVOLUTIONS | TRANSPOSED:
        return (0, 1, 1 - weight.ndim) if op.name in CONVOLUTIONS else (1, 0, 1 - weight.ndim)
    if op.name == "linear" or (op.name in PRODUCTS and weight is op.args[0]):
        return 0, 1, -1 if op.name == "linear" else -2
    return weight.ndim - 1, weight.ndim - 2, -1
