"""Criteria that measure: each by its formula in plain PyTorch, on networks of both engines, and by what defines it."""

from functools import partial
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, unfold

from karikomi import seeds
from karikomi.data.dataset import Dataset, Examples
from karikomi.engines import population, sparse
from karikomi.engines.contract import Recipe, Trial
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.masks import remove_links
from karikomi.removal.scores import LINK_CRITERIA, Evidence

MEASURES = ("gradients", "squared_gradients", "hessian_gradient", "input_norms")
RECIPE = Recipe(30, 20, "adam", 0.01, 0.0, 0.0, validate_every=30)


def evidence(network: Subnetwork, examples: Examples) -> Evidence:
    measured = {name: partial(getattr(population, name), network, examples) for name in MEASURES}
    flow = partial(population.synaptic_flow, network, examples.x.shape[1:])
    return Evidence(network.weights, network.weights, network.masks, np.random.default_rng(0), flow=flow, **measured)


def scores(name: str, network: Subnetwork, examples: Examples) -> dict[str, np.ndarray]:
    return LINK_CRITERIA[name].function(evidence(network, examples))


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 6)).astype(np.float32), rng.integers(0, 3, 300)
    return Dataset.from_arrays(x[:200], y[:200], x[200:], y[200:])


@pytest.fixture(scope="module", params=[sparse, population], ids=["sparse", "population"])
def network(request, data: Dataset) -> Subnetwork:
    """A perceptron 6-5-4-3 without some links, trained by an engine."""
    engine: ModuleType = request.param
    whole = initialize(Architecture(build("mlp-5-4", (6,), 3)), "glorot", seeds.stream(1, "init"))
    rng = np.random.default_rng(1)
    start = whole.masked({name: rng.random(mask.shape) < 0.8 for name, mask in whole.masks.items()})
    trial = Trial(start, data.split(60, seeds.stream(1, "split")), seeds.sequence(1, "order"))
    [trained] = engine.train([trial], data, RECIPE)
    return trained.final


class Plain:
    """The network in plain PyTorch, in float64, as a function of one vector of its weights with links."""

    def __init__(self, network: Subnetwork, examples: Examples) -> None:
        self.module, self.masks = network.module, network.masks
        self.state = {name: torch.tensor(value, dtype=torch.float64) for name, value in network.weights.items()}
        self.x, self.y = torch.tensor(examples.x, dtype=torch.float64), torch.tensor(examples.y)
        self.flat = torch.cat([self.state[name].flatten() for name in self.masks])

    def outputs(self, flat: torch.Tensor) -> torch.Tensor:
        parts = flat.split([mask.size for mask in self.masks.values()])
        own = {n: part.view(self.masks[n].shape) for n, part in zip(self.masks, parts, strict=True)}
        return functional_call(self.module, {**self.state, **own}, (self.x,))

    def losses(self, flat: torch.Tensor) -> torch.Tensor:
        return cross_entropy(self.outputs(flat), self.y, reduction="none")

    def gradient(self, flat: torch.Tensor) -> torch.Tensor:
        flat = flat.detach().requires_grad_()
        return torch.autograd.grad(self.losses(flat).mean(), flat)[0]


def joined(found: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([value.ravel() for value in found.values()])


def test_taylor_and_snip(network: Subnetwork, data: Dataset):
    plain = Plain(network, data.train)
    expected = (plain.flat * plain.gradient(plain.flat)).abs().numpy()
    for name in ("taylor", "snip"):
        np.testing.assert_allclose(joined(scores(name, network, data.train)), expected, rtol=1e-4, atol=1e-7)


def test_snip_is_the_slope_of_the_loss_by_a_gate_on_the_link(network: Subnetwork, data: Dataset):
    plain, found = Plain(network, data.train), joined(scores("snip", network, data.train))
    for link in np.flatnonzero(plain.flat.numpy())[::5]:
        gate = torch.ones(len(plain.flat), dtype=torch.float64)
        gate[link] += 1e-5
        after, before = (plain.losses(plain.flat * c).mean().item() for c in (gate, 2 - gate))
        assert found[link] == pytest.approx(abs(after - before) / 2e-5, rel=1e-3, abs=1e-6)


def test_grasp_is_the_weight_times_the_hessian_times_the_gradient(network: Subnetwork, data: Dataset):
    plain, found = Plain(network, data.train), joined(scores("grasp", network, data.train))
    hessian = torch.autograd.functional.hessian(lambda flat: plain.losses(flat).mean(), plain.flat)
    assert isinstance(hessian, torch.Tensor)
    expected = plain.flat * (hessian @ plain.gradient(plain.flat))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-7)


