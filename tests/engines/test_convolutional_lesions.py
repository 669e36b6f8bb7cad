"""What both engines' lesions must be in networks of convolutions, pooling, normalization and sums."""

import copy
import importlib
import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.programs import NETWORKS, Bends
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Examples
from karikomi.description import describe
from karikomi.engines import convolutional, population
from karikomi.engines.contract import Ablation, Outcomes
from karikomi.engines.sparse import flow_lesions
from karikomi.engines.suitability import why_not_lesioned
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork

SCATTERED = {"side by side"}
MODULES = {name: module for name, module in NETWORKS.items() if name not in SCATTERED}
MODULES |= {
    f"perceptron, {'-'.join(map(str, options.values()))}": build("mlp-12-9", (28, 28), 10, **options)
    for options in ({"normalization": "batch"}, {"normalization": "layer"}, {"dropout": 0.5}, {"activation": "gelu"})
}
MODULES |= {"conv-4-small": build("conv-4-small", (28, 28), 10), "resnet-8": build("resnet-8", (28, 28), 10)}
NORMALIZED_BY = {
    **{f"{at}conv{n}": f"{at}bn{n}" for at in ("", *(f"blocks.{k}." for k in range(3))) for n in (1, 2)},
    **{f"blocks.{k}.shortcut.0": f"blocks.{k}.shortcut.1" for k in range(3)},
    **{f"fc{n}": f"norm{n}" for n in (1, 2)},
    **{"conv": "bn", "stem": "bn", "hidden": "norm", "0": "1"},
}
"""By layer the normalization behind it, where there is one."""


@pytest.fixture(params=["population", "sparse.flow_lesions"], scope="module")
def engine(request):
    return importlib.import_module(f"karikomi.engines.{request.param}")


@pytest.fixture(params=[(name, density) for name in MODULES for density in (1.0, 0.2)], ids=str, scope="module")
def network(request, data) -> Subnetwork:
    name, density = request.param
    return subnetwork(MODULES[name], density)


def subnetwork(module: nn.Module, density: float = 1.0) -> Subnetwork:
    """With biases, scales and running statistics like those of a trained network."""
    rng = np.random.default_rng(5)
    whole = initialize(Architecture(module, (torch.rand(3, 28, 28),)), "glorot", rng)
    values = {
        name: w if w.ndim != 1 else (rng.uniform(0.5, 2, w.shape) if "var" in name else rng.normal(0, 0.3, w.shape))
        for name, w in whole.weights.items()
    }
    masks = {name: rng.random(mask.shape) < density for name, mask in whole.masks.items()}
    weights = {name: np.asarray(w, whole.weights[name].dtype) for name, w in values.items()}
    return replace(whole, weights=weights).masked(masks)


@pytest.fixture(scope="module")
def examples(data) -> Examples:
    return data.test.take(np.arange(35))


def units(network: Subnetwork) -> list[tuple[str, int]]:
    return [(name, i) for name, count in network.architecture.hidden_units.items() for i in range(count)]


@torch.no_grad()
def removed(network: Subnetwork, gone: Iterable[int], examples: Examples) -> Tensor:
    """Outputs with rows, biases and normalization of the units ``gone`` at 0, from where no activation brings them."""
    module, every = copy.deepcopy(network.module).eval(), units(network)
    state = {name: torch.tensor(w) for name, w in network.weights.items()}
    for unit in gone:
        layer, i = every[unit]
        behind = NORMALIZED_BY.get(layer)
        # Layer normalization mixes units: they act before it.
        before = isinstance(dict(module.named_modules()).get(behind or ""), nn.LayerNorm)
        for name in (layer,) if before else (layer, behind):
            for key in ("weight", "bias", "running_mean"):
                if f"{name}.{key}" in state:
                    state[f"{name}.{key}"][i] = 0
        if isinstance(module, Bends) and layer == "hidden":  # the sigmoid of 0 is not 0
            state["output.weight"][:, i] = 0
    module.load_state_dict(state)
    return module(torch.tensor(examples.x).float() / 255)


def assert_outcomes(found: Outcomes, where: tuple[int, ...], outputs: Tensor, examples: Examples) -> None:
    labels = torch.tensor(examples.y)
    assert found.loss[where] == pytest.approx(cross_entropy(outputs.double(), labels).item(), abs=1e-5)
    right = labels[outputs.argmax(1) == labels]
    np.testing.assert_array_equal(found.correct[where], np.bincount(right, minlength=outputs.shape[1]))


def some(network: Subnetwork, seed: int) -> np.ndarray:
    """A few units of all layers, in any order."""
    return np.random.default_rng(seed).permutation(len(units(network)))[:16]


def test_the_sparse_engine_lesions_them():
    for module in MODULES.values():
        assert why_not_lesioned(Architecture(module, (torch.rand(3, 28, 28),))) is None


def test_a_knock_out_is_the_network_without_the_unit(engine, network, examples):
    chosen = some(network, 0)
    found = engine.knock_out(network, examples, units=chosen)
    assert (found.loss.shape, found.correct.shape) == ((17,), (17, 10))
    np.testing.assert_array_equal(found.present, np.bincount(examples.y, minlength=10))
    for entry in range(17):
        assert_outcomes(found, (entry,), removed(network, chosen[entry - 1 : entry], examples), examples)


def test_every_step_of_every_order_is_the_network_without_the_units_so_far(engine, network, examples):
    orders = np.stack([some(network, seed)[:8] for seed in (1, 2)])
    found = engine.remove_in_order(network, orders, examples)
    for row, order in enumerate(orders):
        for step in range(9):
            assert_outcomes(found, (row, step), removed(network, order[:step], examples), examples)


