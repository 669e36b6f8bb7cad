"""Small architectures by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karikomi.errors import InputError, unknown
from karikomi.networks.modular import Layout, Modular, lay_out

if TYPE_CHECKING:
    from torch import nn

    from karikomi.networks.architecture import Architecture

NAMES = ("lenet-300-100", "mlp-<h1>-<h2>-…", "modular-<groups>-<h1>-<h2>-<h3>-…")
_WIDTH = "(-[1-9][0-9]{0,5})"
_FORMS = {
    "mlp": (f"mlp{_WIDTH}+", "mlp-<h1>-<h2>-…, for example mlp-256-256"),
    "modular": (
        f"modular{_WIDTH}{{4,}}",
        "modular-<groups>-<h1>-<h2>-<h3>-…, with at least three hidden layers, for example modular-5-100-400-100",
    ),
}


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network called ``name`` for samples of ``sample_shape``.

    It is one of ``NAMES``. Which links a modular network has is not in the module but in its masks, which
    :func:`karikomi.networks.modular.wire` draws for its :func:`layout`.

    >>> sum(p.numel() for p in build("lenet-300-100", (28, 28), 10).parameters())
    266610

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    from karikomi.networks.mlp import mlp  # here, so that a name can be checked without loading torch

    return mlp(sample_shape, hidden_widths(name), classes)


def hidden_widths(name: str) -> list[int]:
    """Units in each hidden layer of the network called ``name``.

    >>> hidden_widths("mlp-256-256")
    [256, 256]
    >>> hidden_widths("modular-5-100-400-100")
    [100, 400, 100]

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    return _parsed(name)[1]


def group_count(name: str) -> int | None:
    """How many groups the network called ``name`` has; None if it is not a modular one.

    >>> group_count("modular-5-100-400-100")
    5

    Raises:
        InputError: for an unknown name, offering the nearest.
    """
    return _parsed(name)[0]


def layout(name: str, architecture: Architecture, modular: Modular) -> Layout | None:
    """Groups and places of the units of the network called ``name``; None if it is not a modular one.

    Raises:
        InputError: if ``modular`` names a group that the network does not have, or nothing could cross.
    """
    groups = group_count(name)
    return None if groups is None else lay_out(architecture, groups, *modular.ends(groups))


def _parsed(name: str) -> tuple[int | None, list[int]]:
    """Groups and hidden widths."""
    family = name.partition("-")[0]
    if name == "lenet-300-100":
        return None, [300, 100]
    if family not in _FORMS:
        raise unknown("network", name, NAMES)
    pattern, form = _FORMS[family]
    if re.fullmatch(pattern, name) is None:
        raise InputError(f"network {name!r} is not of the form {form}")
    numbers = [int(number) for number in name.split("-")[1:]]
    if family == "mlp":
        return None, numbers
    groups, *hidden = numbers
    if not 2 <= groups <= min(hidden[1:-1]):
        raise InputError(
            f"network {name!r} needs 2 groups or more, and a unit for each in all hidden layers but the first and last"
        )
    return groups, hidden
