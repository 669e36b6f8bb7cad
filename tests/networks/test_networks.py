"""Architectures by name, and their initial weights."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.seeds import stream


def test_lenet_has_the_papers_weights():
    module = build("lenet-300-100", (28, 28), 10)
    assert Architecture(module).link_weights == ("fc1.weight", "fc2.weight", "output.weight")
    network = initialize(Architecture(module), "glorot", stream(0, "init", 0))
    assert network.links == 266_200
    assert network.density == 1


@pytest.mark.parametrize("name", ["mlp", "mlp-", "mlp-0", "mlp-3-x", "mlp-256-", "lenet", "lenet-300-100-1"])
def test_wrong_names_are_refused(name):
    with pytest.raises(InputError, match=r"mlp-<h1>|lenet-300-100"):
        build(name, (28, 28), 10)


def test_links_are_linear_and_convolutional_weights_only():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    assert Architecture(module).link_weights == ("0.weight", "3.weight")
    assert Architecture(nn.Linear(3, 2)).link_weights == ("weight",)


def test_links_of_recurrent_layers_are_weights_and_their_biases_begin_at_0():
    network = initialize(Architecture(build("gru", (28, 28), 10)), "glorot", stream(0, "init", 0))
    assert list(network.masks) == ["gru.weight_ih_l0", "gru.weight_hh_l0", "output.weight"]
    assert network.weights["gru.weight_ih_l0"].var() == pytest.approx(2 / (28 + 192), rel=0.1)
    assert not any(network.weights[bias].any() for bias in ("gru.bias_ih_l0", "gru.bias_hh_l0", "output.bias"))


@pytest.mark.parametrize(("scheme", "variance"), [("glorot", 2 / 1084), ("kaiming", 2 / 784)])
def test_gaussian_schemes_have_their_moments(scheme, variance):
    weights = initialize(Architecture(build("mlp-300", (28, 28), 10)), scheme, stream(0, "init", 0)).weights
    w, n = weights["fc1.weight"], 300 * 784
    assert abs(w.mean()) < 5 * math.sqrt(variance / n)
    assert abs(w.var() / variance - 1) < 5 * math.sqrt(2 / n)
    assert abs((w**4).mean() / w.var() ** 2 - 3) < 5 * math.sqrt(24 / n), "Gaussian, not uniform"
    assert not weights["fc1.bias"].any()


def uneven_masks(module: nn.Module, seed: int = 0) -> dict[str, np.ndarray]:
    """Masks that leave every link with a probability of its unit's own, 0 … 1, so that fans are very uneven."""
    rng = np.random.default_rng(seed)
    shapes = {name: tuple(module.get_parameter(name).shape) for name in Architecture(module).link_weights}
    return {name: rng.random(shape) < rng.random((shape[0], *[1] * (len(shape) - 1))) for name, shape in shapes.items()}


@pytest.mark.parametrize("scheme", ["glorot", "kaiming", "pytorch"])
@pytest.mark.parametrize(
    "module", [build("mlp-20", (4, 4), 3), nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6))]
)
def test_full_masks_give_the_whole_network_bit_for_bit(scheme, module):
    whole = initialize(Architecture(module), scheme, stream(0, "init", 0))
    masked = initialize(Architecture(module), scheme, stream(0, "init", 0), dict(list(whole.masks.items())[::-1]))
    assert list(masked.masks) == list(whole.masks)
    assert all(masked.weights[name].tobytes() == value.tobytes() for name, value in whole.weights.items())


@pytest.mark.parametrize("scheme", ["glorot", "kaiming"])
@pytest.mark.parametrize("layer", [nn.Linear(60, 40), nn.Conv2d(10, 8, 3)])
def test_every_link_has_the_variance_of_its_own_fans(scheme, layer):
    module = nn.Sequential(layer)
    [mask] = uneven_masks(module).values()
    drawn = [
        initialize(Architecture(module), scheme, stream(0, "init", r), {"0.weight": mask}).weights["0.weight"]
        for r in range(40)
    ]
    assert all((w != 0).any() and (w[~mask] == 0).all() for w in drawn)
    fan_in = mask.reshape(len(mask), -1).sum(axis=1)
    fan_out = mask.swapaxes(0, 1).reshape(mask.shape[1], -1).sum(axis=1)
    for unit, source in [(0, 0), (3, 7), (int(fan_in.argmin()), int(fan_out.argmax())), (int(fan_in.argmax()), 2)]:
        variance = 2 / (fan_in[unit] + fan_out[source] if scheme == "glorot" else fan_in[unit])
        standard = np.array([w[unit, source][mask[unit, source]] for w in drawn]) / math.sqrt(variance)
        if standard.size:
            assert abs((standard**2).mean() - 1) < 5 * math.sqrt(2 / standard.size)