def test_all_units_may_go(network, examples):
    order = np.random.default_rng(3).permutation(len(units(network)))
    found = flow_lesions.remove_in_order(network, order[None], examples)
    for step in range(0, len(order) + 1, max(1, len(order) // 8)):
        assert_outcomes(found, (0, step), removed(network, order[:step], examples), examples)


@pytest.mark.parametrize("kind", ["mean", "resample"])
def test_removed_units_can_show_something_else(network, examples, kind):
    total, rng = len(units(network)), np.random.default_rng(1)
    ablation = Ablation(
        means=rng.normal(0, 0.5, total).astype(np.float32) if kind == "mean" else None,
        donors=rng.permutation(len(examples)) if kind == "resample" else None,
    )
    for lesions in (
        lambda engine: engine.knock_out(network, examples, ablation, some(network, 0)[:8]),
        lambda engine: engine.remove_in_order(network, some(network, 1)[None, :8], examples, ablation),
    ):
        ours, theirs = lesions(flow_lesions), lesions(population)
        np.testing.assert_allclose(ours.loss, theirs.loss, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(ours.correct, theirs.correct)


def test_units_to_knock_out_can_be_chosen_in_any_order(network, examples):
    chosen = np.array([len(units(network)) - 1, 0, 3])
    every, found = flow_lesions.knock_out(network, examples), flow_lesions.knock_out(network, examples, units=chosen)
    np.testing.assert_array_equal(found.correct, every.correct[[0, *(1 + chosen)]])
    np.testing.assert_array_equal(found.loss, every.loss[[0, *(1 + chosen)]])


def test_every_unit_alone_leaves_no_trace(network, examples):
    every = flow_lesions.knock_out(network, examples)
    for unit in some(network, 4)[:5]:
        alone = flow_lesions.knock_out(network, examples, units=np.array([unit]))
        np.testing.assert_array_equal(alone.correct[1], every.correct[1 + unit])
        assert alone.loss[1] == every.loss[1 + unit]


def test_an_order_may_stop_early(network, examples):
    order = np.random.default_rng(3).permutation(len(units(network)))
    whole = flow_lesions.remove_in_order(network, order[None], examples)
    found = flow_lesions.remove_in_order(network, order[None, :4], examples)
    np.testing.assert_array_equal(found.correct, whole.correct[:, :5])
    np.testing.assert_allclose(found.loss, whole.loss[:, :5], rtol=0, atol=1e-6)


def test_threads_change_nothing_to_the_bit(network, examples):
    many = examples.take(np.arange(200) % len(examples))
    one, other = (flow_lesions.knock_out(network, many, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.loss, other.loss)


def test_every_removal_is_reported(network, examples):
    reported: list[int] = []
    flow_lesions.remove_in_order(network, np.tile(np.arange(6), (3, 1)), examples, advance=reported.append)
    assert sum(reported) == 18


@pytest.mark.parametrize("name", SCATTERED)
def test_what_is_read_alone_and_beside_others_is_for_the_population_engine(name):
    reason = why_not_lesioned(Architecture(NETWORKS[name], (torch.rand(3, 28, 28),)))
    assert reason == "stem: its units are not the channels of one signal"


class Scattered(nn.Module):
    """A signal that is read before and behind its pooling, so that its units act in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(n, 4, 3, padding=1) for n in (1, 4, 4))
        self.out = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x.unsqueeze(1)))
        left, right = self.second(x), self.third(nn.functional.max_pool2d(x, 2))
        return self.out(left.mean((2, 3)) + right.mean((2, 3)))


def test_units_that_act_in_several_places_are_for_the_population_engine(examples):
    network, reason = subnetwork(Scattered()), "first: its units are not the channels of one signal"
    assert why_not_lesioned(network.architecture) == reason
    assert f"Lesioned by the population engine ({reason})" in describe(Scattered(), torch.rand(3, 28, 28)).explanation
    with pytest.raises(InputError, match=re.escape(reason)):
        flow_lesions.knock_out(network, examples)
    order = np.arange(5)[None]
    for ours, theirs in (
        (convolutional.knock_out(network, examples), population.knock_out(network, examples)),
        (convolutional.remove_in_order(network, order, examples), population.remove_in_order(network, order, examples)),
    ):
        np.testing.assert_array_equal(ours.loss, theirs.loss)


WRONG_UNITS = {"unknown": [5000], "negative": [-1], "repeated": [1, 1], "fraction": [0.5], "table": [[1, 2]]}
WRONG_EXAMPLES = {
    "none": lambda examples: examples.take(np.arange(0)),
    "nan": lambda examples: Examples(np.full(examples.x.shape, np.nan, np.float32), examples.y),
    "shape": lambda examples: Examples(examples.x[:, :20], examples.y),
    "labels": lambda examples: Examples(examples.x, examples.y + 12),
}


@pytest.mark.parametrize("wrong", WRONG_UNITS)
def test_refuses_units_that_do_not_fit(examples, wrong):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        convolutional.knock_out(subnetwork(NETWORKS["lenet-5"]), examples, units=np.array(WRONG_UNITS[wrong]))


@pytest.mark.parametrize("wrong", WRONG_EXAMPLES)
def test_refuses_examples_that_do_not_fit(examples, wrong):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        convolutional.knock_out(subnetwork(NETWORKS["lenet-5"]), WRONG_EXAMPLES[wrong](examples))


@pytest.mark.parametrize("ablation", [Ablation(means=np.zeros(3)), Ablation(donors=np.arange(35) + 1)], ids=str)
def test_refuses_ablations_that_do_not_fit(examples, ablation):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        convolutional.knock_out(subnetwork(NETWORKS["lenet-5"]), examples, ablation)
