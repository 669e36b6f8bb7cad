"""What a forward costs."""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from karikomi.networks.tape import record


def multiply_adds(model: nn.Module, given: Sequence[Tensor]) -> int:
    """Products of numbers in all linear, convolutional and recurrent layers and in attention, for one example.

    >>> multiply_adds(nn.GRU(4, 6), [torch.zeros(5, 2, 4)])  # (4 + 6) · 6 in each of 3 gates at 5 steps of 2
    360
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what mkldnn lacks on this machine
        recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
        with ExitStack() as plain:  # fused kernels are not counted
            plain.enter_context(torch.backends.mkldnn.flags(enabled=not recurrent))
            plain.enter_context(torch.backends.cudnn.flags(enabled=not recurrent))
            plain.enter_context(sdpa_kernel(SDPBackend.MATH))
            counter = plain.enter_context(FlopCounterMode(display=False))
            with torch.no_grad():
                record(model, given)
    return counter.get_total_flops() // 2 // len(given[0])
