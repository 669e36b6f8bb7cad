"""Statistics of batch normalization, estimated anew."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from karikomi.data.dataset import Examples
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.networks.subnetwork import Subnetwork

BLOCK = 500
"""Examples in a forward; the statistics are the mean of those of the blocks."""


def reestimated(
    subnetworks: Sequence[Subnetwork], examples: Examples, *, device: Device = "auto"
) -> Sequence[Subnetwork]:
    """The subnetworks with running means and variances that are those of ``examples``; unchanged if they have none.

    What interpolated or averaged weights do to a signal's mean and variance is not the average of what the ends do, so
    that the running statistics must be estimated again (Izmailov et al. 2018, arXiv 1803.05407). Dropout stays off.
    """
    if not _with_running(subnetworks[0].module):
        return subnetworks
    source = Source(examples, find_device(device))
    blocks = torch.arange(len(examples), device=source.device).split(BLOCK)
    with reproducible(source.device), torch.no_grad():
        return [_with_statistics(one, [source.inputs(block) for block in blocks]) for one in subnetworks]


def _with_statistics(subnetwork: Subnetwork, blocks: Sequence[torch.Tensor]) -> Subnetwork:
    module = deepcopy(subnetwork.module).to(blocks[0].device).eval()
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in subnetwork.weights.items()})
    for layer in _with_running(module):
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the blocks
        layer.train()
    for block in blocks:
        module(block)
    return replace(subnetwork, weights={name: value.numpy(force=True) for name, value in module.state_dict().items()})


def _with_running(module: nn.Module) -> list[_NormBase]:
    """The layers of a module that keep running statistics."""
    return [part for part in module.modules() if isinstance(part, _NormBase) and part.track_running_stats]
