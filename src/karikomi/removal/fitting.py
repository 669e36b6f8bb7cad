"""A model that was cut made to run: numbers that its forward reshapes by are found by trying."""

from collections.abc import Callable, Mapping
from itertools import combinations, islice

from torch import nn

from karikomi.removal.cutting import WIDTHS

TRIES = 64
"""How many combinations of numbers are tried."""

LAYERS = {name for names in WIDTHS.values() for name in names}


def misfit(small: nn.Module, sizes: Mapping[str, Mapping[int, int]], wrong: Callable[[nn.Module], str]) -> str:
    """What is wrong with ``small`` whatever numbers are changed in it; "" once nothing is, with as few as that takes.

    Numbers of heads and of channels are attributes of the modules that reshape signals. Which ones is not known, only
    that they are as large as an axis was: ``split_size`` of GPT-2's attention, ``num_heads`` of others. Modules of one
    class have the same attribute changed.

    Args:
        small: a model out of which something was cut.
        sizes: by submodule how long axes of its signals were, and how long they are now.
        wrong: says of the model what is wrong with it; "" if nothing is.
    """
    found: dict[tuple[type, str], dict[int, tuple[nn.Module, int]]] = {}
    for name, changed in [*sizes.items(), *((name.rpartition(".")[0], changed) for name, changed in sizes.items())]:
        part = small.get_submodule(name)
        if any(hasattr(part, width) for width in LAYERS):
            continue
        for attribute, value in vars(part).items():
            if type(value) is int and value in changed:
                found.setdefault((type(part), attribute), {}).setdefault(id(part), (part, changed[value]))
    choices = (some for size in range(len(found) + 1) for some in combinations(found.items(), size))
    first = ""
    for chosen in islice(choices, TRIES):
        before = []
        for (_, attribute), parts in chosen:
            for part, after in parts.values():
                before.append((part, attribute, getattr(part, attribute)))
                setattr(part, attribute, after)
        problem = wrong(small)
        if not problem:
            return ""
        first = first or problem
        for part, attribute, value in before:
            setattr(part, attribute, value)
    return first
