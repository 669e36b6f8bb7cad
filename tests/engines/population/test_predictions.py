"""What networks answer, example by example."""

import numpy as np
import torch

from karikomi.engines import population
from karikomi.networks import build
from karikomi.networks.subnetwork import Subnetwork


def test_probabilities_are_the_softmax_of_each_module(data):
    normalized = (build("mlp-12", (28, 28), 10, normalization="batch") for _ in range(2))
    modules = [build("conv-2-small", (28, 28), 10), *normalized]
    for module in modules:
        module(torch.from_numpy(data.train.x[:50]).float() / 255)  # running statistics of its own
    networks = [Subnetwork.from_module(module) for module in modules]
    found = population.probabilities(networks, data.test)
    for module, shares in zip(modules, found, strict=True):
        outputs = module.eval()(torch.from_numpy(data.test.x).float() / 255)
        np.testing.assert_allclose(shares, outputs.softmax(1).detach().numpy(), atol=1e-6)
        assert shares.dtype == np.float32
    right = [(shares.argmax(1) == data.test.y).mean() for shares in found]
    assert right == [one.accuracy for one in population.evaluate(networks, data.test)]
