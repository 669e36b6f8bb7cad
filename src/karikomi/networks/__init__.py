"""Networks by name. To add one: write a plain ``nn.Module`` in a file here, and give it a line below."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from karikomi.errors import InputError, unknown
from karikomi.networks.modular import Layout, Modular, lay_out
from karikomi.registry import Entry, Registry, later

if TYPE_CHECKING:
    from torch import nn

    from karikomi.networks.architecture import Architecture

_WIDTH = "(-[1-9][0-9]{0,5})"

Activation = Literal["relu", "tanh", "gelu", "silu", "sigmoid"]
Normalization = Literal["none", "batch", "layer"]
OPTIONS = ("activation", "dropout", "normalization")
"""What can be chosen of some networks beside their names."""


@dataclass(frozen=True)
class Network(Entry):
    """A network: ``function`` takes its name, the shape of a sample and the number of classes, and builds the module.

    Attributes:
        options: which of ``OPTIONS`` it takes, by name.
        pattern: for a family of networks, what its names look like.
        example: one of them.
        file: of a network of yours, the Python file that its function is in.
    """

    options: tuple[str, ...] = ()
    pattern: str = ""
    example: str = ""
    file: str = ""


class Networks(Registry[Network]):
    """Networks and families of networks."""

    def add(self, name: str, entry: Entry) -> None:
        super().add(name, Network(**vars(entry)))

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
_conv = later("karikomi.networks.convolutional:conv")
_resnet = later("karikomi.networks.resnet:build")
_LOTTERY = "Frankle & Carbin 2019"
NETWORKS = Networks(
    "network",
    {
        "lenet-300-100": Network(
            _perceptron, "perceptron of the lottery ticket paper, ReLU", paper="LeCun et al. 1998", options=OPTIONS
        ),
        "mlp-<h1>-<h2>-…": Network(
            _perceptron,
            "perceptron with these hidden layers and ReLU",
            options=OPTIONS,
            pattern=f"mlp{_WIDTH}+",
            example="mlp-256-256",
        ),
        "modular-<groups>-<h1>-<h2>-<h3>-…": Network(
            _perceptron,
            "perceptron of groups in space, at least three hidden layers, few long-range links",
            paper="Achterberg et al. 2023",
            pattern=f"modular{_WIDTH}{{4,}}",
            example="modular-5-100-400-100",
        ),
        "lenet-5": Network(
            later("karikomi.networks.convolutional:lenet_5"),
            "two convolutions and a perceptron, ReLU and max pooling",
            paper="LeCun et al. 1998",
        ),
        "conv-2": Network(_conv, "two convolutions of 64 channels and a perceptron", paper=_LOTTERY),
        "conv-4": Network(_conv, "conv-2 with two convolutions of 128 channels more", paper=_LOTTERY),
        "conv-6": Network(_conv, "conv-4 with two convolutions of 256 channels more", paper=_LOTTERY),
        "conv-2-small": Network(_conv, "conv-2 with an eighth of its units", paper=_LOTTERY),
        "conv-4-small": Network(_conv, "conv-4 with an eighth of its units", paper=_LOTTERY),
        "conv-6-small": Network(_conv, "conv-6 with an eighth of its units", paper=_LOTTERY),
        "vgg-11-small": Network(
            later("karikomi.networks.convolutional:vgg_11_small"),
            "eight convolutions, batch normalization, an eighth of VGG-11's channels",
            paper="Simonyan & Zisserman 2015",
        ),
        "resnet-8": Network(_resnet, "three residual blocks of 16, 32 and 64 channels", paper="He et al. 2016"),
        "resnet-20": Network(_resnet, "nine residual blocks of 16, 32 and 64 channels", paper="He et al. 2016"),
        "vit": Network(
            later("karikomi.networks.transformer:build"),
            "vision transformer: three blocks of attention over patches, 32 units, 4 heads",
            paper="Dosovitskiy et al. 2021",
        ),
        "patch-gnn": Network(
            later("karikomi.networks.patches:build"),
            "three rounds of messages over a grid of patches, 64 features",
            paper="Hamilton et al. 2017",
        ),
        "gru": Network(
            later("karikomi.networks.recurrent:build"),
            "64 gated recurrent units that read an image row by row",
            paper="Cho et al. 2014",
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


def build(name: str, sample_shape: tuple[int, ...], classes: int, **options: Any) -> nn.Module:
    """The network called ``name`` for samples of ``sample_shape``, with PyTorch's own initial weights.

    Which links a modular network has is not in the module but in its masks, which
    :func:`karikomi.networks.modular.wire` draws for its :func:`layout`.

    Args:
        name: one that ``karikomi networks`` lists, or one of yours.
        sample_shape: shape of a sample: ``(28, 28)`` for MNIST, ``(3, 32, 32)`` for images of three channels.
        classes: how many outputs.
        options: of perceptrons ``activation`` (relu, tanh, gelu, silu, sigmoid), ``dropout`` (a probability below 1)
            and ``normalization`` (none, batch, layer).

    >>> sum(p.numel() for p in build("lenet-300-100", (28, 28), 10).parameters())
    266610
    >>> build("mlp-8", (28, 28), 10, activation="tanh")[2]
    Tanh()

    Raises:
        InputError: for an unknown name, offering the nearest; for options that the network does not take, or samples
            that it cannot take.
    """
    return NETWORKS.find(check_network(name, options)).function(name, sample_shape, classes, **options)


def check_network(name: str, options: Iterable[str] = ()) -> str:
    """The name, once it is sure that there is such a network, and that it takes ``options``.

    Raises:
        InputError: for an unknown name, offering the nearest; for an option that it does not take.
    """
    taken = NETWORKS.find(name).options
    group_count(name)
    for option in options:
        if option not in taken:
            takers = ", ".join(form for form, entry in NETWORKS.items() if option in entry.options)
            raise InputError(f"{option} can be chosen for {takers}; not for {name}")
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
