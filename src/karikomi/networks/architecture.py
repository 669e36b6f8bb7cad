"""The architecture of a network: its layers, their units, and the parameters that belong to each."""

import secrets
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
from torch import nn

from karikomi.errors import InputError, unknown
from karikomi.networks.layers import INPUTS, Layer, Linear, Numbers, Reading, check_numbers
from karikomi.networks.tracing import CONVOLUTIONS, LINKED, Chain, Linked, Step, calls, follow

# Layers with units of which nothing is known here.
UNKNOWN = (nn.RNNBase, nn.RNNCellBase, nn.Bilinear, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Architecture:
    """A module, understood once: what its layers are and how they hang together.

    Nothing is traced before it is asked for, and nothing twice. The values of the module's parameters are not used.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._token = secrets.token_hex(8)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self._token, self.module)  # a traced forward cannot be pickled

    def __repr__(self) -> str:
        return f"Architecture({type(self.module).__name__}, {len(self.link_weights)} weights with links)"

    @cached_property
    def link_weights(self) -> tuple[str, ...]:
        """Names of the weights that hold links, in the module's own order.

        Links are the weights of linear, convolutional and attention layers; biases and normalization are not links.
        """
        names = list[str]()
        for name, part in self.module.named_modules():
            if isinstance(part, nn.MultiheadAttention):
                own = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
                names += [f"{name}.{key}" for key in own if getattr(part, key) is not None]
            elif isinstance(part, LINKED):
                names.append(f"{name}.weight")
        return tuple(name.removeprefix(".") for name in names)

    @property
    def chain(self) -> Chain | None:
        """The chain of linear and convolutional layers that the module is; None if it is another kind of module.

        Raises:
            InputError: if layers share weights.
        """
        return self._followed if isinstance(self._followed, Chain) else None

    def require_chain(self) -> Chain:
        """The chain that the module is.

        Raises:
            InputError: with the reason, if it is none.
        """
        if self.chain is None:
            raise InputError(str(self._followed))
        return self.chain

    @cached_property
    def _followed(self) -> Chain | InputError:
        _refuse_shared(self.module)
        try:
            return follow(self.module)
        except InputError as problem:
            return problem

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The hidden layers in the order in which a signal passes them, then the output layers."""
        return (*self.hidden, *self.outputs)

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """The layers whose units lesions remove.

        Everywhere hidden units are numbered through in this order: those of the first layer, then those of the second.

        Raises:
            InputError: if layers share weights, or the units of a layer are not known.
        """
        return self._layers[0]

    @property
    def outputs(self) -> tuple[Layer, ...]:
        """The layers whose signal leads to the outputs and to no other layer: one in a chain.

        Where the forward cannot be traced, the layer that is declared last.

        Raises:
            InputError: as :attr:`hidden`.
        """
        return self._layers[1]

    @cached_property
    def _layers(self) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        return _of_chain(self.chain) if self.chain else _of_parts(self.module)

    @cached_property
    def hidden_units(self) -> dict[str, int]:
        """How many units each hidden layer has, by the layer's name.

        >>> from karikomi.networks import build
        >>> Architecture(build("mlp-256-256", (28, 28), 10)).hidden_units
        {'fc1': 256, 'fc2': 256}
        """
        return {layer.name: layer.units for layer in self.hidden}

    @property
    def units(self) -> int:
        """How many hidden units there are."""
        return sum(self.hidden_units.values())

    @cached_property
    def layer_of(self) -> np.ndarray:
        """For every hidden unit the number of its layer, int64 ``[units]``."""
        return np.repeat(np.arange(len(self.hidden)), list(self.hidden_units.values()))

    @cached_property
    def perceptron(self) -> tuple[Linear, ...] | None:
        """The layers of a multilayer perceptron with ReLU or tanh behind its layers; None for anything else."""
        if not self.link_weights or self.chain is None or not all(map(_flattens_samples, self.chain.entrance)):
            return None
        layers = list[Linear]()
        for stage in self.chain.stages:
            steps = [step for step in stage.after if type(step.part) is not nn.Identity]
            bend = _BENDS.get(type(steps[0].part) if steps[0].part else steps[0].name) if steps else "identity"
            if type(stage.part) is not nn.Linear or len(steps) > 1 or bend is None:
                return None
            prefix = f"{stage.name}.".removeprefix(".")
            bias = None if stage.part.bias is None else f"{prefix}bias"
            layers.append(Linear(f"{prefix}weight", bias, bend))
        return tuple(layers)

    def unit_numbers(self, removed: Numbers | Mapping[str, Numbers]) -> np.ndarray:
        """Sorted int64 numbers of the hidden units ``removed``, given as such or as indices within each layer.

        >>> from karikomi.networks import build
        >>> Architecture(build("mlp-20-10", (3, 3), 2)).unit_numbers({"fc2": [7, 0], "fc1": [3]})
        array([ 3, 20, 27])

        Raises:
            InputError: if there is no such layer or unit, or one is given twice.
        """
        units = self.hidden_units
        if not isinstance(removed, Mapping):
            return np.sort(check_numbers(removed, self.units))
        if strangers := removed.keys() - units.keys():
            raise unknown("hidden layer", str(min(strangers)), units)
        firsts = dict(zip(units, np.cumsum([0, *units.values()]), strict=False))
        numbers = [firsts[name] + check_numbers(removed[name], units[name], name) for name in units if name in removed]
        return np.sort(np.concatenate([np.empty(0, np.int64), *numbers]))


_BENDS: Mapping[object, Literal["identity", "relu", "tanh"]] = {
    nn.ReLU: "relu",
    "relu": "relu",
    "relu_": "relu",
    nn.Tanh: "tanh",
    "tanh": "tanh",
}


_RECEIVED: dict[str, Architecture] = {}


def _received(token: str, module: nn.Module) -> Architecture:
    """The architecture that another process sent, the same one each time, so that it is traced once."""
    if token not in _RECEIVED:
        _RECEIVED.clear()  # one run's is kept
        _RECEIVED[token] = Architecture(module)
    return _RECEIVED[token]


def _flattens_samples(step: Step) -> bool:
    """Whether a step makes one row of each sample, or does nothing."""
    if type(step.part) is nn.Identity:
        return True
    if isinstance(step.part, nn.Flatten):
        return (step.part.start_dim, step.part.end_dim) == (1, -1)
    return step.name == "flatten" and step.call.constants in ((1,), (1, -1))


def _of_chain(chain: Chain) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    layers, before = list[Layer](), INPUTS
    for stage in chain.stages:
        prefix = f"{stage.name}.".removeprefix(".")
        owned = [f"{prefix}bias"] if stage.part.bias is not None else []
        for step in stage.after:
            if isinstance(step.part, NORMALIZATIONS):
                owned += [f"{step.name}.{name}" for name, _ in step.part.named_parameters(recurse=False)]
        shape = (stage.part.weight.shape[0], stage.part.weight.shape[1])
        reads = (Reading(before, shape, stage.places, getattr(stage.part, "groups", 1)),)
        channels = isinstance(stage.part, CONVOLUTIONS)
        layers.append(Layer(stage.name, len(stage.part.weight), channels, f"{prefix}weight", tuple(owned), reads))
        before = stage.name
    return tuple(layers[:-1]), tuple(layers[-1:])


def _of_parts(module: nn.Module) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    parts = _parts_with_units(module)
    layers = {name: _of_part(name, part) for name, part in parts.items()}
    traced = calls(module, list(parts))
    if traced is None or not traced.last:
        return tuple(layers.values())[:-1], tuple(layers.values())[-1:]
    never_called = [name for name in parts if name not in traced.order]
    hidden = [name for name in (*never_called, *traced.order) if name not in traced.last]
    return tuple(layers[name] for name in hidden), tuple(layers[name] for name in traced.last)


def _of_part(name: str, part: Linked | nn.MultiheadAttention) -> Layer:
    if isinstance(part, nn.MultiheadAttention):
        return Layer(name, part.num_heads)
    owned = () if part.bias is None else (f"{name}.bias",)
    return Layer(name, len(part.weight), isinstance(part, CONVOLUTIONS), f"{name}.weight", owned)


def _parts_with_units(module: nn.Module) -> dict[str, Linked | nn.MultiheadAttention]:
    """In the order of ``module.named_modules()``; refuses those whose units are not known."""
    found: dict[str, Linked | nn.MultiheadAttention] = {}
    for name, part in module.named_modules():
        if isinstance(part, UNKNOWN):
            kind = type(part).__name__
            raise InputError(
                f"the units of {name}, a {kind}, are not known; linear, convolutional and attention ones are"
            )
        if isinstance(part, (*LINKED, nn.MultiheadAttention)) and name.rpartition(".")[0] not in found:
            found[name] = part
    return found


def _refuse_shared(module: nn.Module) -> None:
    """Raise an InputError if two layers hold one parameter: removing a unit of one would change the other."""
    owner: dict[int, str] = {}
    for name, part in module.named_modules(remove_duplicate=False):
        for parameter in part.parameters(recurse=False):
            if (other := owner.setdefault(id(parameter), name)) != name:
                raise InputError(f"{name} uses the weights of {other} again; give every layer its own")
