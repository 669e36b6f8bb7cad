"""Convolutions and the batch normalization behind them as one operation."""

from collections.abc import Mapping

import torch
from torch import Tensor

from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS
from karikomi.networks.nested import Ref
from karikomi.networks.tape import Op, Tape


def folded(anatomy: Anatomy, tape: Tape) -> Mapping[int, tuple[Op | None, int]]:
    """By place what an operation becomes, and in whose place it reads.

    None where it is a convolution that the normalization behind it takes over.

    γ (w ∗ x + b − μ) / √(σ² + ε) + β is a convolution with the weight γ w / √(σ² + ε).
    """
    found: dict[int, tuple[Op | None, int]] = {}
    ops, sites = tape.ops, {site.value for part in anatomy.parts for site in part.sites}
    for place, op in enumerate(ops):
        if op.name not in CONVOLUTIONS or op.results[0] in sites or not isinstance(op.args[0], Ref):
            continue
        readers = anatomy.readers.get(op.results[0], [])
        weight, bias = op.argument(1, "weight"), op.argument(2, "bias")
        if len(readers) != 1 or not isinstance(weight, Tensor) or isinstance(bias, Ref):
            continue
        behind = _scale_and_shift(ops[readers[0]], op.results[0])
        if behind is None:
            continue
        scale, shift = behind
        weight = weight * scale.view(-1, *[1] * (weight.ndim - 1))
        shift = shift if bias is None else shift + scale * bias
        signal = tape.values[op.results[0]]
        if signal.ndim == 4 and not signal.is_contiguous():
            weight = weight.contiguous(memory_format=torch.channels_last)  # as the signals lie in memory
        settings = {name: value for name, value in op.kwargs.items() if name not in ("weight", "bias")}
        args = (op.args[0], weight, shift, *op.args[3:])
        found[place] = None, place
        found[readers[0]] = Op(op.function, op.name, args, settings, ops[readers[0]].results, op.module), place
    return found


def _scale_and_shift(op: Op, signal: int) -> tuple[Tensor, Tensor] | None:
    """What a batch normalization in evaluation mode multiplies by and adds; None for any other operation."""
    if op.name != "batch_norm" or op.args[0] != Ref(signal) or op.argument(5, "training"):
        return None
    mean, variance = op.argument(1, "running_mean"), op.argument(2, "running_var")
    weight, bias, epsilon = op.argument(3, "weight"), op.argument(4, "bias"), op.argument(7, "eps")
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return None
    scale = (variance + (1e-5 if epsilon is None else epsilon)).rsqrt()
    scale = scale if weight is None else scale * weight
    return scale, (0 if bias is None else bias) - mean * scale
