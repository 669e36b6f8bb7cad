"""Gradients of the loss by every weight with links, for criteria that look at them."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Examples
from karikomi.engines.population.planning import plan
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.networks.subnetwork import Subnetwork


def gradients(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> dict[str, np.ndarray]:
    """∂L/∂w by weight, float32; L is the mean cross-entropy on ``examples``, in evaluation mode.

    A removed link has a gradient too: what the loss would do if it grew.

    Raises:
        InputError: if the network does not fit the examples.
    """
    source, count = Source(examples, find_device(device)), len(examples)
    with reproducible(source.device), torch.enable_grad():
        [planned] = plan([subnetwork], source.pair, int(examples.y.max()) + 1)
        population = planned.of([subnetwork], source.device)
        for some in torch.arange(count, device=source.device).split(planned.block):
            [outputs] = population.forward(source.inputs(some), shared=True)
            (cross_entropy(outputs, source.y[some], reduction="sum") / count).backward()
    found = {name: population.module.get_parameter(name).grad for name in subnetwork.masks}
    return {
        name: np.zeros_like(subnetwork.weights[name]) if grad is None else grad.cpu().numpy().copy()
        for name, grad in found.items()
    }
