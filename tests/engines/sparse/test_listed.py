"""Inputs of the sparse engine whose values other than 0 are listed, against plain PyTorch on MNIST."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from karikomi.data.dataset import Examples
from karikomi.engines import sparse
from karikomi.engines.contract import Recipe
from karikomi.engines.sparse.input import nonzero_fraction
from karikomi.engines.sparse.kernels import layout

SGD = Recipe(4, 60, "sgd", 0.1, 0.9, 1e-3, 2)
ADAM = Recipe(60, 60, "adam", 1.2e-3, 0.0, 0.0, 20)


def perceptron(hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))


@settings(max_examples=20)
@given(
    hidden=st.integers(1, 90),
    density=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    batch=st.integers(1, 140),
    listed=st.floats(0, 1),
    seed=st.integers(0, 2**16),
)
def test_any_inputs_may_be_listed(data, make, oracle, hidden, density, batch, listed, seed):
    trial, recipe = make.trial(perceptron(hidden), density, seed), replace(SGD, batch=batch)

    def some(block: np.ndarray, nonzero: np.ndarray, batch: int) -> np.ndarray:
        return np.random.default_rng(seed).random(block.shape[1]) < listed

    with patch.object(layout, "worth_listing", some):
        [trained] = sparse.train([trial], data, recipe)
        [seen] = sparse.evaluate([trained.final], data.test)
    expected = oracle(trial, data, recipe)
    np.testing.assert_allclose(trained.curve.train_loss, np.reshape(expected.losses, (-1, 2)).mean(1), rtol=1e-5)
    assert seen.loss == pytest.approx(expected.loss(data.test.x, data.test.y), rel=1e-5)
    for name, weights in expected.weights().items():
        np.testing.assert_allclose(trained.final.weights[name], weights, atol=1e-5)


@pytest.mark.parametrize("density", [1.0, 0.5])
def test_listed_inputs_learn_as_in_pytorch(data, make, oracle, density):
    trial = make.trial(perceptron(128), density)
    name, mask = next(iter(trial.subnetwork.masks.items()))
    assert layout.worth_listing(mask, nonzero_fraction(data.train), ADAM.batch).sum() > 300
    [trained] = sparse.train([trial], data, ADAM)
    expected = oracle(trial, data, ADAM)
    np.testing.assert_allclose(trained.curve.train_loss, np.reshape(expected.losses, (-1, 20)).mean(1), rtol=1e-5)
    np.testing.assert_allclose(trained.final.weights[name], expected.weights()[name], atol=3e-4)


def test_inputs_are_listed_where_that_is_worth_it():
    rng = np.random.default_rng(0)
    whole, half, few = (rng.random((300, 784)) < share for share in (1, 0.5, 0.02))
    often, seldom = np.full(784, 0.9), np.full(784, 0.1)
    mixed = np.where(np.arange(784) % 2 == 0, seldom, often)
    assert layout.worth_listing(whole, seldom, 60).all()
    assert layout.worth_listing(half, mixed, 60).tolist() == (mixed < 0.5).tolist()
    assert not layout.worth_listing(whole, often, 60).any()
    assert not layout.worth_listing(few, seldom, 60).any()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_only_an_input_that_always_is_0_has_no_nonzero_fraction(kind: type) -> None:
    x = np.zeros((10_000, 2, 3), kind)
    x[::2, 0, 0], x[-2, 0, 1], x[1, 0, 2], x[7, 1, 1] = 3, 1, np.nan if kind is np.float32 else 255, 1
    nonzero = nonzero_fraction(Examples(x, np.zeros(10_000, np.int64)))
    assert nonzero.tolist() == pytest.approx([0.5, 1e-4, 1e-4, 0, 1e-4, 0], abs=0.01)
    assert (nonzero > 0).tolist() == [True, True, True, False, True, False]
