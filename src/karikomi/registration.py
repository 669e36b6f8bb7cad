"""Your own criteria, networks and data sets, by name beside those that are built in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from karikomi.data import DATASETS, load
from karikomi.errors import InputError, unknown
from karikomi.networks import NETWORKS, Network, building
from karikomi.registry import Entry, Registry, code_of
from karikomi.removal.scores import LINK_CRITERIA, UNIT_CRITERIA, LinkCriterion

if TYPE_CHECKING:
    from torch import nn

    from karikomi.data.dataset import Dataset

Kind = Literal["link criterion", "unit criterion", "network", "data set"]
REGISTRIES: dict[Kind, Registry[Any]] = {
    "link criterion": LINK_CRITERIA,
    "unit criterion": UNIT_CRITERIA,
    "network": NETWORKS,
    "data set": DATASETS,
}

F = TypeVar("F", bound=Callable[..., Any])


def register(
    kind: Kind, name: str, *, meaning: str = "", needs: tuple[str, ...] = (), paper: str = ""
) -> Callable[[F], F]:
    """A decorator that gives a function of yours a name which the studies' settings take.

    The code of the file that it is written in is part of a run's identity: change it, and the run is another one.

    Args:
        kind: ``link criterion``: takes :class:`~karikomi.removal.scores.Evidence`, gives scores by weight; ``unit
            criterion``: takes :class:`~karikomi.removal.scores.UnitEvidence`, gives ``[units]``; ``network``: takes the
            name, the shape of a sample and the number of classes, gives an ``nn.Module``; ``data set``: takes the name,
            gives a :class:`~karikomi.Dataset`.
        name: what settings call it.
        meaning: one line about it; by default the first line of the function's docstring.
        needs: of a unit criterion, what has to be measured for it, for example ``("activations",)``.
        paper: where it comes from.

    Returns:
        A decorator, which gives the function back.

    Raises:
        InputError: for an unknown kind, a name that is built in, or code that cannot be read.

    >>> @register("link criterion", "steepest")
    ... def steepest(evidence):
    ...     "|∂L/∂w|."
    ...     return {name: abs(gradient) for name, gradient in evidence.gradients().items()}
    >>> LINK_CRITERIA["steepest"].meaning
    '|∂L/∂w|.'
    """
    if kind not in REGISTRIES:
        raise unknown("kind", kind, REGISTRIES)

    def decorate(function: F) -> F:
        said = meaning or (function.__doc__ or "").strip().partition("\n")[0]
        if not said:
            raise InputError(f"say in a line what {name!r} is: give it a docstring, or meaning=…")
        entry = LinkCriterion if kind == "link criterion" else Entry
        REGISTRIES[kind].add(name, entry(function, said, needs, paper, code_of(function)))
        return function

    return decorate


def register_model(model: nn.Module | Callable[..., nn.Module], data: Dataset | str) -> str:
    """The name by which settings can call a network of yours: that of its function or class, and its fingerprint.

    The fingerprint is of the code, as in :func:`register`, and of the layers that are built, so that a function which
    builds another network than before, of a width that lies elsewhere, is another one.

    Args:
        model: what builds the network, or a module.
        data: what it is built for, or the name of it.

    Raises:
        InputError: if it cannot be built, its code cannot be read, or a module has weights that no layer draws anew.
    """
    from torch import nn

    if isinstance(model, nn.Module):
        where, code, function = type(model).__name__, code_of(type(model)), _afresh(model)
    else:
        where, code, function = getattr(model, "__name__", type(model).__name__), code_of(model), model
    build, given = building(function, where), load(data) if isinstance(data, str) else data
    module = build(where, given.sample_shape, given.classes)
    shapes = [(name, tuple(value.shape)) for name, value in module.state_dict().items()]
    code = hashlib.sha256(f"{code} {module} {shapes}".encode()).hexdigest()
    name = f"{where}:{code[:8]}"
    NETWORKS.add(name, Network(build, f"{where}, given from Python", code=code))
    return name


def _afresh(model: nn.Module) -> Callable[[], nn.Module]:
    """What gives copies of a module with weights drawn anew."""
    for name, part in model.named_modules():
        own = next((own for own, _ in part.named_parameters(recurse=False)), None)
        if own and not _reset_of(part):
            which = f"{name}.{own}".removeprefix(".")
            raise InputError(f"nothing draws {which} of the model anew; give a function that builds it: model=build")

    def build() -> nn.Module:
        copy = deepcopy(model)
        for reset in filter(None, map(_reset_of, copy.modules())):
            reset()
        return copy

    return build


def _reset_of(part: nn.Module) -> Callable[[], None] | None:
    """PyTorch's attention has it under another name."""
    return getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
