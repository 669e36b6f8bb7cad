"""Small architectures by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karikomi.errors import InputError, unknown

if TYPE_CHECKING:
    from torch import nn

NAMES = ("lenet-300-100", "mlp-<h1>-<h2>-…")


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network called ``name`` for samples of ``sample_shape``: ``lenet-300-100`` or ``mlp-<h1>-<h2>-…``.

    >>> sum(p.numel() for p in build("lenet-300-100", (28, 28), 10).parameters())
    266610

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    from karikomi.networks.mlp import mlp  # here, so that a name can be checked without loading torch

    return mlp(sample_shape, hidden_widths(name), classes)


def hidden_widths(name: str) -> list[int]:
    """Units in each hidden layer of the perceptron called ``name``.

    >>> hidden_widths("mlp-256-256")
    [256, 256]

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    if re.fullmatch(r"mlp(-[1-9][0-9]{0,5})+|lenet-300-100", name) is None:
        if name.startswith("mlp"):
            raise InputError(f"network {name!r} is not of the form mlp-<h1>-<h2>-…, for example mlp-256-256")
        raise unknown("network", name, NAMES)
    return [int(width) for width in name.split("-")[1:]]
