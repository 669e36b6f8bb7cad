"""Which units are in a value of a forward: followed through sums, where a site (:mod:`anatomy`) ends.

A stream is a signal into which several layers write, such as the one beside the blocks of a residual network. At any
place of it are units of all of them, and who reads the place reads them all. As in :mod:`regions`, labels stand for
numbers: -1 for no unit, and one tensor of labels for each unit that there can be at one place.
"""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import PRODUCTS, weight_of
from karikomi.networks.regions import POOLING, reduced_axes, through
from karikomi.networks.tape import Op

SUMS = re.compile(r"(add|sub|subtract|rsub)_?|__[ri]?(add|sub)__")
SIDE_BY_SIDE = {"cat", "concat", "concatenate", "stack"}
NORMALIZING = {"layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm", "normalize"}
EMPTY = re.compile(r"(zeros|ones|full|empty|rand|randn)_like|new_(zeros|ones|full|empty|tensor)")

Stream = list[Tensor] | str
"""Labels of a value, one tensor or more; or why they are not known."""


def streams(anatomy: Anatomy, starts: Mapping[int, Tensor], firsts: Mapping[str, int]) -> dict[int, Stream]:
    """By value what is known of the units in it.

    Normalizations are passed over, though they tell each unit about others: they have no weights between units.

    Args:
        anatomy: the model.
        starts: by value the labels of the units that begin in it, numbered through all layers.
        firsts: by layer the number of its first unit, in order.
    """
    tape, layers = anatomy.tape, {found.place for found in anatomy.found}
    known: dict[int, Stream] = {number: [starts[number]] if number in starts else [] for number in tape.inputs}
    for place, op in enumerate(tape.ops):
        if place in layers:
            results: list[Stream] = [[starts[number]] if number in starts else [] for number in op.results]
        else:
            results = _passed(op, known, tape.values, firsts)
        known |= dict(zip(op.results, results, strict=True))
    return known


def read(op: Op, name: str, known: Mapping[int, Stream]) -> list[Tensor]:
    """Columns of the weight of a layer and the units in what they take, int64 ``[2, pairs]``, for each of the labels.

    Args:
        op: the operation that is the layer.
        name: that of the layer.
        known: as :func:`streams` gives it.

    Raises:
        InputError: if it reads what is not known, or has no single weight.
    """
    weight, _, axis = weight_of(op)
    if (
        len(op.refs) > 1
        or weight.ndim < 2
        or (op.name in PRODUCTS and weight.ndim > 2)
        or axis is None
        or op.name == "einsum"
    ):
        raise InputError(f"graph: {name} ({op.name}) is no single weight that reads a single signal")
    stream = known[op.refs[0]]
    if isinstance(stream, str):
        raise InputError(stream)
    return [_pairs(labels, axis) for labels in stream]


def _pairs(labels: Tensor, axis: int) -> Tensor:
    """Places along an axis and the labels that are there, each pair once."""
    along = labels.movedim(axis, 0).reshape(labels.shape[axis], -1)
    places, low, high = torch.arange(len(along)), along.amin(1), along.amax(1)
    if torch.equal(low, high):
        pairs = torch.stack([places, low])
    else:
        many = int(high.max()) + 2
        codes = (places[:, None] * many + along + 1).unique()
        pairs = torch.stack([codes // many, codes % many - 1])
    return pairs[:, pairs[1] >= 0]


def _passed(op: Op, known: Mapping[int, Stream], values: list[Tensor], firsts: Mapping[str, int]) -> list[Stream]:
    """What is known of the units in the results of an operation that is no layer."""
    given = dict[int, list[Tensor]]()
    for number in op.refs:
        stream = known[number]
        if isinstance(stream, str):
            return [stream for _ in op.results]
        given[number] = [] if EMPTY.fullmatch(op.name) else stream
    several = [labels for stream in given.values() for labels in stream]
    most = max(map(len, given.values()))
    if SUMS.fullmatch(op.name):
        ways = [[[labels.expand(values[op.results[0]].shape)]] for labels in several]
    elif op.name in NORMALIZING and len(given) == 1:
        ways = [[[labels]] for labels in several]
    elif op.name in SIDE_BY_SIDE or all(len(stream) == most for stream in given.values()):
        rows = [{n: stream[k] for n, stream in given.items() if k < len(stream)} for k in range(most)]
        ways = [_through(op, row, values) for row in rows]
    else:
        ways = [[]]
    if not all(ways):
        where = f" in {op.module}" if op.module else ""
        whose = ", ".join(_layers(several, firsts)[:3])
        return [f"graph: {op.name}{where} mixes the signals of {whose} without fixed weights" for _ in op.results]
    return [_distinct([found[k] for way in ways for found in way]) for k in range(len(op.results))]


def _through(op: Op, labels: Mapping[int, Tensor], values: list[Tensor]) -> list[list[Tensor]]:
    """Labels of an operation's results; several, one for each, where it sums over units; none, where it mixes them."""
    found = through(op, labels, values.__getitem__)
    if found is not None:
        return [found]
    [mine, *others] = labels.values()
    if op.name in ("mean", "sum") and not others:
        axes = reduced_axes(op, mine)
        many = math.prod(mine.shape[axis] for axis in axes)
        rows = mine.movedim(axes, tuple(range(len(axes)))).reshape(many, -1).unique(dim=0)
        return [[row.view(values[op.results[0]].shape)] for row in rows]
    if POOLING.fullmatch(op.name) and mine.ndim > 2:
        inside = mine.amax(tuple(range(2, mine.ndim)), keepdim=True).expand_as(mine)
        found = through(op, {op.refs[0]: inside}, values.__getitem__)
        return [found] if found is not None and bool(((mine < 0) | (mine == inside)).all()) else []  # it was padded
    return []


def _distinct(stream: list[Tensor]) -> list[Tensor]:
    """What is added to itself is there once."""
    kept = list[Tensor]()
    for labels in stream:
        if not any(torch.equal(labels, there) for there in kept):
            kept.append(labels)
    return kept


def _layers(labels: list[Tensor], firsts: Mapping[str, int]) -> list[str]:
    """The layers that have units in a stream."""
    numbers = torch.cat([some.flatten() for some in labels]).unique()
    places = torch.bucketize(numbers[numbers >= 0], torch.tensor(list(firsts.values())), right=True) - 1
    return [list(firsts)[place] for place in places.unique().tolist()]
