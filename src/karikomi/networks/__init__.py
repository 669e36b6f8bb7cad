"""Small architectures by name."""

import re

from torch import nn

from karikomi.errors import InputError, unknown
from karikomi.networks.mlp import mlp

NAMES = ("lenet-300-100", "mlp-<h1>-<h2>-…")


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network called ``name`` for samples of ``sample_shape``: ``lenet-300-100`` or ``mlp-<h1>-<h2>-…``.

    >>> sum(p.numel() for p in build("lenet-300-100", (28, 28), 10).parameters())
    266610

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    if name == "lenet-300-100":
        return mlp(sample_shape, (300, 100), classes)
    if re.fullmatch(r"mlp(-[1-9][0-9]{0,5})+", name):
        return mlp(sample_shape, [int(width) for width in name.split("-")[1:]], classes)
    if name.startswith("mlp"):
        raise InputError(f"network {name!r} is not of the form mlp-<h1>-<h2>-…, for example mlp-256-256")
    raise unknown("network", name, NAMES)
