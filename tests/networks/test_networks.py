"""Architectures by name, and their initial weights."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork, link_weights
from karikomi.seeds import stream


def test_lenet_has_the_papers_weights():
    module = build("lenet-300-100", (28, 28), 10)
    assert link_weights(module) == ("fc1.weight", "fc2.weight", "output.weight")
    network = initialize(module, "glorot", stream(0, "init", 0))
    assert network.links == 266_200
    assert network.density == 1


@pytest.mark.parametrize("name", ["mlp", "mlp-", "mlp-0", "mlp-3-x", "mlp-256-", "lenet", "lenet-300-100-1"])
def test_wrong_names_are_refused(name):
    with pytest.raises(InputError, match=r"mlp-<h1>|lenet-300-100"):
        build(name, (28, 28), 10)


def test_links_are_linear_and_convolutional_weights_only():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    assert link_weights(module) == ("0.weight", "3.weight")
    assert link_weights(nn.Linear(3, 2)) == ("weight",)


@pytest.mark.parametrize(("scheme", "variance"), [("glorot", 2 / 1084), ("kaiming", 2 / 784)])
def test_gaussian_schemes_have_their_moments(scheme, variance):
    weights = initialize(build("mlp-300", (28, 28), 10), scheme, stream(0, "init", 0)).weights
    w, n = weights["fc1.weight"], 300 * 784
    assert abs(w.mean()) < 5 * math.sqrt(variance / n)
    assert abs(w.var() / variance - 1) < 5 * math.sqrt(2 / n)
    assert abs((w**4).mean() / w.var() ** 2 - 3) < 5 * math.sqrt(24 / n), "Gaussian, not uniform"
    assert not weights["fc1.bias"].any()


def test_convolutions_count_their_field():
    weights = initialize(nn.Sequential(nn.Conv2d(20, 50, 5)), "glorot", stream(0, "init", 0)).weights
    assert weights["0.weight"].var() == pytest.approx(2 / (25 * 70), rel=5 * math.sqrt(2 / 25000))


def test_pytorchs_own_initialization_is_pytorchs():
    module = build("mlp-20", (4, 4), 3)
    rng = stream(3, "init", 0)
    seed = int(stream(3, "init", 0).integers(2**63))
    drawn = initialize(module, "pytorch", rng).weights
    torch.manual_seed(seed)
    expected = build("mlp-20", (4, 4), 3).state_dict()
    assert all((drawn[name] == value.numpy()).all() for name, value in expected.items())


def test_drawing_leaves_the_module_and_torchs_stream_alone():
    module = build("mlp-20", (4, 4), 3)
    before, state = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
    initialize(module, "kaiming", stream(0, "init", 0))
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_replicates_differ_and_repeat():
    module = build("mlp-20", (4, 4), 3)
    a, b, c = (initialize(module, "glorot", stream(0, "init", r)).weights["fc1.weight"] for r in (0, 1, 0))
    assert (a != b).all()
    assert (a == c).all()


def test_masked_weights_are_zero_and_the_others_equal_bit_for_bit():
    network = initialize(build("mlp-20", (4, 4), 3), "glorot", stream(0, "init", 0))
    masks = {name: np.random.default_rng(0).random(mask.shape) < 0.3 for name, mask in network.masks.items()}
    masked = network.masked(masks)
    for name, mask in masks.items():
        assert (masked.weights[name][mask].view(np.int32) == network.weights[name][mask].view(np.int32)).all()
        assert (masked.weights[name][~mask].view(np.int32) == 0).all(), "not even a negative zero"
    assert masked.weights["fc1.bias"] is network.weights["fc1.bias"]
    assert isinstance(masked, Subnetwork)
    assert masked.links == sum(int(mask.sum()) for mask in masks.values())
