"""The hidden units of a network, which lesions remove, and where they are in the signals between its layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from karikomi.errors import InputError, unknown
from karikomi.networks.chain import CONVOLUTIONS, LINKED, Linked, chain_of

Numbers = Sequence[int] | np.ndarray
Part = Linked | nn.MultiheadAttention

# Layers with units of which nothing is known here.
UNKNOWN = (nn.RNNBase, nn.RNNCellBase, nn.Bilinear, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def hidden_units(module: nn.Module) -> dict[str, int]:
    """How many units each hidden layer has, by the layer's name, in the order in which a signal passes them.

    Units are neurons of linear layers, channels of convolutions and heads of ``nn.MultiheadAttention``. Everywhere they
    are numbered through in this order: those of the first layer, then those of the second. Where ``module`` is not one
    chain of layers the order is that of ``module.named_modules()``, and the layer that comes last there is the output.

    >>> from karikomi.networks import build
    >>> hidden_units(build("mlp-256-256", (28, 28), 10))
    {'fc1': 256, 'fc2': 256}

    Raises:
        InputError: if layers share weights, or the units of a layer are not known.
    """
    return {layer.name: layer.units for layer in unit_layers(module)[:-1]}


def unit_numbers(module: nn.Module, removed: Numbers | Mapping[str, Numbers]) -> np.ndarray:
    """Sorted int64 numbers of the hidden units ``removed``, given as such or as indices within each layer.

    >>> from karikomi.networks import build
    >>> unit_numbers(build("mlp-20-10", (3, 3), 2), {"fc2": [7, 0], "fc1": [3]})
    array([ 3, 20, 27])

    Raises:
        InputError: if there is no such layer or unit, or one is given twice.
    """
    units = hidden_units(module)
    if not isinstance(removed, Mapping):
        return np.sort(check_numbers(removed, sum(units.values())))
    if strangers := removed.keys() - units.keys():
        raise unknown("hidden layer", str(min(strangers)), units)
    firsts = dict(zip(units, np.cumsum([0, *units.values()]), strict=False))
    numbers = [firsts[name] + check_numbers(removed[name], units[name], name) for name in units if name in removed]
    return np.sort(np.concatenate([np.empty(0, np.int64), *numbers]))


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


@dataclass(frozen=True)
class UnitLayer:
    """A layer with ``units``; ``channels`` if they are those of a convolution."""

    name: str
    units: int
    channels: bool

    def split(self, signal: Tensor, examples: int = 1) -> Tensor:
        """A view of ``signal`` ``[examples, …]`` where units have an axis of their own, and each its numbers behind it.

        Channels follow the ``examples`` axes, flattened or not; neurons and heads are at the end.
        """
        return signal.unflatten(examples if self.channels else -1, (self.units, -1))

    def spread(self, by_unit: Tensor, signal: Tensor) -> Tensor:
        """``by_unit`` ``[k, units]`` in a shape that fits ``split(signal, 2)`` for a ``signal`` ``[k, n, …]``."""
        ones = [1] * (signal.ndim - 3)
        return by_unit.view(-1, 1, *((self.units, 1, *ones) if self.channels else (*ones, self.units, 1)))

    def by_unit(self, signal: Tensor) -> Tensor:
        """``signal`` ``[n, …]`` as ``[n, units, numbers of each]``."""
        return self.split(signal).movedim(1 if self.channels else -2, 1).flatten(2)


def unit_layers(module: nn.Module) -> list[UnitLayer]:
    """The layers of :func:`hidden_units`, and the output layer at the end."""
    chain = chain_of(module)
    parts = unit_parts(module) if chain is None else {stage.name: stage.layer for stage in chain.stages}
    return [UnitLayer(name, _units(part), isinstance(part, CONVOLUTIONS)) for name, part in parts.items()]


def unit_parts(module: nn.Module) -> dict[str, Part]:
    """The submodules that have units, in the order of ``module.named_modules()``.

    Raises:
        InputError: if the units of one are not known.
    """
    found: dict[str, Part] = {}
    for name, part in module.named_modules():
        if isinstance(part, UNKNOWN):
            kind = type(part).__name__
            raise InputError(
                f"the units of {name}, a {kind}, are not known; linear, convolutional and attention ones are"
            )
        if isinstance(part, (*LINKED, nn.MultiheadAttention)) and name.rpartition(".")[0] not in found:
            found[name] = part
    return found


def _units(part: Part) -> int:
    return part.num_heads if isinstance(part, nn.MultiheadAttention) else len(part.weight)
