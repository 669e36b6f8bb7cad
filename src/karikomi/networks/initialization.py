"""Initial weights, drawn from a named stream."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch import nn

from karikomi.errors import unknown
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Arrays, Subnetwork

Initialization = Literal["glorot", "kaiming", "pytorch"] | Callable[[], nn.Module]
"""A scheme by name, or what builds the network: its own initial weights are taken."""

SCHEMES = ("glorot", "kaiming", "pytorch")


def initialize(
    architecture: Architecture, scheme: Initialization, rng: np.random.Generator, masks: Arrays | None = None
) -> Subnetwork:
    """A network with fresh weights: the whole one, or with the links that ``masks`` leave.

    Schemes:
        glorot: N(0, 2 / (fan_in + fan_out)), biases 0 (Glorot & Bengio 2010, the Gaussian form; the lottery paper's).
        kaiming: N(0, 2 / fan_in), biases 0 (He et al. 2015).
        pytorch: what each layer's own ``reset_parameters`` draws: weights and biases within ± 1 / √fan_in.

    A function that builds the network: the weights that it begins with, each time drawn anew.

    Fans are each link's own: fan_in counts the links into the unit that it leads to, fan_out those out of the unit that
    it comes from, in its layer, in a recurrent one those of all gates. So a unit with few links starts with signals
    about as large as one with many.

    Glorot and Kaiming concern links and their biases; parameters of other layers get PyTorch's own values.
    The module of ``architecture`` is left as it was.

    Args:
        architecture: of what network.
        scheme: how large the weights are.
        rng: draws them.
        masks: for every name in ``architecture.link_weights`` which links there are; every one if not given.

    Raises:
        InputError: for an unknown scheme.
    """
    if not isinstance(scheme, str):
        with drawing(rng):
            fresh = Subnetwork.full(architecture, _weights(scheme()))
        return fresh if masks is None else fresh.masked(masks)
    if scheme not in SCHEMES:
        raise unknown("initialization", scheme, SCHEMES)
    weights = _pytorch(architecture.module, rng)
    given = Subnetwork.full(architecture, weights).masks if masks is None else masks
    masks = {name: given[name] for name in architecture.link_weights}
    biases = weights.keys() - masks.keys()
    for name, mask in masks.items():
        axis = architecture.input_axes[name]
        fan_in, fan_out = _fans(mask, axis)
        bias = re.sub(r"weight([^.]*)$", r"bias\1", name)  # of a recurrent layer bias_hh_l0 beside weight_hh_l0
        if scheme == "pytorch":
            # PyTorch has counted every column. A unit that no link leads to gets no bias, as PyTorch has it too.
            scale = np.where(fan_in, np.sqrt(mask.size // mask.shape[1 - axis] / np.maximum(fan_in, 1)), 0).astype(
                np.float32
            )
            weights[name] *= scale
            if bias in biases:
                weights[bias] *= scale.ravel()
        else:
            variance = 2 / np.maximum(fan_in + fan_out if scheme == "glorot" else fan_in, 1)
            weights[name] = (np.sqrt(variance) * rng.standard_normal(mask.shape)).astype(np.float32)
            if bias in biases:
                weights[bias] = np.zeros_like(weights[bias])
    return Subnetwork(architecture, weights, masks).masked(masks)


def _fans(mask: np.ndarray, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Links into each unit and links out of each unit before it, in shapes that broadcast to the mask's."""
    field = tuple(range(2, mask.ndim))
    return mask.sum(axis=(inputs, *field), keepdims=True), mask.sum(axis=(1 - inputs, *field), keepdims=True)


def _pytorch(module: nn.Module, rng: np.random.Generator) -> dict[str, np.ndarray]:
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with drawing(rng):
        parts = list(module.modules())
        # Attention calls its own _reset_parameters, and draws behind the layers within it.
        for name, order in (("reset_parameters", parts), ("_reset_parameters", parts[::-1])):
            for part in order:
                reset = getattr(part, name, None)
                if callable(reset):
                    reset()
        drawn = _weights(module)
    module.load_state_dict(before)
    return drawn


def _weights(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


@contextmanager
def drawing(rng: np.random.Generator) -> Iterator[None]:
    """PyTorch's draws begin where ``rng`` says; afterwards its random state is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        yield
