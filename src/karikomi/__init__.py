"""Experiments on neural networks that lose parts of themselves."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from karikomi import torch as torch
    from karikomi.api import compare as compare
    from karikomi.api import load as load
    from karikomi.api import plan as plan
    from karikomi.api import reproduce as reproduce
    from karikomi.data.dataset import Dataset as Dataset
    from karikomi.description import describe as describe
    from karikomi.errors import InputError as InputError
    from karikomi.onnx import export as export
    from karikomi.own import graph as graph
    from karikomi.own import knock_out as knock_out
    from karikomi.own import lesion_curve as lesion_curve
    from karikomi.own import shapley as shapley
    from karikomi.registration import register as register
    from karikomi.removal.shrink import shrink as shrink
    from karikomi.runs.checkpoint import load_network as load_network
    from karikomi.tickets import load_ticket as load_ticket
    from karikomi.tickets import save_ticket as save_ticket
    from karikomi.training import train as train

    __version__: str

# Loaded when first used, so that ``karikomi --help`` does not wait for torch. Beside them a function per study, and the
# module ``karikomi.torch``.
_HOMES = {
    "Dataset": "karikomi.data.dataset",
    "InputError": "karikomi.errors",
    "compare": "karikomi.api",
    "describe": "karikomi.description",
    "export": "karikomi.onnx",
    "graph": "karikomi.own",
    "knock_out": "karikomi.own",
    "lesion_curve": "karikomi.own",
    "load": "karikomi.api",
    "load_network": "karikomi.runs.checkpoint",
    "load_ticket": "karikomi.tickets",
    "plan": "karikomi.api",
    "reproduce": "karikomi.api",
    "register": "karikomi.registration",
    "save_ticket": "karikomi.tickets",
    "shapley": "karikomi.own",
    "shrink": "karikomi.removal.shrink",
    "train": "karikomi.training",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("karikomi")
    if name not in __dir__():
        raise AttributeError(f"module 'karikomi' has no attribute {name!r}")
    if name == "torch":
        return import_module("karikomi.torch")
    return getattr(import_module(_HOMES.get(name, "karikomi.api")), name)


def __dir__() -> list[str]:
    from karikomi.studies import STUDIES

    return sorted([*_HOMES, *STUDIES, "torch"])
