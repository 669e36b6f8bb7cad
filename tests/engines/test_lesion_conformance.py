"""What lesions must be in every engine; plain PyTorch, one lesioned network at a time, says what is right."""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation, Outcomes
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.subnetwork import Subnetwork

TANH = nn.Sequential(
    nn.Flatten(), nn.Linear(784, 9, bias=False), nn.Tanh(), nn.Linear(9, 13), nn.Tanh(), nn.Linear(13, 10)
)
STRAIGHT = nn.Sequential(nn.Flatten(), nn.Linear(784, 7), nn.Identity(), nn.Linear(7, 5), nn.Linear(5, 12, bias=False))
NETWORKS = {
    "shallow": (build("mlp-20", (28, 28), 10), 1.0),
    "two": (build("mlp-24-17", (28, 28), 10), 1.0),
    "sparse": (build("mlp-24-17", (28, 28), 10), 0.2),
    "deep": (build("mlp-12-9-8-11", (28, 28), 10), 0.7),
    "tanh": (TANH, 0.6),
    "straight": (STRAIGHT, 1.0),
}


@pytest.fixture(params=["population", "sparse"], scope="module")
def engine(request):
    return importlib.import_module(f"karikomi.engines.{request.param}")


@pytest.fixture(params=NETWORKS, scope="module")
def network(request, make) -> Subnetwork:
    module, density = NETWORKS[request.param]
    whole = make.subnetwork(module, density)
    rng = np.random.default_rng(5)  # biases that are not 0, as after training
    biased = {name: rng.normal(0, 0.2, w.shape).astype(np.float32) for name, w in whole.weights.items() if w.ndim == 1}
    return replace(whole, weights={**whole.weights, **biased})


@pytest.fixture(scope="module")
def examples(data) -> Examples:
    return data.test.take(np.arange(330))


def linear_layers(network: Subnetwork) -> list[str]:
    return [name for name, part in network.module.named_modules() if isinstance(part, nn.Linear)]


def units(network: Subnetwork) -> list[tuple[str, int]]:
    """Layer and index of every hidden unit."""
    return [(name, i) for name in linear_layers(network)[:-1] for i in range(len(network.weights[f"{name}.weight"]))]


def tensors(network: Subnetwork) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in network.masked(network.masks).weights.items()}


def inputs(examples: Examples) -> Tensor:
    return torch.tensor(examples.x).float() / 255


def removed(network: Subnetwork, gone: Iterable[int], examples: Examples) -> Tensor:
    """Outputs with rows, biases and columns of the units ``gone`` at 0."""
    weights, names, all_units = tensors(network), linear_layers(network), units(network)
    for unit in gone:
        name, i = all_units[unit]
        weights[f"{name}.weight"][i] = 0
        if f"{name}.bias" in weights:
            weights[f"{name}.bias"][i] = 0
        weights[f"{names[names.index(name) + 1]}.weight"][:, i] = 0
    return functional_call(network.module, weights, (inputs(examples),))


def signals(network: Subnetwork, x: Tensor, change: Callable[[str, Tensor], None]) -> Tensor:
    """Outputs, with what enters and leaves the activation function of each hidden layer in the hands of ``change``."""
    weights, names = tensors(network), linear_layers(network)
    for name, part in network.module.named_children():
        own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        if isinstance(part, nn.Linear) and name != names[0]:
            change(f"after {names[names.index(name) - 1]}", x)
        x = functional_call(part, own, (x.clone(),))
        if isinstance(part, nn.Linear):
            change(f"before {name}", x)
    return x


def shown(network: Subnetwork, gone: Iterable[int], examples: Examples, ablation: Ablation) -> Tensor:
    """Outputs with the activations of the units ``gone`` overwritten."""
    whole: dict[str, Tensor] = {}
    all_units = units(network)

    def record(where: str, signal: Tensor) -> None:
        whole[where] = signal.clone()

    def overwrite(where: str, signal: Tensor) -> None:
        for unit in gone:
            name, i = all_units[unit]
            if where != f"after {name}":
                continue
            signal[:, i] = whole[where][ablation.donors, i] if ablation.means is None else float(ablation.means[unit])

    signals(network, inputs(examples), record)
    return signals(network, inputs(examples), overwrite)


def assert_outcomes(found: Outcomes, where: tuple[int, ...], outputs: Tensor, examples: Examples) -> None:
    labels = torch.tensor(examples.y)
    assert found.loss[where] == pytest.approx(cross_entropy(outputs.double(), labels).item(), abs=1e-5)
    right = labels[outputs.argmax(1) == labels]
    np.testing.assert_array_equal(found.correct[where], np.bincount(right, minlength=outputs.shape[1]))


def ablations(network: Subnetwork, examples: Examples) -> dict[str, Ablation]:
    rng = np.random.default_rng(1)
    return {
        "mean": Ablation(means=rng.normal(0, 1, len(units(network))).astype(np.float32)),
        "resample": Ablation(donors=rng.permutation(len(examples))),
    }


def test_activations_are_those_around_the_activation_function(engine, network, examples):
    found = engine.activations(network, examples)
    expected: dict[str, Tensor] = {}
    signals(network, inputs(examples), lambda where, signal: expected.update({where: signal.clone()}))
    for side, values in (("before", found.preactivation), ("after", found.activation)):
        together = torch.cat([expected[f"{side} {name}"] for name in linear_layers(network)[:-1]], 1).T
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, together, rtol=0, atol=1e-5)


def test_a_knock_out_is_the_network_without_the_unit(engine, network, examples):
    found = engine.knock_out(network, examples)
    total = len(units(network))
    assert (found.loss.shape, found.correct.shape[:-1]) == ((total + 1,), (total + 1,))
    np.testing.assert_array_equal(found.present[:10], np.bincount(examples.y, minlength=10))
    for entry in range(total + 1):
        assert_outcomes(found, (entry,), removed(network, range(entry - 1, entry) if entry else [], examples), examples)