def test_grasp_is_how_fast_the_gradient_grows_with_the_weights(network: Subnetwork, data: Dataset):
    plain, found = Plain(network, data.train), joined(scores("grasp", network, data.train))
    larger, smaller = (plain.gradient(plain.flat * (1 + e)).square().sum().item() / 2 for e in (1e-5, -1e-5))
    assert found.sum() == pytest.approx((larger - smaller) / 2e-5, rel=1e-3)


def test_obd_fisher(network: Subnetwork, data: Dataset):
    plain = Plain(network, data.train)
    each = torch.autograd.functional.jacobian(plain.losses, plain.flat)
    assert isinstance(each, torch.Tensor)
    expected = plain.flat.square() * each.square().mean(0) / 2
    np.testing.assert_allclose(joined(scores("obd-fisher", network, data.train)), expected, rtol=1e-4, atol=1e-9)


def test_obd_fisher_has_the_hessians_diagonal_where_labels_have_the_networks_odds():
    """One input, odds 1 : 3, and labels 0, 1, 1, 1; the exact Hessian is p (1 − p) x²."""
    module = nn.Sequential(nn.Linear(2, 2, bias=False))
    x = np.array([[2.0, 0.5]], np.float32)
    slope = np.log(3) / (x @ x.T).item()
    weights = np.vstack([np.zeros(2), slope * x[0]]).astype(np.float32)
    network = Subnetwork.full(Architecture(module), {"0.weight": weights})
    found = scores("obd-fisher", network, Examples(np.repeat(x, 4, 0), np.array([0, 1, 1, 1])))
    np.testing.assert_allclose(found["0.weight"], weights**2 * 3 / 16 * x**2 / 2, rtol=1e-5)


def test_movement_first_order_sums_weight_times_step_along_gradient_flow(network: Subnetwork, data: Dataset):
    """Sanh et al. add −w · ∂L/∂w in every step; in small steps of plain gradient descent."""
    plain, rate = Plain(network, data.train), 1e-3
    flat, total = plain.flat.clone(), torch.zeros_like(plain.flat)
    for _ in range(300):
        slope = plain.gradient(flat)
        total -= rate * flat * slope
        flat = flat - rate * slope
    weights, rng = {"a": flat.numpy()}, np.random.default_rng(0)
    given = Evidence(weights, {"a": plain.flat.numpy()}, {"a": np.ones(len(flat), bool)}, rng)
    found = LINK_CRITERIA["movement-first-order"].function(given)["a"]
    np.testing.assert_allclose(found, total, atol=1e-3 * total.abs().max().item())


def test_synflow_is_the_product_of_sizes_along_all_paths(network: Subnetwork, data: Dataset):
    first, second, last = (np.abs(network.weights[name].astype(float)) for name in network.masks)
    found = scores("synflow", network, data.train)
    forward = [np.ones(6), first.sum(1), second @ first.sum(1)]
    backward = [last.sum(0) @ second, last.sum(0), np.ones(3)]
    for name, before, after in zip(network.masks, forward, backward, strict=True):
        np.testing.assert_allclose(found[name], np.abs(network.weights[name]) * np.outer(after, before), rtol=1e-6)


