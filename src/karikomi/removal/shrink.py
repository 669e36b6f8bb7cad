"""Removed units taken out of the model itself, which becomes smaller in memory and faster everywhere."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.architecture import Architecture
from karikomi.networks.cuts import Cuts
from karikomi.networks.detection import CONVOLUTIONS
from karikomi.networks.layers import Numbers
from karikomi.networks.samples import first_tensor, inputs_of
from karikomi.networks.tape import Tape, record, unwrapped
from karikomi.removal.dimensions import Dimensions
from karikomi.removal.zeroing import zero

TOLERANCE = 1e-4
"""How far outputs may be from those of the lesioned model, as a share of the largest."""

WIDTHS = {
    0: ("out_features", "out_channels", "num_features", "num_parameters"),
    1: ("in_features", "in_channels", "embedding_dim"),
}


@dataclass(frozen=True)
class Shrunk:
    """What became of a model; ``shrink`` gives it to the small one as ``shrunk``.

    Attributes:
        parameters: before and after.
        multiply_adds: of linear and convolutional layers, for one example, before and after.
        cut: numbers of the units that are gone from memory.
        zeroed: numbers of those that could not be cut out: their weights are 0.
    """

    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    cut: np.ndarray
    zeroed: np.ndarray


def shrink(model: nn.Module, removed: Numbers | Mapping[str, Numbers], x: Any = None) -> nn.Module:
    """A smaller model that gives the outputs of ``model`` without the hidden units ``removed``.

    Removed are their rows, biases and normalization, and every weight that reads them. Where a unit shares its place
    with others (channels that are added, what is normalized together), it goes if all of them do; else its weights
    become 0. Weights that are computed from others (pruning, parametrizations) are made permanent.

    Args:
        model: any module.
        removed: unit numbers, or by layer the indices in it, as :func:`karikomi.knock_out` counts them.
        x: an input or several, as the model takes it; guessed if not given.

    Returns:
        A new model of the class, device and mode of ``model``, which stays as it is; ``.shrunk`` says what went. A
        layer that loses all its units keeps one, which nothing reads.

    Raises:
        InputError: for an unknown or repeated unit, and one that cannot be taken out.

    References:
        Fang et al. 2023, DepGraph: Towards any structural pruning (arXiv 2301.12900).

    >>> from karikomi.networks.mlp import mlp
    >>> smaller = shrink(mlp((28, 28), (300, 100), 10), {"fc1": range(50)})
    >>> smaller.fc2, smaller.shrunk.parameters
    (Linear(in_features=250, out_features=100, bias=True), (266610, 222360))
    """
    whole = permanent(unwrapped(model))
    if isinstance(x, Mapping):
        raise InputError("shrink takes inputs in order, not by name")
    architecture = Architecture(whole, None if x is None else inputs_of(x, first_tensor(whole))[0])
    anatomy, numbers = architecture.anatomy, architecture.unit_numbers(removed)
    gone = np.isin(np.arange(architecture.units), numbers)
    with torch.no_grad():
        expected = Cuts(anatomy, anatomy.parts).without(anatomy.tape, gone, {}, anatomy.tape.result)
    given = tuple(anatomy.tape.values[number] for number in anatomy.tape.inputs)
    ends = np.cumsum([part.units for part in anatomy.parts])
    lost = {part.name: torch.from_numpy(some) for part, some in zip(anatomy.parts, np.split(gone, ends), strict=False)}
    dimensions, cut = Dimensions(anatomy), set[str]()
    for choice in ({*lost}, *({name} for name in lost)):
        if choice <= cut:
            continue
        tried = _taken_out(whole, anatomy, dimensions, lost, cut | choice)
        if tried is not None and _same(tried[0], given, expected):
            cut |= choice
    small, went = _taken_out(whole, anatomy, dimensions, lost, cut) or (whole, {})
    if not _same(small, given, expected):
        raise InputError(_why_not(anatomy, lost))
    after = record(small, given)
    by_unit = np.concatenate([went.get(part.name, np.zeros(part.units, bool)) for part in anatomy.parts] or [gone])
    small.shrunk = Shrunk(  # type: ignore[assignment]
        (_parameters(whole), _parameters(small)),
        (multiply_adds(anatomy.tape), multiply_adds(after)),
        np.flatnonzero(gone & by_unit),
        np.flatnonzero(gone & ~by_unit),
    )
    return small


def multiply_adds(tape: Tape) -> int:
    """Products in the linear and convolutional layers, for one of the examples on the tape."""
    total = 0
    for op in tape.ops:
        weight = op.argument(1, "weight") if op.name in ("linear", *CONVOLUTIONS) else None
        if isinstance(weight, Tensor):
            total += tape.values[op.results[0]].numel() * weight.shape[1:].numel()
    return total // len(tape.values[tape.inputs[0]])


def permanent(model: nn.Module) -> nn.Module:
    """A copy whose weights are computed from nothing."""
    # What a hook has computed of a weight is no leaf, which cannot be copied; it is computed again.
    computed = [v for part in model.modules() for v in vars(part).values() if isinstance(v, Tensor) and not v.is_leaf]
    made = copy.deepcopy(model, {id(value): value.detach().clone() for value in computed})
    for part in list(made.modules()):
        for name in list(getattr(part, "parametrizations", {})):
            parametrize.remove_parametrizations(part, name)
        if prune.is_pruned(part):
            for name in [name.removesuffix("_orig") for name, _ in part.named_parameters(recurse=False)]:
                if hasattr(part, f"{name}_mask"):
                    prune.remove(part, name)
    return made


def _taken_out(
    whole: nn.Module, anatomy: Anatomy, dimensions: Dimensions, lost: Mapping[str, Tensor], layers: set[str]
) -> tuple[nn.Module, dict[str, np.ndarray]] | None:
    """A copy without the units, those of ``layers`` cut out where that can be, and by layer which ones were cut out."""
    small = copy.deepcopy(whole)
    going = _groups(anatomy, dimensions, lost, layers)
    for part in anatomy.parts:
        if lost[part.name].any():
            zero(small, anatomy, part, lost[part.name])
    kept: dict[tuple[str, int], Tensor] = {}
    for one in dimensions.slices:
        stays = torch.tensor([group not in going for group in dimensions.groups(one.ids)])
        before = kept.get((one.name, one.axis))
        if before is not None and not torch.equal(before, stays):
            return None
        kept[one.name, one.axis] = stays
    if any(not stays.any() for stays in kept.values()):
        return None
    for (name, axis), stays in kept.items():
        if not stays.all():
            _keep(small, name, axis, torch.nonzero(stays).flatten())
    went = {}
    for part in anatomy.parts:
        if part.calls[0] in dimensions.rows:
            went[part.name] = np.array([group in going for group in dimensions.groups(dimensions.rows[part.calls[0]])])
    return small, went


def _groups(anatomy: Anatomy, dimensions: Dimensions, lost: Mapping[str, Tensor], layers: set[str]) -> set[int]:
    """The groups that go: all their units are removed, and nothing else depends on them."""
    members: dict[int, list[bool]] = {}
    fixed = {dimensions.group(one) for one in dimensions.fixed}
    named = {place: part for part in anatomy.parts for place in part.calls}
    for place, ids in dimensions.rows.items():
        part = named.get(place)
        some = lost[part.name] if part and part.name in layers else torch.zeros(len(ids), dtype=torch.bool)
        groups = dimensions.groups(ids)
        for group, removed in zip(groups, some.tolist(), strict=True):
            members.setdefault(group, []).append(removed)
    going = {group for group, removed in members.items() if all(removed)} - fixed
    for ids in dimensions.rows.values():  # no layer without any unit
        groups = dimensions.groups(ids)
        if going.issuperset(groups):
            going.discard(groups[0])
    return going


def _keep(small: nn.Module, name: str, axis: int, places: Tensor) -> None:
    """Leave of a parameter or buffer what is at ``places``, and let the layer know its width."""
    owner, _, own = name.rpartition(".")
    part = small.get_submodule(owner)
    values = getattr(part, own)
    left = values.detach().index_select(axis, places.to(values.device))
    setattr(part, own, nn.Parameter(left, values.requires_grad) if isinstance(values, nn.Parameter) else left)
    if own != "weight":
        return
    transposed = isinstance(part, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    grouped = getattr(part, "groups", 1) > 1
    for width in (*WIDTHS[1 - axis if transposed else axis], *(("groups", "in_channels") if grouped else ())):
        if hasattr(part, width):
            setattr(part, width, len(places))


def _same(small: nn.Module, given: tuple[Tensor, ...], expected: Tensor) -> bool:
    try:
        with torch.no_grad():
            tape = record(small, given)
    except InputError:
        return False
    found = tape.values[tape.result]
    scale = float(expected.detach().abs().max()) or 1.0
    return found.shape == expected.shape and bool(((found - expected).abs() <= TOLERANCE * scale).all())


def _why_not(anatomy: Anatomy, lost: Mapping[str, Tensor]) -> str:
    names = [name for name, some in lost.items() if some.any()]
    readers = {
        anatomy.tape.ops[place].name
        for part in anatomy.parts
        if part.name in names
        for site in part.sites
        for place in site.readers
    }
    return (
        f"units of {', '.join(names)} cannot be taken out of the model: their signal goes to"
        f" {', '.join(sorted(readers))}, where no weight can be 0 in their place"
    )


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
