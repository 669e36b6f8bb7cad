"""Removed units taken out of the model itself, which becomes smaller in memory and faster everywhere."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.architecture import Architecture
from karikomi.networks.cuts import Cuts
from karikomi.networks.detection import WITH_PROJECTIONS
from karikomi.networks.layers import Numbers
from karikomi.networks.parts import Part
from karikomi.networks.samples import first_tensor, inputs_of
from karikomi.networks.tape import record, unwrapped
from karikomi.removal.attention import in_parts
from karikomi.removal.cost import multiply_adds
from karikomi.removal.cutting import Cutting, Lost, taken_out, together
from karikomi.removal.dimensions import Dimensions
from karikomi.removal.fitting import misfit

TOLERANCE = 1e-5
"""How far outputs may be from those of the lesioned model, as a share of the largest; 8 ulp in low precision."""


@dataclass(frozen=True)
class Shrunk:
    """What became of a model; ``shrink`` gives it to the small one as ``shrunk``, which prints as a few lines.

    Attributes:
        parameters: before and after.
        multiply_adds: of products and convolutions, for one example, before and after.
        cut: numbers of the units that are gone from memory.
        zeroed: numbers of those that could not be cut out: their weights are 0.
        why: by layer why units of it were not cut out.
    """

    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    cut: np.ndarray
    zeroed: np.ndarray
    why: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        counts = {"parameters": self.parameters, "multiply-adds": self.multiply_adds}
        lines = [f"{name}: {before:,} → {after:,}" for name, (before, after) in counts.items()]
        lines.append(f"units: {len(self.cut):,} cut out, {len(self.zeroed):,} with weights of 0")
        return "\n".join([*lines, *(f"{layer}: {reason}" for layer, reason in self.why.items())])


def shrink(model: nn.Module, removed: Numbers | Mapping[str, Numbers], x: Any = None) -> nn.Module:
    """A smaller model that gives the outputs of ``model`` without the hidden units ``removed``.

    Removed are their rows, biases and normalization, and every weight that reads them; of a head its rows of query,
    key and value; of a recurrent unit those of all gates. Where a unit shares its place with others (channels that are
    added, gates, query heads of one key), it goes if all of them do; else its weights become 0. So they do where the
    cut model would not run, or give anything else: outputs are compared first. Attributes that a forward reshapes by,
    such as ``num_heads``, are changed with it; an ``nn.MultiheadAttention``, which takes no fewer heads, becomes a
    :class:`karikomi.removal.attention.Attention`. Weights that are computed from others (pruning, parametrizations) are
    made permanent.

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
    >>> smaller.fc2
    Linear(in_features=250, out_features=100, bias=True)
    >>> print(smaller.shrunk)
    parameters: 266,610 → 222,360
    multiply-adds: 266,200 → 222,000
    units: 50 cut out, 0 with weights of 0
    """
    whole = permanent(unwrapped(model))
    if isinstance(x, Mapping):
        raise InputError("shrink takes inputs in order, not by name")
    architecture = Architecture(whole, None if x is None else inputs_of(x, first_tensor(whole))[0])
    gone = np.isin(np.arange(architecture.units), architecture.unit_numbers(removed))
    architecture = _with_attention_in_parts(architecture, gone)
    whole, anatomy = architecture.module, architecture.anatomy
    with torch.no_grad():
        expected = Cuts(anatomy, anatomy.parts).without(anatomy.tape, gone, {}, anatomy.tape.result)
    given = tuple(anatomy.tape.values[number] for number in anatomy.tape.inputs)
    ends = np.cumsum([part.units for part in anatomy.parts])
    parts = zip(anatomy.parts, np.split(gone, ends), strict=False)
    lost = {part.name: torch.from_numpy(some) for part, some in parts if some.any()}
    dimensions, wrong = Dimensions(anatomy, whole), partial(_wrong, given=given, expected=expected)
    layers, problems = _cut(whole, dimensions, lost, wrong)
    made, problem = _tried(whole, dimensions, lost, layers, wrong)
    if made is None or problem:
        raise InputError(_why_not(anatomy, lost))
    went = np.concatenate([made.went.get(part.name, np.zeros(part.units, bool)) for part in anatomy.parts] or [gone])
    cut, zeroed = np.flatnonzero(gone & went), np.flatnonzero(gone & ~went)
    left = [anatomy.parts[k] for k in np.unique(architecture.layer_of[zeroed])]
    made.small.shrunk = Shrunk(  # type: ignore[assignment]
        (_parameters(whole), _parameters(made.small)),
        (multiply_adds(whole, given), multiply_adds(made.small, given)),
        cut,
        zeroed,
        {part.name: problems.get(part.name) or _why_zeroed(dimensions, part, lost[part.name]) for part in left},
    )
    return made.small


def _with_attention_in_parts(architecture: Architecture, gone: np.ndarray) -> Architecture:
    """The same model, its ``nn.MultiheadAttention`` in parts where it loses heads, if that can be."""
    anatomy, ends = architecture.anatomy, np.cumsum([part.units for part in architecture.anatomy.parts])
    names = [
        part.name
        for part, some in zip(anatomy.parts, np.split(gone, ends), strict=False)
        if some.any() and anatomy.tape.ops[part.calls[0]].name == WITH_PROJECTIONS
    ]
    apart = copy.deepcopy(architecture.module)
    if not names or not in_parts(apart, names):
        return architecture
    other = Architecture(apart, tuple(anatomy.tape.values[number] for number in anatomy.tape.inputs))
    try:
        return other if other.hidden_units == architecture.hidden_units else architecture
    except InputError:
        return architecture


def _cut(
    whole: nn.Module, dimensions: Dimensions, lost: Lost, wrong: Callable[[nn.Module], str]
) -> tuple[set[str], dict[str, str]]:
    """The layers out of which units can be cut, and by layer what is wrong with a model out of which they were."""
    sets, cut, problems = together(dimensions, lost), set[str](), dict[str, str]()
    for some in ([set[str]().union(*sets)] if len(sets) > 1 else []) + sets:
        if some <= cut:
            continue
        _, problem = _tried(whole, dimensions, lost, cut | some, wrong)
        problems |= dict.fromkeys(some, problem)
        cut |= set() if problem else some
    return cut, problems


def _tried(
    whole: nn.Module, dimensions: Dimensions, lost: Lost, layers: set[str], wrong: Callable[[nn.Module], str]
) -> tuple[Cutting | None, str]:
    made = taken_out(whole, dimensions, lost, layers)
    if made is None:
        return None, "its weights are used in several places"
    return made, misfit(made.small, made.sizes, wrong)


def permanent(model: nn.Module) -> nn.Module:
    """A copy whose weights are computed from nothing."""
    # What a hook has computed of a weight is no leaf, which cannot be copied; it is computed again.
    computed = [v for part in model.modules() for v in vars(part).values() if isinstance(v, Tensor) and not v.is_leaf]
    made = copy.deepcopy(model, {id(value): value.detach().clone() for value in computed})
    for part in list(made.modules()):
        if parametrize.is_parametrized(part):  # the class is made for one module, and the copy has the same
            own = {name: value for name, value in vars(type(part)).items() if name not in ("__dict__", "__weakref__")}
            part.__class__ = type(type(part).__name__, type(part).__bases__, own)  # pyright: ignore[reportAttributeAccessIssue]
        for name in list(getattr(part, "parametrizations", {})):
            parametrize.remove_parametrizations(part, name)
        for hook in [*part._forward_pre_hooks.values()]:
            if isinstance(hook, WeightNorm):
                remove_weight_norm(part, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(part, hook.name)
        if prune.is_pruned(part):
            for name in [name.removesuffix("_orig") for name, _ in part.named_parameters(recurse=False)]:
                if hasattr(part, f"{name}_mask"):
                    prune.remove(part, name)
    return made


def _wrong(small: nn.Module, given: Sequence[Tensor], expected: Tensor) -> str:
    """How a model differs from the lesioned one; "" if it does not."""
    try:
        with torch.no_grad():
            tape = record(small, given)
    except InputError as problem:
        return f"the smaller model does not run ({str(problem).rpartition(': ')[2]})"
    found = tape.values[tape.result]
    if found.shape != expected.shape:
        return "the smaller model gives outputs of another shape"
    scale = float(expected.abs().max()) or 1.0
    far = float((found - expected).abs().max()) / scale
    tolerance = max(TOLERANCE, 8 * torch.finfo(expected.dtype).eps)
    return "" if far <= tolerance else f"outputs of the smaller model would be off by {far:.1g} of the largest"


def _why_zeroed(dimensions: Dimensions, part: Part, lost: Tensor) -> str:
    """Why units of a layer are in no group that can go."""
    if dimensions.anatomy.tape.ops[part.calls[0]].name == WITH_PROJECTIONS:
        return "it is no plain nn.MultiheadAttention, which has heads for all of its width"
    if lost.all():
        return "a layer keeps one unit"
    return "they share places, a normalization or an operation that takes all of its input with units that stay"


def _why_not(anatomy: Anatomy, lost: Lost) -> str:
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