@pytest.mark.parametrize("scheme", ["kaiming", "pytorch"])
def test_signals_are_as_large_as_in_the_whole_network_however_few_links_a_unit_has(scheme):
    module = build("mlp-200", (20, 20), 3)
    masks = uneven_masks(module)
    x = np.random.default_rng(1).standard_normal((400, 200))
    fan_in = masks["fc1.weight"].sum(axis=1)
    few, many = fan_in < 100, fan_in > 300
    assert min(few.sum(), many.sum()) > 30

    def mean_square(network: Subnetwork, units: np.ndarray) -> float:
        return float(((network.weights["fc1.weight"][units] @ x) ** 2).mean())

    whole = initialize(Architecture(module), scheme, stream(0, "init", 0))
    sparse = initialize(Architecture(module), scheme, stream(1, "init", 0), masks)
    expected = {"kaiming": 2, "pytorch": 1 / 3}[scheme]
    for network, units in [(whole, few | True), (sparse, few), (sparse, many)]:
        assert mean_square(network, units) == pytest.approx(expected, rel=0.1)


def test_glorot_signals_are_those_of_the_whole_network_where_links_are_spread_evenly():
    module = nn.Sequential(nn.Linear(300, 200))
    # Every unit has 30 links in and every input 20 out: a tenth of those of the whole network.
    mask = (np.arange(300) - np.arange(200)[:, None] * 3) % 300 < 30
    assert set(mask.sum(axis=0)) == {20}
    weights = initialize(Architecture(module), "glorot", stream(0, "init", 0), {"0.weight": mask}).weights["0.weight"]
    assert (weights**2).sum(axis=1).mean() == pytest.approx(300 * 2 / 500, rel=5 * math.sqrt(2 / 6000))


def test_pytorchs_bounds_are_those_of_the_links_there_are():
    module = build("mlp-200", (20, 20), 3)
    masks = uneven_masks(module)
    masks["fc1.weight"][7] = False
    weights = initialize(Architecture(module), "pytorch", stream(0, "init", 0), masks).weights
    fan_in = masks["fc1.weight"].sum(axis=1)
    many = fan_in > 100
    bound = 1 / np.sqrt(fan_in[many])
    largest = np.abs(weights["fc1.weight"]).max(axis=1)[many] / bound
    assert 0.9 < largest.min() <= largest.max() < 1 + 1e-6
    bias = weights["fc1.bias"]
    assert (np.abs(bias[many]) < bound * (1 + 1e-6)).all()
    assert (bias[many] / bound).std() == pytest.approx(1 / math.sqrt(3), rel=0.2)
    assert bias[7] == 0, "as PyTorch has it for a layer without inputs"


def test_convolutions_count_their_field():
    weights = initialize(Architecture(nn.Sequential(nn.Conv2d(20, 50, 5))), "glorot", stream(0, "init", 0)).weights
    assert weights["0.weight"].var() == pytest.approx(2 / (25 * 70), rel=5 * math.sqrt(2 / 25000))


@pytest.mark.parametrize(
    "make",
    [
        lambda: build("mlp-20", (4, 4), 3),
        lambda: build("resnet-8", (4, 4), 3),
        lambda: build("gru", (4, 4), 3),
        lambda: nn.Sequential(nn.MultiheadAttention(8, 2)),
    ],
    ids=["perceptron", "residual", "recurrent", "attention"],
)
def test_pytorchs_own_initialization_is_pytorchs(make):
    module = make()
    rng = stream(3, "init", 0)
    seed = int(stream(3, "init", 0).integers(2**63))
    drawn = initialize(Architecture(module), "pytorch", rng).weights
    torch.manual_seed(seed)
    expected = make().state_dict()
    assert all((drawn[name] == value.numpy()).all() for name, value in expected.items())


def test_drawing_leaves_the_module_and_torchs_stream_alone():
    module = build("mlp-20", (4, 4), 3)
    before, state = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
    initialize(Architecture(module), "kaiming", stream(0, "init", 0))
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_replicates_differ_and_repeat():
    module = build("mlp-20", (4, 4), 3)
    a, b, c = (
        initialize(Architecture(module), "glorot", stream(0, "init", r)).weights["fc1.weight"] for r in (0, 1, 0)
    )
    assert (a != b).all()
    assert (a == c).all()


def test_masked_weights_are_zero_and_the_others_equal_bit_for_bit():
    network = initialize(Architecture(build("mlp-20", (4, 4), 3)), "glorot", stream(0, "init", 0))
    masks = {name: np.random.default_rng(0).random(mask.shape) < 0.3 for name, mask in network.masks.items()}
    masked = network.masked(masks)
    for name, mask in masks.items():
        assert (masked.weights[name][mask].view(np.int32) == network.weights[name][mask].view(np.int32)).all()
        assert (masked.weights[name][~mask].view(np.int32) == 0).all(), "not even a negative zero"
    assert masked.weights["fc1.bias"] is network.weights["fc1.bias"]
    assert isinstance(masked, Subnetwork)
    assert masked.links == sum(int(mask.sum()) for mask in masks.values())
