"""Activations, dropout and layer normalization of the sparse engine, forward and back, against PyTorch in float64."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numba
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, leaky_relu, silu

from karikomi.engines import convolutional
from karikomi.engines.contract import Recipe, minibatches
from karikomi.engines.sparse.flow_layout import lay_out_flow
from karikomi.engines.sparse.kernels.bends import BENDS, bent, slope
from karikomi.engines.sparse.kernels.dropping import BY_OPERATION, BY_STEP, MIXING
from karikomi.engines.sparse.kernels.flow import DROPOUT
from karikomi.engines.sparse.kernels.vector import load16, store

STEP = Recipe(1, 60, "sgd", 0.5, 0.0, 0.0, 1)
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky_relu": partial(leaky_relu, negative_slope=0.125),
    "gelu": gelu,
    "gelu_tanh": partial(gelu, approximate="tanh"),
    "silu": silu,
    "sigmoid": torch.sigmoid,
}


@numba.njit
def applied(function: int, x: np.ndarray, values: np.ndarray, slopes: np.ndarray) -> None:
    for place in range(0, x.size, 16):
        store(values, place, bent(function, np.float32(0.125), load16(x, place)))
        store(slopes, place, slope(function, np.float32(0.125), load16(x, place)))


@pytest.mark.parametrize("name", BENDS)
def test_activations_and_their_slopes(name):
    x = np.concatenate(
        [np.linspace(-12, 12, 4000), [-90, -40, -1e-6, -0.0, 0.0, 1e-6, 40, 90], np.geomspace(1e-5, 5, 88)]
    )
    x = x.astype(np.float32)
    values, slopes = np.empty_like(x), np.empty_like(x)
    applied(BENDS.index(name), x, values, slopes)
    given = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    expected = FUNCTIONS[name](given)
    expected.sum().backward()
    assert given.grad is not None
    np.testing.assert_allclose(values, expected.detach(), rtol=2e-6, atol=3e-7)
    np.testing.assert_allclose(slopes, given.grad, rtol=2e-6, atol=5e-7)


class Dropping(nn.Module):
    """Dropout in planes, of what has another reader, and in rows."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 3, 5, 2), nn.Conv2d(3, 3, 3, padding=1)
        self.hidden, self.output = nn.Linear(432, 20), nn.Linear(20, 10)
        self.planes, self.rows = nn.Dropout(0.3), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.through(x.unsqueeze(1), self.planes, self.rows)

    def through(self, x: Tensor, planes: Callable[[Tensor], Tensor], rows: Callable[[Tensor], Tensor]) -> Tensor:
        x = torch.tanh(self.one(x))
        beside = torch.relu(self.two(x))
        x = planes(x) + beside
        return self.output(rows(torch.relu(self.hidden(x.flatten(1)))))


def kept(seed: int, step: int, operation: int, share: float, channels: int, places: int) -> np.ndarray:
    """What is multiplied with 64 examples' signal, ``[64, channels, places]``, from the definition."""
    wide = (seed + step * int(BY_STEP) + operation * int(BY_OPERATION)) % 2**64
    number = np.arange(4 * channels * places * 16, dtype=np.uint64)
    for half in (wide % 2**32, wide >> 32):
        number ^= np.uint64(half)
        for shift, factor in MIXING:
            number ^= number >> np.uint64(shift)
            number = number * np.uint64(factor) % np.uint64(2**32)
    blocks = (number >= np.uint64(share * 2**32)).reshape(4, channels, places, 16) / (1 - share)
    return blocks.transpose(0, 3, 1, 2).reshape(64, channels, places)


def test_a_step_with_dropout_is_one_with_its_masks(make, data):
    trial = make.trial(Dropping())
    trial = replace(trial, dropout=np.random.SeedSequence(3))
    seed = int(trial.dropout.generate_state(1, np.uint64)[0])
    module = Dropping()
    module.load_state_dict({name: torch.tensor(w) for name, w in trial.subnetwork.weights.items()})
    recipe = replace(STEP, iterations=3, validate_every=1)
    [trained] = convolutional.train([trial], data, recipe)
    flow, _ = lay_out_flow(trial.subnetwork, 60)
    numbers = np.flatnonzero(flow.operations["kind"] == DROPOUT)
    for step, indices in zip(range(3), minibatches(trial, 60), strict=False):
        masks = [
            torch.tensor(kept(seed, step, int(number), share, *shape)[:60], dtype=torch.float32)
            for number, share, shape in zip(numbers, (0.3, 0.5), ((3, 144), (20, 1)), strict=True)
        ]
        planes, rows = (lambda x, mask=mask: x * mask.view_as(x) for mask in masks)
        outputs = module.through(torch.tensor(data.train.x[indices])[:, None] / 255, planes, rows)
        loss = cross_entropy(outputs, torch.tensor(data.train.y[indices]))
        assert trained.curve.train_loss[step] == pytest.approx(loss.item(), abs=1e-5)
        module.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in module.parameters():
                assert parameter.grad is not None
                parameter -= 0.5 * parameter.grad
    for name, value in module.state_dict().items():
        np.testing.assert_allclose(trained.final.weights[name], value, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_is_dropped_is_drawn_alone_and_anew(share):
    """Independent from lane to lane, step to step and operation to operation."""
    draws = [kept(2**63 + 12345, *which, share, 8, 49).ravel() > 0 for which in ((0, 3), (1, 3), (0, 5))]
    bound = 4 / np.sqrt(draws[0].size)
    for drawn in draws:
        assert drawn.mean() == pytest.approx(1 - share, abs=bound)
        assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < bound
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(draws[one], draws[other])[0, 1]) < bound


def test_dropout_has_a_stream_of_its_own_and_is_off_in_evaluation(make, data):
    trial = make.trial(Dropping())
    recipe = replace(STEP, iterations=4)

    def losses(trial):
        [trained] = convolutional.train([trial], data, replace(recipe, validate_every=1))
        return trained.curve.train_loss

    one, same, other = (losses(replace(trial, dropout=np.random.SeedSequence(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()
    np.testing.assert_array_equal(losses(trial), losses(replace(trial, dropout=trial.order)))
    [seen] = convolutional.evaluate([trial.subnetwork], data.test)
    module = Dropping().eval()
    module.load_state_dict({name: torch.tensor(w) for name, w in trial.subnetwork.weights.items()})
    outputs = module(torch.tensor(data.test.x).float() / 255)
    assert seen.loss == pytest.approx(cross_entropy(outputs, torch.tensor(data.test.y)).item(), abs=1e-5)
