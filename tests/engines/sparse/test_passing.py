"""Signals that are made again instead of kept, and moments found in one pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.programs import NETWORKS as PROGRAMS
from torch import nn

from karikomi.engines import sparse
from karikomi.engines.contract import Recipe, minibatches
from karikomi.engines.sparse import flow_layout
from karikomi.engines.sparse.flow_layout import lay_out_flow
from karikomi.networks import build
from karikomi.networks.architecture import Architecture

NORMALIZED = {
    "residual": build("resnet-8", (28, 28), 10),
    "chain": build("vgg-11-small", (28, 28), 10),
    "tanh": nn.Sequential(
        *(nn.Unflatten(1, (1, -1)), nn.Conv2d(1, 3, 5, 3), nn.BatchNorm2d(3), nn.Tanh()),
        *(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 10)),
    ),
}


def of_images(trial):
    subnetwork = trial.subnetwork
    return replace(
        trial, subnetwork=replace(subnetwork, architecture=Architecture(subnetwork.module, sample_shape=(28, 28)))
    )


def keep_all(monkeypatch):
    monkeypatch.setattr(flow_layout, "passing_signals", lambda low, segments: (frozenset(), frozenset()))


@pytest.mark.parametrize("module", [*NORMALIZED.values(), *PROGRAMS.values()], ids=[*NORMALIZED, *PROGRAMS])
def test_what_passes_is_as_if_it_were_kept(make, data, monkeypatch, module):
    trial, recipe = of_images(make.trial(module, 0.5)), Recipe(3, 40, "adam", 1e-3, 0.0, 0.0, 3)
    [passed] = sparse.train([trial], data, recipe)
    keep_all(monkeypatch)
    [kept] = sparse.train([trial], data, recipe)
    for name, weight in kept.final.weights.items():
        np.testing.assert_array_equal(passed.final.weights[name], weight, err_msg=name)


@pytest.mark.parametrize("module", NORMALIZED.values(), ids=NORMALIZED.keys())
def test_what_passes_takes_no_room_in_blocks(make, monkeypatch, module):
    trial = of_images(make.trial(module))
    flow, _ = lay_out_flow(trial.subnetwork, 60)
    keep_all(monkeypatch)
    kept, _ = lay_out_flow(trial.subnetwork, 60)
    assert 0 < flow.passing.units <= kept.block - flow.block
    assert flow.passing.deltas > 0
    assert flow.slope_block < kept.slope_block


@pytest.mark.parametrize("far", [0.0, 100.0, -100.0])
def test_the_spread_around_a_mean_far_from_zero(make, data, far):
    """Sums of squares about zero would be wrong by some percent."""
    module = nn.Sequential(
        *(nn.Unflatten(1, (1, -1)), nn.Conv2d(1, 3, 5, 3), nn.BatchNorm2d(3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(192, 10)),
    )
    trial = make.trial(module)
    weights = {**trial.subnetwork.weights, "1.bias": np.full(3, far, np.float32)}
    trial = replace(trial, subnetwork=replace(trial.subnetwork, weights=weights))
    [trained] = sparse.train([trial], data, Recipe(1, 60, "sgd", 0.0, 0.0, 0.0, 1))
    images = torch.tensor(data.train.x[next(minibatches(trial, 60))], dtype=torch.float64)[:, None] / 255
    kernel = torch.tensor(weights["1.weight"], dtype=torch.float64)
    signal = torch.nn.functional.conv2d(images, kernel, stride=3) + far
    mean, variance = signal.mean((0, 2, 3)), signal.var((0, 2, 3))
    np.testing.assert_allclose(trained.final.weights["2.running_mean"], 0.1 * mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trained.final.weights["2.running_var"], 0.9 + 0.1 * variance, rtol=1e-5)
