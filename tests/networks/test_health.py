"""Likeness of representations against kernels written out, and units that take no part counted one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from karikomi.networks.architecture import Architecture
from karikomi.networks.health import DORMANT, dormant_units, health, linear_cka, weight_norms
from karikomi.networks.mlp import mlp
from karikomi.networks.subnetwork import Subnetwork

SEEDS = st.integers(0, 2**32)
UNITS = st.integers(1, 6)


def layers(seed, units, others, examples=12):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((units, examples)), rng.standard_normal((others, examples)), rng


@given(SEEDS, UNITS, UNITS)
def test_cka_is_the_alignment_of_the_centred_kernels(seed, units, others):
    x, y, _ = layers(seed, units, others)
    centring = np.eye(12) - 1 / 12
    k, l = (centring @ a.T @ a @ centring for a in (x, y))  # noqa: E741
    expected = np.trace(k @ l) / np.sqrt(np.trace(k @ k) * np.trace(l @ l))
    assert linear_cka(x, y) == pytest.approx(expected)
    assert linear_cka(y, x) == pytest.approx(expected)
    assert -1e-12 <= linear_cka(x, y) <= 1 + 1e-12


@given(SEEDS, UNITS, UNITS, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_cka_does_not_see_rotation_scale_and_shift(seed, units, others, scale, shift):
    x, y, rng = layers(seed, units, others)
    rotation = np.linalg.qr(rng.standard_normal((units, units))).Q
    assert linear_cka(scale * rotation @ x + shift, y) == pytest.approx(linear_cka(x, y), abs=1e-6)
    assert linear_cka(scale * rotation @ x + shift, x) == pytest.approx(1, abs=1e-6)


def test_cka_sees_stretching_which_rotation_alone_would_not():
    x = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
    stretched = x * [[3], [1]]
    # Kernels have the eigenvalues (2, 2) and (18, 2) on the same vectors.
    assert linear_cka(x, stretched) == pytest.approx((2 * 18 + 2 * 2) / np.sqrt((4 + 4) * (324 + 4)))


def test_layers_that_do_unrelated_things_have_no_likeness_and_silent_ones_none_to_speak_of():
    x, y = np.array([[1.0, -1, 0, 0]]), np.array([[0, 0, 1.0, -1]])
    assert linear_cka(x, y) == 0
    assert np.isnan(linear_cka(x, np.ones((3, 4))))
    assert np.isnan(linear_cka(np.zeros((2, 4)), np.zeros((2, 4))))


@given(SEEDS, UNITS, UNITS)
def test_units_that_do_nothing_leave_cka_as_it_is(seed, units, others):
    x, y, rng = layers(seed, units, others)
    with_dead = rng.permutation(np.concatenate([x, np.zeros((2, 12)), np.full((1, 12), 0.5)]))
    assert linear_cka(with_dead.astype(np.float32), y) == pytest.approx(linear_cka(x, y), abs=1e-5)


@given(SEEDS, UNITS, st.floats(0, 2))
def test_dormant_units_are_small_beside_their_layers_mean(seed, units, threshold):
    rng = np.random.default_rng(seed)
    activations = rng.standard_normal((units, 9)) * rng.choice([0, 0.01, 1], (units, 1))
    sizes = [sum(abs(float(a)) for a in row) / 9 for row in activations]
    found = dormant_units(activations, threshold)
    for unit, size in enumerate(sizes):
        limit = threshold * sum(sizes) / units
        if size != pytest.approx(limit, rel=1e-9):
            assert found[unit] == (size <= limit)


def test_the_threshold_itself_is_dormant_and_a_silent_layer_is_so_altogether():
    assert dormant_units(np.array([[0.0], [2.0], [2.0]]), 0.0).tolist() == [True, False, False]
    assert dormant_units(np.array([[0.5], [1.5]]), 0.5).tolist() == [True, False]
    for share, dormant in ((0.99 * DORMANT, True), (1.01 * DORMANT, False)):  # of a mean of 1
        assert dormant_units(np.array([[share], [2.0 - share]])).tolist() == [dormant, False]
    assert dormant_units(np.zeros((3, 5))).all()
    assert dormant_units(np.zeros((0, 5))).tolist() == []


def test_the_dead_are_not_counted_and_do_not_lower_the_mean():
    module = mlp((2,), [4, 3], 2)
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(value.shape).astype(np.float32) for name, value in module.state_dict().items()}
    whole = Subnetwork.full(Architecture(module), weights)
    masks = {name: mask.copy() for name, mask in whole.masks.items()}
    masks["fc1.weight"][1:] = False
    masks["fc2.weight"][:] = False
    healthy = rng.random((7, 30))
    after = np.concatenate([np.full((1, 30), 0.1), np.zeros((6, 30))]) * rng.random(30)
    found = health(whole.masked(masks), after, healthy)
    assert list(found) == ["fc1", "fc2"]
    assert found["fc1"][:2] == (1, 0), "the last one of its layer is all of its mean"
    assert found["fc1"].cka == pytest.approx(linear_cka(after[:1], healthy[:4]))
    assert found["fc2"][:2] == (0, 0)
    assert np.isnan(found["fc2"].cka)
    intact = health(whole, np.where(np.arange(7)[:, None] % 3, healthy, 0), healthy)
    assert [layer[:2] for layer in intact.values()] == [(4, 2), (3, 1)]
    assert [layer.cka for layer in health(whole, 2 * healthy, healthy).values()] == pytest.approx([1, 1])


def test_norms_are_those_of_the_weights():
    module = mlp((5,), [4, 3], 2)
    norms = weight_norms(Subnetwork.from_module(module))
    expected = {
        name: torch.linalg.vector_norm(part.weight.double()).item()
        for name, part in module.named_modules()
        if isinstance(part, torch.nn.Linear)
    }
    assert list(norms) == ["fc1", "fc2", "output"]
    assert norms == pytest.approx(expected)
