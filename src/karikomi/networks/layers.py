"""Layers: their units, the parameters that belong to each unit, and what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from karikomi.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Numbers = Sequence[int] | np.ndarray

INPUTS = "inputs"
"""What the units of a sample are called, where a layer reads them."""


@dataclass(frozen=True)
class Layer:
    """A layer with units: neurons, channels of a convolution, or heads of ``nn.MultiheadAttention``.

    Attributes:
        name: that of the submodule.
        units: how many.
        channels: whether they are those of a convolution.
        weight: the parameter whose rows lead to the units; empty for heads.
        owned: the other parameters with a number, or equally many numbers in a row, for each unit: bias, scale and
            shift of a batch normalization.
    """

    name: str
    units: int
    channels: bool = False
    weight: str = ""
    owned: tuple[str, ...] = ()


class Linear(NamedTuple):
    """A layer of a multilayer perceptron: names of weight and bias, and the activation behind it."""

    weight: str
    bias: str | None
    activation: Literal["identity", "relu", "tanh"]


def check_numbers(numbers: ArrayLike, units: int, where: str = "the network") -> np.ndarray:
    """``numbers`` ``[…, k]`` as int64, once it is sure that they are 0 … ``units`` − 1 and no row repeats one.

    Raises:
        InputError: if they are not.
    """
    given = np.asarray(numbers)
    if given.size and given.dtype.kind not in "iu":
        raise InputError(f"hidden units of {where} go by whole numbers from 0; these are {given.dtype}")
    beyond = given[(given < 0) | (given >= units)]
    if beyond.size:
        raise InputError(f"there is no hidden unit {beyond[0]} in {where}, which has {units}, numbered from 0")
    ordered = np.sort(given, axis=-1)
    repeated = ordered[..., 1:][ordered[..., 1:] == ordered[..., :-1]]
    if repeated.size:
        raise InputError(f"hidden unit {repeated[0]} of {where} is named twice")
    return given.astype(np.int64)
