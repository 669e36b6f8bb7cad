"""What grows again has its old place and links, fresh weights, and at first no effect."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.mlp import mlp
from karikomi.removal.deaths import die
from karikomi.removal.regrowth import regrow

NETWORKS = {
    "perceptron": (mlp((2, 3), [6, 5, 4], 3), (2, 3)),
    "convolutions": (
        nn.Sequential(
            nn.Conv2d(2, 4, 2),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 3, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(12, 5),
            nn.ReLU(),
            nn.Linear(5, 2),
        ),
        (2, 4, 4),
    ),
}
SEEDS = st.integers(0, 2**16)


def generator(seed=0):
    return np.random.default_rng(seed)


def outputs(network, sample):
    weights = {name: torch.tensor(value) for name, value in network.weights.items()}
    x = torch.tensor(generator().standard_normal((20, *sample)), dtype=torch.float32)
    return functional_call(network.module.eval(), weights, (x,))


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=15)
@given(seed=SEEDS, links=st.booleans(), scheme=st.sampled_from(["glorot", "kaiming", "pytorch"]))
def test_all_links_are_back_and_the_function_is_that_of_the_survivors(subnetwork, name, seed, links, scheme):
    module, sample = NETWORKS[name]
    network, rng = subnetwork(module, 0.8, seed), generator(seed)
    units = sum(Architecture(module).hidden_units.values())
    dead = (
        {name: rng.random(mask.shape) < 0.3 for name, mask in network.masks.items()}
        if links
        else rng.permutation(units)[: units // 3]
    )
    grown = regrow(network, dead, scheme, rng)
    assert all((grown.masks[name] == mask).all() for name, mask in network.masks.items())
    left = die(network, dead)
    torch.testing.assert_close(outputs(grown, sample), outputs(left, sample), rtol=1e-5, atol=1e-5)
    for key, stayed in left.masks.items():
        assert (grown.weights[key][~network.masks[key]] == 0).all()
        assert (grown.weights[key][stayed] == network.weights[key][stayed]).all(), "survivors keep their weights"
    assert {key: w.dtype for key, w in grown.weights.items()} == {key: w.dtype for key, w in network.weights.items()}


def test_new_units_take_the_weights_of_a_fresh_network_and_their_outputs_start_at_0(subnetwork):
    network = subnetwork(mlp((2, 3), [4, 3], 2), 0.9)
    grown = regrow(network, np.array([1, 3, 5]), "pytorch", generator(4))
    fresh = initialize(Architecture(network.module), "pytorch", generator(4), network.masks).weights
    expected = {name: value.copy() for name, value in network.weights.items()}
    expected["fc2.weight"][:, [1, 3]] = 0
    expected["output.weight"][:, [1]] = 0
    for layer, rows in (("fc1", [1, 3]), ("fc2", [1])):
        for name in (f"{layer}.weight", f"{layer}.bias"):
            expected[name][rows] = fresh[name][rows]
    assert grown.weights.keys() == expected.keys()
    assert all((grown.weights[name] == value).all() for name, value in expected.items())
    assert fresh["fc1.bias"][[1, 3]].any()


def test_weights_into_a_new_unit_are_as_large_as_its_own_links_ask(subnetwork):
    network = subnetwork(mlp((400,), [300, 3], 2))
    few = np.arange(400) < 40
    masks = {**network.masks, "fc1.weight": np.where(np.arange(300)[:, None] < 150, few, np.ones(400, bool))}
    dead = np.arange(100, 200)
    weights = regrow(network.masked(masks), dead, "kaiming", generator()).weights["fc1.weight"]
    for rows, fan_in in ((weights[100:150, :40], 40), (weights[150:200], 400)):
        assert rows.var() == pytest.approx(2 / fan_in, rel=5 * np.sqrt(2 / rows.size))


def test_new_links_between_survivors_start_at_0(small):
    dead = {name: generator().random(mask.shape) < 0.5 for name, mask in small.masks.items()}
    grown = regrow(small, dead, "glorot", generator())
    for name, mask in small.masks.items():
        assert (grown.weights[name] == np.where(dead[name], 0, small.weights[name])).all()
        assert (grown.masks[name] == mask).all()


def test_training_tells_new_units_apart_from_the_first_step(subnetwork):
    network = subnetwork(mlp((2, 3), [6, 5], 3))
    grown = regrow(network, np.array([0, 1, 2]), "glorot", generator())
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in grown.weights.items()}
    x = torch.tensor(generator().standard_normal((60, 2, 3)), dtype=torch.float32)
    logits = functional_call(network.module, weights, (x,))
    nn.functional.cross_entropy(logits, torch.arange(60) % 3).backward()
    gradient = weights["fc2.weight"].grad
    assert gradient is not None
    out_of_new = gradient[:, :3]
    assert (out_of_new != 0).any(dim=0).all(), "links that start at 0 learn at once"
    assert len(torch.unique(out_of_new, dim=1).T) == 3
