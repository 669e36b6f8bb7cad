"""How far a unit's signal can be followed: labels in place of numbers, sent through the operations of a forward.

A label says to which unit of a layer an element belongs; -1 to none. An operation leaves every unit to itself if all
that each of its results depends on has one label, or none.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from karikomi.networks.detection import subscripts
from karikomi.networks.nested import Ref
from karikomi.networks.tape import Op

NONLINEAR = re.compile(
    r"(relu|relu6|leaky_relu|rrelu|[cs]?elu|gelu|silu|mish|soft(plus|sign|shrink)|hard(tanh|sigmoid|swish|shrink)|tanh"
    r"|tanhshrink|(log)?_?sigmoid|expit|prelu|threshold|clamp|clamp_min|clip)_?"
)
ELEMENTWISE = re.compile(
    r"(alpha_|feature_)*dropout[123]?d?_?|contiguous|clone|to|float|half|bfloat16|double|type|detach|requires_grad_"
    r"|(neg|abs|square|sqrt|rsqrt|exp|log|log1p|erf|sin|cos|reciprocal|nan_to_num|pow|__pow__|positive)_?"
)
ARITHMETIC = re.compile(
    r"(add|sub|subtract|mul|multiply|div|divide|true_divide|where|masked_fill|maximum|minimum|addcmul)_?"
    r"|__r?(add|sub|mul|truediv)__|rsub|rdiv|batch_norm"
)
RESHAPING = re.compile(
    r"view|reshape|view_as|flatten|ravel|unflatten|permute|transpose|swapaxes|swapdims|movedim|moveaxis|squeeze|unsqueeze"
    r"|T|mT|t|expand|expand_as|repeat|repeat_interleave|chunk|split|split_with_sizes|tensor_split|unbind|__getitem__"
    r"|select|narrow|index_select|roll|flip|pixel_shuffle|tile|broadcast_to|unfold|as_strided"
)
POOLING = re.compile(r"(adaptive_)?(avg|max)_pool([123])d(_with_indices)?|lp_pool([123])d|interpolate|upsample\w*")
REDUCING = re.compile(r"mean|sum|amax|amin|max|min|std|var|norm|median|logsumexp|prod")

Labels = Mapping[int, Tensor]
"""By the number of a value its labels, int64 of its shape."""


def through(op: Op, labels: Labels, values: Callable[[int], Tensor]) -> list[Tensor] | None:
    """Labels of an operation's results; None if it mixes units, or adds what has no labels to them.

    Args:
        op: takes at least one value with labels.
        labels: those known.
        values: any value of the forward.
    """
    results = [values(number) for number in op.results]
    if op.name in ("cat", "concat", "concatenate", "stack"):
        return _side_by_side(op, labels, values)
    if not results or any(number not in labels for number in op.refs):
        return None
    first = labels[op.refs[0]]
    if NONLINEAR.fullmatch(op.name) or ELEMENTWISE.fullmatch(op.name) or ARITHMETIC.fullmatch(op.name):
        return _aligned([labels[number] for number in op.refs], results)
    if op.name == "view":  # labels need not lie in memory as the values do
        return [first.reshape(results[0].shape)]
    if RESHAPING.fullmatch(op.name):
        return op.run(lambda number: labels[number])
    if op.name == "pad":
        return _padded(op, first)
    if POOLING.fullmatch(op.name):
        return _pooled(op, first, results)
    if REDUCING.fullmatch(op.name):
        return _reduced(op, first, results)
    if op.name in ("matmul", "__matmul__", "__rmatmul__", "mm", "bmm"):
        return _over_places(op, first, results)
    if op.name == "einsum":
        return _summed(op, first, results)
    return [first] if _is_normalization_of_each(op, first) else None


def _aligned(given: list[Tensor], results: list[Tensor]) -> list[Tensor] | None:
    if len(results) != 1:
        return None
    spread = [labels.expand(results[0].shape) for labels in given]
    return [spread[0]] if all(torch.equal(*core(other, spread[0])) for other in spread[1:]) else None


def _side_by_side(op: Op, labels: Labels, values: Callable[[int], Tensor]) -> list[Tensor]:
    """A layer's signal beside others: each stays what it is."""

    def part(given: Any) -> Tensor:
        if isinstance(given, Ref) and given.number in labels:
            return labels[given.number]
        return torch.tensor(-1).expand(values(given.number).shape if isinstance(given, Ref) else given.shape)

    parts, axis = [one for one in map(part, op.args[0]) if one.numel()], op.argument(1, "dim") or 0
    stacked = op.name == "stack"
    together = torch.stack(core(*parts), axis) if stacked else torch.cat(core(*parts, keep=axis), axis)
    return [together.expand(values(op.results[0]).shape)]


