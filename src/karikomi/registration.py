"""Your own criteria, networks and data sets, by name beside those that are built in."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from karikomi.data import DATASETS
from karikomi.errors import InputError, unknown
from karikomi.networks import NETWORKS
from karikomi.registry import Entry, Registry, code_of
from karikomi.removal.scores import LINK_CRITERIA, UNIT_CRITERIA

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

    References:
        Lee et al. 2019, SNIP (arXiv 1810.02340), for the example.

    >>> @register("link criterion", "snip", paper="Lee et al. 2019")
    ... def snip(evidence):
    ...     "|w · ∂L/∂w| at the initial weights."
    ...     return {n: abs(evidence.initial[n] * g) for n, g in evidence.gradients().items()}
    >>> LINK_CRITERIA["snip"].meaning
    '|w · ∂L/∂w| at the initial weights.'
    """
    if kind not in REGISTRIES:
        raise unknown("kind", kind, REGISTRIES)

    def decorate(function: F) -> F:
        said = meaning or (function.__doc__ or "").strip().partition("\n")[0]
        if not said:
            raise InputError(f"say in a line what {name!r} is: give it a docstring, or meaning=…")
        REGISTRIES[kind].add(name, Entry(function, said, needs, paper, code_of(function)))
        return function

    return decorate