def test_units_to_knock_out_can_be_chosen_in_any_order(engine, network, examples):
    some = np.array([len(units(network)) - 1, 0, 3])
    every, found = engine.knock_out(network, examples), engine.knock_out(network, examples, units=some)
    np.testing.assert_array_equal(found.correct, every.correct[[0, *(1 + some)]])
    np.testing.assert_allclose(found.loss, every.loss[[0, *(1 + some)]], rtol=0, atol=1e-6)


def test_every_step_of_every_order_is_the_network_without_the_units_so_far(engine, network, examples):
    rng, total = np.random.default_rng(0), len(units(network))
    orders = np.stack([rng.permutation(total) for _ in range(2)])
    found = engine.remove_in_order(network, orders, examples)
    assert found.loss.shape == (2, total + 1)
    for row, order in enumerate(orders):
        for step in range(total + 1):
            assert_outcomes(found, (row, step), removed(network, order[:step], examples), examples)


def test_an_order_may_stop_early(engine, network, examples):
    order = np.random.default_rng(3).permutation(len(units(network)))
    whole = engine.remove_in_order(network, order[None], examples)
    found = engine.remove_in_order(network, order[None, :4], examples)
    np.testing.assert_array_equal(found.correct, whole.correct[:, :5])
    np.testing.assert_allclose(found.loss, whole.loss[:, :5], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "resample"])
def test_removed_units_can_show_something_else(engine, network, examples, kind):
    ablation = ablations(network, examples)[kind]
    single = engine.knock_out(network, examples, ablation)
    for unit in range(0, len(units(network)), 3):
        assert_outcomes(single, (1 + unit,), shown(network, [unit], examples, ablation), examples)
    order = np.random.default_rng(2).permutation(len(units(network)))
    found = engine.remove_in_order(network, order[None], examples, ablation)
    for step in range(0, len(order) + 1, 4):
        assert_outcomes(found, (0, step), shown(network, order[:step], examples, ablation), examples)


def test_examples_of_few_classes_and_of_any_number(engine, network, examples):
    few = examples.take(np.flatnonzero(examples.y < 3)[:65])
    found = engine.knock_out(network, few, units=np.array([1]))
    np.testing.assert_array_equal(found.present[3:], 0)
    assert_outcomes(found, (1,), removed(network, [1], few), few)
    assert np.isnan(found.class_accuracy[:, 3:]).all()


def test_floats_are_read_as_they_are(engine, network, examples):
    floats = Examples((examples.x / 255).astype(np.float32), examples.y)
    a, b = engine.knock_out(network, examples), engine.knock_out(network, floats)
    np.testing.assert_allclose(a.loss, b.loss, rtol=0, atol=1e-6)


def test_every_removal_is_reported(engine, network, examples):
    orders = np.tile(np.arange(6), (3, 1))
    reported: list[int] = []
    engine.remove_in_order(network, orders, examples, advance=reported.append)
    assert sum(reported) == orders.size


def with_a_hole(examples: Examples) -> Examples:
    x = (examples.x / 255).astype(np.float32)
    x[7, 3, 3] = np.nan
    return Examples(x, examples.y)


def broken(network: Subnetwork) -> Subnetwork:
    return replace(network, weights={name: np.full_like(value, np.nan) for name, value in network.weights.items()})


WRONG_UNITS = {"unknown": [500], "negative": [-1], "repeated": [1, 1], "fraction": [0.5], "table": [[1, 2]]}
WRONG_ORDERS = {"repeated": [[0, 1], [2, 2]], "unknown": [[0, 500]], "flat": [0, 1, 2]}
WRONG_ABLATIONS = {
    "few means": Ablation(means=np.zeros(3, np.float32)),
    "few donors": Ablation(donors=np.arange(3)),
    "unknown donors": Ablation(donors=np.arange(330) + 1),
    "negative donors": Ablation(donors=np.arange(330) - 1),
    "both": Ablation(np.zeros(37, np.float32), np.arange(330)),
}
WRONG_EXAMPLES = {
    "none": lambda examples: examples.take(np.arange(0)),
    "nan": with_a_hole,
    "shape": lambda examples: Examples(examples.x[:, :20], examples.y),
    "labels": lambda examples: Examples(examples.x, examples.y + 12),
}


@pytest.mark.parametrize("wrong", WRONG_UNITS)
def test_refuses_units_that_do_not_fit(engine, network, examples, wrong):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        engine.knock_out(network, examples, units=np.array(WRONG_UNITS[wrong]))


@pytest.mark.parametrize("wrong", WRONG_ORDERS)
def test_refuses_orders_that_do_not_fit(engine, network, examples, wrong):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        engine.remove_in_order(network, np.array(WRONG_ORDERS[wrong]), examples)


@pytest.mark.parametrize("wrong", WRONG_ABLATIONS)
def test_refuses_ablations_that_do_not_fit(engine, network, examples, wrong):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        engine.knock_out(network, examples, WRONG_ABLATIONS[wrong])
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        engine.remove_in_order(network, np.arange(3)[None], examples, WRONG_ABLATIONS[wrong])


@pytest.mark.parametrize("wrong", WRONG_EXAMPLES)
def test_refuses_examples_that_do_not_fit(engine, network, examples, wrong):
    for lesion in (engine.knock_out, engine.activations):
        with pytest.raises(InputError, match=r"^[^\n]+$"):
            lesion(network, WRONG_EXAMPLES[wrong](examples))


def test_refuses_weights_that_are_not_numbers(engine, network, examples):
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        engine.knock_out(broken(network), examples)
