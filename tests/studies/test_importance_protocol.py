"""What is measured of a network, against plain PyTorch with the units held at 0."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from karikomi import data, seeds
from karikomi.data.dataset import Dataset
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.removal.orders import random_order
from karikomi.studies.importance.protocol import LINKS_KEPT, measure
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.importance.stages import prepare
from karikomi.studies.stage import Task

SIZES = (6, 5)
UNITS = sum(SIZES)


@pytest.fixture(scope="module")
def digits(tiny):
    return data.load(tiny)


@pytest.fixture(scope="module")
def setup(tiny, digits):
    return prepare(make(tiny), digits)


@pytest.fixture(scope="module")
def subnetwork(setup):
    return initialize(Architecture(setup.architecture.module), "glorot", np.random.default_rng(0))


@pytest.fixture(scope="module")
def arrays(setup, subnetwork):
    return measure(setup, lambda n, description=None: None, Task(1), subnetwork)


def make(tiny, **changes):
    given = {"data": tiny, "network": "mlp-6-5", "replicates": 2, "validation": 200, "scoring": 150, "shapley": 4}
    given |= {"criteria": ("in-strength", "taylor", "knock-out"), "pairs": 4, "engine": "population"}
    return ImportanceSettings.of(**{**given, **changes})


def without(setup, subnetwork, units):
    """Loss and right answers by class of the network with these units held at 0."""
    x = torch.from_numpy(setup.data.test.x).float() / 255
    y = torch.from_numpy(setup.data.test.y)
    module = setup.architecture.module
    hooks, first = [], 0
    for name, size in zip(("fc1", "fc2"), SIZES, strict=True):
        gone = [unit - first for unit in units if first <= unit < first + size]
        keep = torch.ones(size)
        keep[gone] = 0
        hooks.append(module.get_submodule(name).register_forward_hook(lambda _m, _i, out, keep=keep: out * keep))
        first += size
    outputs = functional_call(module, {k: torch.from_numpy(v) for k, v in subnetwork.weights.items()}, x)
    for hook in hooks:
        hook.remove()
    right = outputs.argmax(1) == y
    return cross_entropy(outputs, y).item(), np.bincount(y[right], minlength=setup.data.classes)


def test_single_losses_are_those_of_the_network_without_the_unit(setup, subnetwork, arrays):
    expected = [without(setup, subnetwork, [])] + [without(setup, subnetwork, [unit]) for unit in range(UNITS)]
    np.testing.assert_allclose(arrays["loss"], [loss for loss, _ in expected], rtol=1e-5)
    np.testing.assert_array_equal(arrays["correct"], [correct for _, correct in expected])
    np.testing.assert_array_equal(arrays["present"], np.bincount(setup.data.test.y, minlength=10))


def test_pairs_are_those_of_the_most_critical_units(setup, subnetwork, arrays):
    critical = sorted(np.argsort(-arrays["loss"][1:])[:4].tolist())
    assert arrays["pairs"].tolist() == [list(pair) for pair in combinations(critical, 2)]
    expected = [without(setup, subnetwork, pair)[0] for pair in arrays["pairs"]]
    np.testing.assert_allclose(arrays["pair_loss"], expected, rtol=1e-5)


def test_shapley_values_are_means_over_the_orders_of_the_replicate(setup, subnetwork, arrays):
    rng = seeds.stream(0, "lesions", 1)
    gains = np.zeros((4, UNITS))
    for row in gains:
        order = random_order(UNITS, rng)
        right = [without(setup, subnetwork, order[:step])[1].sum() for step in range(UNITS + 1)]
        row[order] = -np.diff(right)
    np.testing.assert_allclose(arrays["shapley_value"], gains.mean(axis=0))
    np.testing.assert_allclose(arrays["shapley_error"], gains.std(axis=0, ddof=1) / 2)
    nothing = without(setup, subnetwork, range(UNITS))[1].sum()
    assert arrays["shapley_value"].sum() == pytest.approx(arrays["correct"][0].sum() - nothing, abs=1e-9)


def test_scores_do_not_see_the_test_set(setup, subnetwork, arrays, digits, tiny):
    other = Dataset(digits.name, digits.train, digits.train.take(np.arange(40)), digits.classes)
    again = measure(prepare(make(tiny), other), lambda n, description=None: None, Task(1), subnetwork)
    for name in ("in-strength", "taylor", "knock-out", "activation-mean"):
        np.testing.assert_array_equal(again[f"score/{name}"], arrays[f"score/{name}"])
    assert (again["loss"] != arrays["loss"]).all()


def test_the_links_kept_are_the_strongest_of_each_gap(subnetwork, arrays):
    assert arrays["sizes"].tolist() == [196, 6, 5, 10]
    assert arrays["pixels"].tolist() == [14, 14]
    for gap, name in enumerate(("fc1", "fc2", "output")):
        weight = subnetwork.weights[f"{name}.weight"]
        here = arrays["links"][:, 0] == gap
        _, source, target = arrays["links"][here].T
        np.testing.assert_allclose(arrays["link_weight"][here], weight[target, source])
        strongest = np.sort(np.abs(weight), axis=None)[::-1][:LINKS_KEPT]
        np.testing.assert_allclose(np.abs(arrays["link_weight"][here]), strongest)


def test_what_is_not_asked_for_is_not_measured(tiny, digits, subnetwork):
    setup = prepare(make(tiny, shapley=0, pairs=0, given=()), digits)
    arrays = measure(setup, lambda n, description=None: None, Task(0), subnetwork)
    assert not {"shapley_value", "pairs", "score/activation-mean"} & arrays.keys()
