"""Units taken out of a copy of a model: those that can be are cut out of memory, the weights of the others are 0."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from karikomi.networks.regions import core
from karikomi.removal.dimensions import Dimensions
from karikomi.removal.zeroing import zero

Lost = Mapping[str, Tensor]
"""By layer which units are removed, bool ``[units]``."""

WIDTHS = {
    ("weight", 0): ("out_features", "out_channels", "num_features", "num_parameters", "num_channels", "nf"),
    ("weight", 1): ("in_features", "in_channels", "embedding_dim", "nx"),
    ("running_mean", 0): ("num_features",),
    ("weight_ih", 1): ("input_size",),
    ("weight_hh", 1): ("hidden_size",),
}
"""By a parameter and its axis what layers call their width."""


@dataclass(frozen=True)
class Cutting:
    """A smaller copy of a model.

    Attributes:
        small: the copy.
        went: by layer which units are gone from memory, bool ``[units]``.
        sizes: by submodule how long axes of its signals were, and how long they are now.
    """

    small: nn.Module
    went: Mapping[str, np.ndarray]
    sizes: Mapping[str, Mapping[int, int]]


def taken_out(whole: nn.Module, dimensions: Dimensions, lost: Lost, layers: set[str]) -> Cutting | None:
    """A copy without the units ``lost``, those of ``layers`` cut out where that can be; None if weights disagree."""
    small, anatomy = copy.deepcopy(whole), dimensions.anatomy
    going = _going(dimensions, lost, layers)
    for part in anatomy.parts:
        if part.name in lost:
            zero(small, anatomy, part, lost[part.name])
    kept: dict[tuple[str, int], Tensor] = {}
    for one in dimensions.slices:
        stays = torch.tensor([group not in going for group in dimensions.groups(one.ids)])
        kept[one.name, one.axis] = stays
        if not stays.any() or len(stays) != _owner(small, one.name)[1].shape[one.axis]:
            return None
    for (name, axis), stays in kept.items():
        if not stays.all():
            _keep(small, name, axis, torch.nonzero(stays).flatten())
    for part in small.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()
    went = {
        part.name: np.array([group in going for group in dimensions.groups(dimensions.rows[key])])
        for part in anatomy.parts
        for key in dimensions.keys(part)[:1]
    }
    return Cutting(small, went, _sizes(dimensions, going))


def together(dimensions: Dimensions, lost: Lost) -> list[set[str]]:
    """The layers with units that can be cut out, those in one set that share a group."""
    going, sets = _going(dimensions, lost, {*lost}), list[set[str]]()
    for group in sorted(going):
        names = {
            part.name
            for part in dimensions.anatomy.parts
            for key in dimensions.keys(part)
            if part.name in lost and group in dimensions.groups(dimensions.rows[key])
        }
        apart = [some for some in sets if not some & names]
        sets = [*apart, names.union(*(some for some in sets if some & names))]
    return sets


def _going(dimensions: Dimensions, lost: Lost, layers: set[str]) -> set[int]:
    """The groups that go: all their units are removed, and nothing else depends on them."""
    members: dict[int, list[bool]] = {}
    attended = {dimensions.group(one) for one in dimensions.attended}
    named = {key: part.name for part in dimensions.anatomy.parts for key in dimensions.keys(part)}
    rows = {key: dimensions.groups(ids) for key, ids in dimensions.rows.items()}
    for key, groups in rows.items():
        if key not in named and attended.issuperset(groups):
            continue  # a projection whose units are the heads
        removed = named.get(key) in layers & lost.keys()
        some = lost[named[key]].tolist() if removed else [False] * len(groups)
        for group, is_removed in zip(groups, some, strict=True):
            members.setdefault(group, []).append(is_removed)
    fixed = {-1, *(dimensions.group(one) for one in dimensions.fixed)}
    going = {group for group, removed in members.items() if all(removed)} - fixed
    for groups in rows.values():  # no layer without any unit
        if going.issuperset(groups):
            going.discard(groups[0])
    for place in {place for place, _ in rows}:  # stacked recurrent layers and both directions have one width
        calls = [[group for group in groups if group in going] for key, groups in rows.items() if key[0] == place]
        going -= {*chain(*(some[min(map(len, calls)) :] for some in calls))}
    return going


def _keep(small: nn.Module, name: str, axis: int, places: Tensor) -> None:
    """Leave of a parameter or buffer what is at ``places``, and let the layer know its width."""
    part, values = _owner(small, name)
    own = name.rpartition(".")[2]
    left = values.detach().index_select(axis, places.to(values.device))
    setattr(part, own, nn.Parameter(left, values.requires_grad) if isinstance(values, nn.Parameter) else left)
    turned = isinstance(part, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d) or hasattr(part, "nf")
    widths = WIDTHS.get((own.removesuffix("_l0"), 1 - axis if turned else axis), ())
    for groups in ("groups", "num_groups"):
        if widths and getattr(part, groups, 1) > 1:
            setattr(part, groups, getattr(part, groups) * len(places) // values.shape[axis])
            widths += ("in_channels",)
    for width in widths:
        if hasattr(part, width):
            setattr(part, width, len(places))


def _owner(small: nn.Module, name: str) -> tuple[nn.Module, Tensor]:
    """The submodule that has a parameter or buffer, and its value."""
    owner, _, own = name.rpartition(".")
    part = small.get_submodule(owner)
    return part, getattr(part, own)


def _sizes(dimensions: Dimensions, going: set[int]) -> dict[str, dict[int, int]]:
    gone = torch.tensor([dimensions.group(one) in going for one in range(len(dimensions.parents))] + [False])
    changed: dict[int, dict[int, int]] = {}
    for number, ids in dimensions.ids.items():
        lost = gone[core(ids)[0]]
        for axis, size in enumerate(lost.shape):
            left = size - int(lost.movedim(axis, 0).flatten(1).all(1).sum())
            if 0 < left < size:
                changed.setdefault(number, {})[size] = left
    sizes: dict[str, dict[int, int]] = {}
    for op in dimensions.anatomy.tape.ops:
        for number in (*op.refs, *op.results):
            sizes.setdefault(op.module, {}).update(changed.get(number, {}))
    return {name: some for name, some in sizes.items() if some}