@pytest.mark.parametrize("name", ["mlp-9-7-5", "conv-2-small", "lenet-5"])
def test_synflow_is_conserved_from_layer_to_layer(name: str):
    shape = (6,) if name.startswith("mlp") else (28, 28)
    network = initialize(Architecture(build(name, shape, 3)), "kaiming", np.random.default_rng(0))
    network = network.masked({n: np.random.default_rng(1).random(m.shape) < 0.5 for n, m in network.masks.items()})
    given = Examples(np.ones((2, *shape), np.float32), np.array([0, 1]))
    sums = [score.sum() for score in scores("synflow", network, given).values()]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_synflow_empties_no_layer_before_it_must(seed: int):
    """One by one down to one link in each layer, as long as it takes: the maximal critical compression."""
    rng = np.random.default_rng(seed)
    network = initialize(Architecture(build("mlp-7-2-6", (9,), 3)), "glorot", rng)
    given = Examples(np.ones((2, 9), np.float32), np.array([0, 1]))
    masks = network.masks
    for left in range(network.links - 1, 3, -1):
        masks = remove_links(masks, scores("synflow", network.masked(masks), given), left, rng)
        assert min(int(mask.sum()) for mask in masks.values()) >= 1
    assert [int(mask.sum()) for mask in masks.values()] == [1, 1, 1, 1]
    flow = population.synaptic_flow(network.masked(masks), (9,))
    assert all((flow[name][mask] > 0).all() for name, mask in masks.items()), "and they are one path"


def test_wanda_is_the_weight_times_the_norm_of_its_input(network: Subnetwork, data: Dataset):
    found, inputs = scores("wanda", network, data.train), torch.tensor(data.train.x)
    for part in (part for part in network.module.modules() if isinstance(part, nn.Linear)):
        name = next(n for n, p in network.module.named_parameters() if p is part.weight)
        expected = np.abs(network.weights[name]) * inputs.norm(dim=0).numpy()
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)
        bias = torch.tensor(network.weights[name.replace("weight", "bias")])
        inputs = (inputs @ torch.tensor(network.weights[name]).T + bias).relu()


def test_wanda_in_a_convolution_counts_every_place(data: Dataset):
    module = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3))
    network = Subnetwork.from_module(module)
    x = np.random.default_rng(0).standard_normal((20, 2, 6, 6)).astype(np.float32)
    found = population.input_norms(network, Examples(x, np.arange(20) % 3))["0.weight"]
    patches = unfold(torch.tensor(x), 3, padding=1, stride=2)
    expected = patches.square().sum((0, 2)).sqrt().view(2, 3, 3).expand(3, 2, 3, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Thresholded(nn.Module):
    """A network whose outputs have no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.layer(x) > 0).float()


@pytest.mark.parametrize("name", ["taylor", "snip", "grasp", "obd-fisher", "synflow"])
def test_without_a_gradient_there_is_one_line(name: str, data: Dataset):
    network = Subnetwork.from_module(Thresholded())
    with pytest.raises(InputError, match="has no gradient that this criterion needs") as refused:
        scores(name, network, data.train)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_synflow_passes_through_activations_that_saturate(activation: str, data: Dataset):
    weights = initialize(Architecture(build("mlp-50-40", (6,), 3)), "glorot", np.random.default_rng(0)).weights
    modules = (build("mlp-50-40", (6,), 3, activation=name) for name in ("relu", activation))
    networks = (Subnetwork.full(Architecture(module), weights) for module in modules)
    relu, other = (scores("synflow", network, data.train) for network in networks)
    for name, score in relu.items():
        np.testing.assert_array_equal(other[name], score)


def test_wanda_does_not_guess(data: Dataset):
    network = initialize(Architecture(build("gru", (8, 8), 3)), "pytorch", np.random.default_rng(0))
    given = Examples(np.ones((4, 8, 8), np.float32), np.arange(4) % 3)
    with pytest.raises(InputError, match="multiplies cannot be told"):
        scores("wanda", network, given)
