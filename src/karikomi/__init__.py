"""Experiments on neural networks that lose parts of themselves."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from karikomi.api import ageing, compare, importance, lesion, load, lottery
    from karikomi.data.dataset import Dataset
    from karikomi.errors import InputError
    from karikomi.own import graph, knock_out, lesion_curve, shapley
    from karikomi.removal.shrink import shrink
    from karikomi.runs.checkpoint import load_network

# Loaded when first used, so that ``karikomi --help`` does not wait for torch.
_HOMES = {
    "Dataset": "karikomi.data.dataset",
    "InputError": "karikomi.errors",
    "ageing": "karikomi.api",
    "compare": "karikomi.api",
    "graph": "karikomi.own",
    "knock_out": "karikomi.own",
    "importance": "karikomi.api",
    "lesion": "karikomi.api",
    "lesion_curve": "karikomi.own",
    "load": "karikomi.api",
    "load_network": "karikomi.runs.checkpoint",
    "lottery": "karikomi.api",
    "shapley": "karikomi.own",
    "shrink": "karikomi.removal.shrink",
}

__all__ = [
    "Dataset",
    "InputError",
    "ageing",
    "compare",
    "graph",
    "importance",
    "knock_out",
    "lesion",
    "lesion_curve",
    "load",
    "load_network",
    "lottery",
    "shapley",
    "shrink",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'karikomi' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
