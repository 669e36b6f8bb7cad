"""Networks by name. To add one: write a plain ``nn.Module`` in a file here, and give it a line below."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karikomi.errors import InputError, unknown
from karikomi.networks.modular import Layout, Modular, lay_out
from karikomi.registry import Entry, Registry, later

if TYPE_CHECKING:
    from torch import nn

    from karikomi.networks.architecture import Architecture

_WIDTH = "(-[1-9][0-9]{0,5})"


@dataclass(frozen=True)
class Network(Entry):
    """A network: ``function`` takes its name, the shape of a sample and the number of classes, and builds the module.

    Attributes:
        pattern: for a family of networks, what its names look like.
        example: one of them.
        file: of a network of yours, the Python file that its function is in.
    """

    pattern: str = ""
    example: str = ""
    file: str = ""


class Networks(Registry[Network]):
    """Networks and families of networks."""

    def find(self, name: str) -> Network:
        if written := re.fullmatch(r"(.+\.py):(\w+)", name):
            return _in_file(*written.groups())
        if name in self and not self[name].pattern:
            return self[name]
        kin = [form for form in self if self[form].pattern and form.partition("-")[0] == name.partition("-")[0]]
        if not kin:
            raise unknown(self.kind, name, self)
        if re.fullmatch(self[kin[0]].pattern, name) is None:
            raise InputError(
                f"network {name!r} is not of the form {kin[0]}: a {self[kin[0]].meaning}; for example"
                f" {self[kin[0]].example}"
            )
        return self[kin[0]]


_perceptron = later("karikomi.networks.mlp:build")
NETWORKS = Networks(
    "network",
    {
        "lenet-300-100": Network(
            _perceptron, "perceptron of the lottery ticket paper, ReLU", paper="LeCun et al. 1998"
        ),
        "mlp-<h1>-<h2>-…": Network(
            _perceptron, "perceptron with these hidden layers and ReLU", pattern=f"mlp{_WIDTH}+", example="mlp-256-256"
        ),
        "modular-<groups>-<h1>-<h2>-<h3>-…": Network(
            _perceptron,
            "perceptron of groups in space, at least three hidden layers, few long-range links",
            paper="Achterberg et al. 2023",
            pattern=f"modular{_WIDTH}{{4,}}",
            example="modular-5-100-400-100",
        ),
    },
)


@lru_cache
def _in_file(path: str, name: str) -> Network:
    """The network that a function in a file of yours builds, from the shape of a sample and the number of classes."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise InputError(f"there is no file {path}; a network of your own is FILE.py:FUNCTION")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise InputError(f"{path} cannot be run: {type(problem).__name__}: {problem}") from problem
    function = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"{path} has no function {name}; it must give an nn.Module")
    code = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Network(building(function, f"{name} in {path}"), f"{name} in {path}", code=code, file=path)


def building(function: Callable[..., Any], where: str) -> Callable[[str, tuple[int, ...], int], nn.Module]:
    """What builds a network by a function of yours, which takes nothing, or a sample's shape and the number of classes.

    Args:
        function: gives a module.
        where: what messages call it.

    Raises:
        InputError: if it asks for other arguments; later, if it raises, or gives no module.
    """
    known = [each for each in inspect.signature(function).parameters.values() if each.kind is not each.VAR_POSITIONAL]
    required = [each.name for each in known if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    positional = [each for each in known if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    takes = min(2, len(positional)) if required else 0
    if not {*required} <= {each.name for each in positional[:takes]}:
        raise InputError(
            f"{where} asks for {', '.join(required)}; it takes nothing, or a sample's shape and the number of classes"
        )

    def build(_: str, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
        from torch import nn

        try:
            module = function(*(sample_shape, classes)[:takes])
        except Exception as problem:
            reason = (str(problem).strip().splitlines() or [""])[0]
            raise InputError(f"{where} cannot build the network: {type(problem).__name__}: {reason}") from problem
        if not isinstance(module, nn.Module):
            raise InputError(f"{where} must give an nn.Module; it gives a {type(module).__name__}")
        return module

    return build


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network called ``name`` for samples of ``sample_shape``, with PyTorch's own initial weights.

    Which links a modular network has is not in the module but in its masks, which
    :func:`karikomi.networks.modular.wire` draws for its :func:`layout`.

    >>> sum(p.numel() for p in build("lenet-300-100", (28, 28), 10).parameters())
    266610

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    return NETWORKS.find(check_network(name)).function(name, sample_shape, classes)


def check_network(name: str) -> str:
    """The name, once it is sure that there is such a network.

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    NETWORKS.find(name)
    group_count(name)
    return name


def group_count(name: str) -> int | None:
    """How many groups the network called ``name`` has; None if it is not a modular one.

    >>> group_count("modular-5-100-400-100")
    5

    Raises:
        InputError: for groups that its hidden layers have no room for.
    """
    if not name.startswith("modular-"):
        return None
    groups, *hidden = (int(number) for number in name.split("-")[1:])
    if not 2 <= groups <= min(hidden[1:-1]):
        raise InputError(
            f"network {name!r} needs 2 groups or more, and a unit for each in all hidden layers but the first and last"
        )
    return groups


def layout(name: str, architecture: Architecture, modular: Modular) -> Layout | None:
    """Groups and places of the units of the network called ``name``; None if it is not a modular one.

    Raises:
        InputError: if ``modular`` names a group that the network does not have, or nothing could cross.
    """
    groups = group_count(name)
    return None if groups is None else lay_out(architecture, groups, *modular.ends(groups))
