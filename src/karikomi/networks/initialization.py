"""Initial weights, drawn from a named stream."""

import math
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from karikomi.errors import unknown
from karikomi.networks.subnetwork import Subnetwork, link_weights

Initialization = Literal["glorot", "kaiming", "pytorch"]


def initialize(module: nn.Module, scheme: Initialization, rng: np.random.Generator) -> Subnetwork:
    """The whole network with fresh weights.

    Schemes:
        glorot: N(0, 2 / (fan_in + fan_out)), biases 0 (Glorot & Bengio 2010, the Gaussian form; the lottery paper's).
        kaiming: N(0, 2 / fan_in), biases 0 (He et al. 2015).
        pytorch: what each layer's own ``reset_parameters`` draws.

    Glorot and Kaiming concern links and their biases; parameters of other layers get PyTorch's own values.
    ``module`` itself is left as it was.

    Raises:
        InputError: for an unknown scheme.
    """
    if scheme not in get_args(Initialization):
        raise unknown("initialization", scheme, get_args(Initialization))
    weights = _pytorch(module, rng)
    if scheme != "pytorch":
        for name in link_weights(module):
            shape = weights[name].shape
            field = math.prod(shape[2:])
            fan_in, fan_out = shape[1] * field, shape[0] * field
            variance = 2 / (fan_in + fan_out) if scheme == "glorot" else 2 / fan_in
            weights[name] = (math.sqrt(variance) * rng.standard_normal(shape)).astype(np.float32)
            bias = name.removesuffix("weight") + "bias"
            if bias in weights:
                weights[bias] = np.zeros_like(weights[bias])
    return Subnetwork.full(module, weights)


def _pytorch(module: nn.Module, rng: np.random.Generator) -> dict[str, np.ndarray]:
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
        drawn = {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
    module.load_state_dict(before)
    return drawn
