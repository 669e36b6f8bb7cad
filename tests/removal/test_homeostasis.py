"""Survivors make up for the dead: exactly where units are alike, and in variance everywhere."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Activations
from karikomi.errors import InputError
from karikomi.networks.mlp import mlp
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.deaths import die
from karikomi.removal.homeostasis import restore_variance, scale_by_count

X = np.random.default_rng(0).standard_normal((200, 2, 3)).astype(np.float32)
SEEDS = st.integers(0, 2**16)


def outputs(network):
    weights = {name: torch.tensor(value) for name, value in network.weights.items()}
    return functional_call(network.module, weights, (torch.tensor(X),)).detach().numpy()


def entering(network):
    """What enters every unit of a perceptron, by layer, in plain NumPy."""
    signal, seen = X.reshape(len(X), -1).astype(np.float64), {}
    for weight in network.masks:
        name = weight.removesuffix(".weight")
        seen[name] = signal @ network.weights[weight].T + network.weights[f"{name}.bias"]
        signal = np.maximum(seen[name], 0)
    return seen


def activations(network):
    before = np.concatenate([*entering(network).values()][:-1], axis=1).T
    return Activations(before, np.maximum(before, 0))


def survivors(network):
    return {name: mask.any(axis=1) for name, mask in network.masks.items()}


@pytest.mark.parametrize(("n", "dead"), [(4, [1]), (5, [0, 3, 4])])
def test_units_that_are_alike_make_up_for_each_other_exactly(subnetwork, n, dead):
    network = subnetwork(mlp((2, 3), [n, 4], 3))
    weights = {**network.weights}
    for name in ("fc1.weight", "fc1.bias"):
        weights[name] = np.repeat(weights[name][:1], n, axis=0)
    network = Subnetwork(network.architecture, weights, network.masks)
    weights["fc2.weight"] = np.repeat(weights["fc2.weight"][:, :1], n, axis=1)
    scaled = scale_by_count(network, die(network, np.array(dead)))
    np.testing.assert_allclose(outputs(scaled), outputs(network), rtol=1e-4, atol=1e-4)
    assert np.abs(outputs(die(network, np.array(dead))) - outputs(network)).max() > 0.1


@settings(max_examples=30)
@given(SEEDS)
def test_every_unit_counts_its_own_links(subnetwork, seed):
    network, rng = subnetwork(mlp((2, 3), [5, 4], 3), 0.6, seed), np.random.default_rng(seed)
    for dead in (
        rng.permutation(9)[:3],
        {name: rng.random(mask.shape) < 0.4 for name, mask in network.masks.items()},
    ):
        left = die(network, dead)
        scaled = scale_by_count(network, left)
        for name, mask in left.masks.items():
            for unit, row in enumerate(mask):
                factor = network.masks[name][unit].sum() / row.sum() if row.any() else 1
                expected = left.weights[name][unit] * factor
                np.testing.assert_allclose(scaled.weights[name][unit], expected, rtol=1e-6)
        assert scaled.masks is left.masks
        assert all((scaled.weights[f"{layer}.bias"] == left.weights[f"{layer}.bias"]).all() for layer in ("fc1", "fc2"))


def test_over_cycles_the_factors_multiply(subnetwork):
    network = subnetwork(mlp((2, 3), [8, 6], 3))
    once = scale_by_count(network, die(network, np.array([0, 3, 9])))
    after = network
    for dead in ([3], [0, 9]):
        after = scale_by_count(after, die(after, np.array(dead)))
    for name, weight in once.weights.items():
        np.testing.assert_allclose(after.weights[name], weight, rtol=1e-6)
    assert once.weights["fc2.weight"][0, 1] == pytest.approx(network.weights["fc2.weight"][0, 1] * 8 / 6)


def test_a_channel_counts_its_kernels(subnetwork):
    network = subnetwork(nn.Sequential(nn.Conv1d(1, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(20, 2)))
    left = die(network, np.array([2]))
    scaled = scale_by_count(network, left)
    assert (scaled.weights["0.weight"] == left.weights["0.weight"]).all()
    np.testing.assert_allclose(scaled.weights["3.weight"], left.weights["3.weight"] * 4 / 3, rtol=1e-6)


@settings(max_examples=30)
@given(SEEDS, st.booleans())
def test_the_input_of_every_survivor_varies_as_it_did(subnetwork, seed, links):
    network, rng = subnetwork(mlp((2, 3), [7, 6, 5], 3), 0.9, seed), np.random.default_rng(seed)
    dead = {n: rng.random(m.shape) < 0.3 for n, m in network.masks.items()} if links else rng.permutation(18)[:5]
    left = die(network, dead)
    restored = restore_variance(network, left, activations)
    wanted, found, bare = (entering(one) for one in (network, restored, left))
    for name, alive in survivors(left).items():
        layer = name.removesuffix(".weight")
        spread = bare[layer].std(axis=0)
        for unit in np.flatnonzero(alive):
            if spread[unit] > 0 and found[layer][:, unit].std() > 0:
                assert found[layer][:, unit].std() == pytest.approx(wanted[layer][:, unit].std(), rel=1e-4)
        rows, others = restored.weights[name][alive], left.weights[name][alive]
        ratio = np.divide(rows, others, out=np.full(rows.shape, np.nan), where=others != 0)
        assert np.nanmax(np.nanmax(ratio, axis=1) / np.nanmin(ratio, axis=1)) == pytest.approx(1, rel=1e-4)
        assert (restored.weights[f"{layer}.bias"] == left.weights[f"{layer}.bias"]).all()
        assert (restored.weights[name][~left.masks[name]] == 0).all()


def test_where_nobody_died_nothing_changes(small):
    same = restore_variance(small, small, activations)
    assert all((same.weights[name] == weight).all() for name, weight in small.weights.items())


def test_units_whose_inputs_vary_no_more_are_not_turned_up(subnetwork):
    network = subnetwork(mlp((2, 3), [3, 4], 40))
    bias = np.array([0.5, -100, 100], np.float32)
    weights = {**network.weights, "fc1.bias": bias, "fc1.weight": network.weights["fc1.weight"] * [[1], [0], [0]]}
    network = Subnetwork(
        network.architecture, {name: w.astype(np.float32) for name, w in weights.items()}, network.masks
    )
    left = die(network, np.array([0]))
    assert 0 < entering(left)["output"].T.std(axis=1).max() < 1e-12, "the deviation of a constant is rounding"
    restored = restore_variance(network, left, activations)
    assert all((restored.weights[name] == weight).all() for name, weight in left.weights.items())


def test_the_engines_activations_fit(small):
    from karikomi.engines import population

    examples = Examples(X, np.zeros(len(X), np.int64))
    left = die(small, np.array([1]))
    by_engine = restore_variance(small, left, lambda network: population.activations(network, examples))
    by_hand = restore_variance(small, left, activations)
    for name, weight in by_hand.weights.items():
        np.testing.assert_allclose(by_engine.weights[name], weight, rtol=1e-4)


def test_channels_have_no_one_variance(subnetwork):
    network = subnetwork(nn.Sequential(nn.Conv1d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)))
    with pytest.raises(InputError, match="only a perceptron's input variances can be restored") as refused:
        restore_variance(network, network, lambda _: Activations(np.zeros((2, 3)), np.zeros((2, 3))))
    assert "\n" not in str(refused.value)
