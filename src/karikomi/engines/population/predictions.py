"""What networks answer, example by example."""

from collections.abc import Sequence

import numpy as np
import torch

from karikomi.data.dataset import Examples
from karikomi.engines.population.planning import plan
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.networks.subnetwork import Subnetwork


@torch.no_grad()
def probabilities(
    subnetworks: Sequence[Subnetwork], examples: Examples, *, device: Device = "auto"
) -> list[np.ndarray]:
    """The softmax of each network's outputs, float32 ``[examples, outputs]``, in evaluation mode.

    Raises:
        InputError: if a network does not fit the samples, or its weights are not finite.
    """
    source, found = Source(examples, find_device(device)), dict[int, np.ndarray]()
    everything = torch.arange(len(examples), device=source.device)
    with reproducible(source.device):
        for planned in plan(subnetworks, source.pair, int(examples.y.max()) + 1):
            population = planned.of(subnetworks, source.device)
            blocks = (source.inputs(some) for some in everything.split(planned.block))
            shares = torch.cat([population.forward(x, shared=True).softmax(-1) for x in blocks], dim=1)
            found |= zip(planned.members, shares.float().cpu().numpy(), strict=True)
    return [found[i] for i in range(len(subnetworks))]
