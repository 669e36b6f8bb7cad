"""Tensors, and numbers that stand for them, in nested lists, tuples, dicts and slices."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor


class Ref(NamedTuple):
    """The number of a value, in place of the tensor."""

    number: int


def mapped(given: Any, change: Callable[[Any], Any]) -> Any:
    """Of nested lists, tuples and dicts with every leaf changed."""
    if isinstance(given, dict):
        return {key: mapped(value, change) for key, value in given.items()}
    if isinstance(given, slice):
        return slice(*(mapped(part, change) for part in (given.start, given.stop, given.step)))
    if isinstance(given, list | tuple) and not isinstance(given, Ref):
        changed = [mapped(value, change) for value in given]
        return changed if isinstance(given, list) else tuple(changed)
    return change(given)


def leaves(given: Any) -> list[Any]:
    found: list[Any] = []
    mapped(dict(given) if isinstance(given, Mapping) else given, found.append)
    return found


def filled(given: Any, value: Callable[[int], Tensor]) -> Any:
    return mapped(given, lambda leaf: value(leaf.number) if isinstance(leaf, Ref) else leaf)


def tensors(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [leaf for leaf in leaves(result) if isinstance(leaf, Tensor)]
