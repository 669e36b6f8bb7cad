"""The architecture of a network: its layers, their units, and the parameters that belong to each."""

import secrets
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from karikomi.errors import InputError, unknown
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.belongings import Belonging, belongings, weights_of
from karikomi.networks.chain import perceptron, why_no_chain
from karikomi.networks.layers import Layer, Linear, Numbers, check_numbers
from karikomi.networks.modes import other_in_training
from karikomi.networks.program import Program
from karikomi.networks.program_writer import program_of
from karikomi.networks.samples import guessed, some_examples
from karikomi.networks.tape import record
from karikomi.networks.wiring import Wiring, wiring

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class Architecture:
    """A module, understood once: what its layers are and how they hang together.

    Nothing is traced before it is asked for, and nothing twice. The values of the module's parameters are not used.

    Args:
        module: the network.
        inputs: some examples that it takes, in order; by default they are guessed where they are needed.
        named: inputs by name.
        sample_shape: that of an input, where there are no examples.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...] | None = None,
        named: Mapping[str, Any] | None = None,
        sample_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.module, self._inputs, self._inputs_by_name, self._sample_shape = module, inputs, named or {}, sample_shape
        self._token = secrets.token_hex(8)

    def __reduce__(self) -> tuple[Any, ...]:
        # A traced forward cannot be pickled.
        return _received, (self._token, self.module, self._inputs, self._inputs_by_name, self._sample_shape)

    def __repr__(self) -> str:
        return f"Architecture({type(self.module).__name__}, {len(self.link_weights)} weights with links)"

    @property
    def link_weights(self) -> tuple[str, ...]:
        """Names of the weights that hold links, in the module's own order; those that only the forward tells of last.

        Links are what multiplies signals: the weights of linear, convolutional, recurrent and attention layers, and
        parameters that the forward uses as such. Biases, normalization and embeddings are not links.
        """
        return tuple(self.input_axes)

    @cached_property
    def input_axes(self) -> dict[str, int]:
        """By weight with links the axis of its inputs: 1, but 0 in ``x @ w`` and transposed convolutions."""
        axes, others = dict[str, int](), False
        for name, part in self.module.named_modules():
            own = {key: value for key, value in part.named_parameters(recurse=False) if value.ndim > 1}
            if isinstance(part, nn.MultiheadAttention):
                known = [key for key in own if key.endswith("proj_weight")]
            elif isinstance(part, nn.RNNBase | nn.RNNCellBase):
                known = [key for key in own if key.startswith("weight_")]
            else:
                known = ["weight"] if isinstance(part, (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)) else []
            axes |= {f"{name}.{key}".removeprefix("."): 0 if isinstance(part, TRANSPOSED) else 1 for key in known}
            others |= bool(own.keys() - {*known}) and not isinstance(part, nn.Embedding | nn.EmbeddingBag)
        return axes | {name: axis for name, axis in self._multiplied().items() if name not in axes} if others else axes

    def _multiplied(self) -> dict[str, int]:
        """Parameters that signals are multiplied with in the forward, where it can be followed."""
        parameters = dict(self.module.named_parameters())
        try:
            return {name: axis for name, axis in weights_of(self.anatomy).items() if name in parameters}
        except InputError:
            return {}

    @cached_property
    def _why_no_chain(self) -> str:
        try:
            return why_no_chain(self.anatomy)
        except InputError as problem:
            return str(problem)

    @property
    def in_a_row(self) -> bool:
        """Whether each layer reads the one before it and nothing else."""
        return not self._why_no_chain

    def require_chain(self) -> None:
        """Raise an InputError, with the reason, if the layers do not follow one another."""
        if not self.in_a_row:
            raise InputError(self._why_no_chain)

    @cached_property
    def anatomy(self) -> Anatomy:
        """Where units act and who reads them, in any module.

        Raises:
            InputError: if the forward fails on the inputs.
        """
        inputs = guessed(self.module, self._sample_shape) if self._inputs is None else self._inputs
        with torch.no_grad():
            three, two = (
                record(self.module, *some_examples((inputs, dict(self._inputs_by_name)), many)) for many in (3, 2)
            )
        return Anatomy(three, two, bool(self._inputs_by_name))

    @cached_property
    def wiring(self) -> Wiring:
        """Who reads whom through which weights, in any module in which fixed weights alone join units.

        Raises:
            InputError: in any other.
        """
        return wiring(self.anatomy)

    def anatomy_on(self, inputs: tuple[Any, ...]) -> Anatomy:
        """The same, on these inputs, if none were given before."""
        if self._inputs is None:
            self._inputs = inputs
        return self.anatomy

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

        Raises:
            InputError: as :attr:`hidden`.
        """
        return self._layers[1]

    @cached_property
    def _layers(self) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        hidden, outputs = (
            tuple(Layer(part.name, part.units, part.kind == "channels", part.weight, part.owned) for part in parts)
            for parts in (self.anatomy.parts, self.anatomy.last)
        )
        return hidden, outputs

    @cached_property
    def belongings(self) -> dict[str, tuple[Belonging, ...]]:
        """By hidden layer the numbers that belong to its units, as far as they lie in parameters."""
        return belongings(self.anatomy)

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
        found = None if self._why_no_chain else perceptron(self.anatomy.tape)
        return None if found and self._other_in_training else found

    @property
    def program(self) -> Program:
        """The forward as a program of known parts.

        Raises:
            InputError: with the layer or operation that is none of them.
        """
        if isinstance(self._programmed, InputError):
            raise self._programmed
        return self._programmed

    @cached_property
    def _programmed(self) -> Program | InputError:
        try:
            program = program_of(self.module, self.anatomy)
            if self._other_in_training:
                return InputError(f"{self._other_in_training} does something else in training than in evaluation")
            return program
        except InputError as problem:
            return problem

    @cached_property
    def _other_in_training(self) -> str | None:
        return other_in_training(self.module, self.anatomy.tape)

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


_RECEIVED: dict[str, Architecture] = {}


def _received(token: str, *given: Any) -> Architecture:
    """The architecture that another process sent, the same one each time, so that it is traced once."""
    if token not in _RECEIVED:
        _RECEIVED.clear()  # one run's is kept
        _RECEIVED[token] = Architecture(*given)
    return _RECEIVED[token]