def _padded(op: Op, labels: Tensor) -> list[Tensor] | None:
    constant = op.argument(2, "mode") in (None, "constant")
    return [F.pad(labels, op.args[1], value=-1)] if constant else None


def _pooled(op: Op, labels: Tensor, results: list[Tensor]) -> list[Tensor] | None:
    digits = re.search(r"[123]", op.name)
    axes = int(digits[0]) if digits else labels.ndim - 2
    kept = _same_over(labels, tuple(range(labels.ndim - axes, labels.ndim)))
    return None if kept is None else [kept.expand(result.shape) for result in results]


def _reduced(op: Op, labels: Tensor, results: list[Tensor]) -> list[Tensor] | None:
    axes = reduced_axes(op, labels)
    kept = _same_over(labels, axes) if all(isinstance(axis, int) for axis in axes) else None
    if kept is None:
        return None
    return [(kept if kept.ndim == one.ndim else _squeezed(kept, axes)).expand(one.shape) for one in results]


def reduced_axes(op: Op, labels: Tensor) -> tuple[int, ...]:
    """The axes over which a mean, a sum and the like goes."""
    place = 2 if op.name == "norm" else 1
    asked = op.argument(place, "dim") if op.argument(place, "dim") is not None else op.kwargs.get("axis")
    return tuple(range(labels.ndim)) if asked is None else tuple(asked) if isinstance(asked, tuple | list) else (asked,)


def _over_places(op: Op, labels: Tensor, results: list[Tensor]) -> list[Tensor] | None:
    """A constant matrix that sums over places of each unit, such as the adjacency of a graph."""
    operands = op.args[1::-1] if op.name == "__rmatmul__" else op.args[:2]
    if len(op.refs) != 1 or min(getattr(one, "ndim", labels.ndim) for one in operands) < 2:
        return None
    kept = _same_over(labels, (-2 if isinstance(operands[1], Ref) else -1,))
    return None if kept is None else [kept.expand(results[0].shape)]


def _summed(op: Op, labels: Tensor, results: list[Tensor]) -> list[Tensor] | None:
    """An ``einsum`` with constants that sums over places of each unit."""
    found = subscripts(op)
    if found is None or len(op.refs) != 1:
        return None
    operands, out = found
    [mine] = [letters for operand, letters in operands if isinstance(operand, Ref)]
    gone = tuple(axis for axis, letter in enumerate(mine) if letter not in out)
    kept = _same_over(labels, gone) if gone else labels
    if kept is None or len({*mine}) < len(mine) or len({*out}) < len(out):
        return None
    left = [letter for letter in mine if letter in out]
    kept = _squeezed(kept, gone).permute([left.index(letter) for letter in out if letter in left])
    for axis, letter in enumerate(out):
        kept = kept if letter in left else kept.unsqueeze(axis)
    return [kept.expand(results[0].shape)]


def _squeezed(labels: Tensor, axes: tuple[int, ...]) -> Tensor:
    return labels.squeeze(tuple(axis % labels.ndim for axis in axes))


def _same_over(labels: Tensor, axes: tuple[int, ...]) -> Tensor | None:
    """Labels with length 1 along ``axes``; None if they differ there."""
    if labels.numel() == 0:
        return None
    [inner] = core(labels)
    low, high = inner.amin(axes, keepdim=True), inner.amax(axes, keepdim=True)
    if not torch.equal(low, high):
        return None
    gone = {axis % labels.ndim for axis in axes}
    return low.expand([1 if axis in gone else length for axis, length in enumerate(labels.shape)])


def core(*given: Tensor, keep: int | None = None) -> tuple[Tensor, ...]:
    """Tensors of one shape, of which each axis that all are only expanded along has length 1; but for one to keep."""
    for axis, size in enumerate(given[0].shape):
        if size > 1 and not any(one.stride(axis) for one in given) and keep not in (axis, axis - given[0].ndim):
            given = tuple(one.narrow(axis, 0, 1) for one in given)
    return given


def varies(labels: Tensor, axis: int) -> bool:
    """Whether labels differ along an axis."""
    [inner] = core(labels)
    return inner.shape[axis] > 1 and bool((inner != inner.narrow(axis, 0, 1)).any())


def _is_normalization_of_each(op: Op, labels: Tensor) -> bool:
    """Whether what is normalized together has one label."""
    if op.name == "instance_norm":
        return _same_over(labels, tuple(range(2, labels.ndim))) is not None
    if op.name == "group_norm":
        return _same_over(labels.reshape(len(labels), op.args[1], -1), (2,)) is not None
    if op.name in ("layer_norm", "rms_norm"):
        return _same_over(labels, tuple(range(-len(op.args[1]), 0))) is not None
    if op.name in ("softmax", "log_softmax", "normalize"):
        axis = op.argument(1 if op.name != "normalize" else 2, "dim")
        return isinstance(axis, int) and _same_over(labels, (axis,)) is not None
    return False
