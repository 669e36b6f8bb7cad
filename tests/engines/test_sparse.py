"""The sparse engine against a plain PyTorch loop over the same weights, masks and minibatches."""

from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines import sparse
from karikomi.engines.contract import Recipe, Trial, minibatches
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork

ADAM = Recipe(60, 60, "adam", 1e-3, 0.0, 0.0, 20)
SGD = Recipe(60, 60, "sgd", 0.05, 0.9, 1e-2, 20)


def images(pixels: int = 40, n: int = 700, *, kind: type = np.uint8, seed: int = 0) -> Dataset:
    """Five noisy prototypes; some pixels are nearly always 0, as at the edges of digits."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 5)
    x = np.clip(rng.uniform(0, 255, (5, pixels))[y] + rng.normal(0, 60, (n, pixels)), 0, 255)
    x *= rng.random((n, pixels)) < np.linspace(0, 1, pixels) ** 3
    x = x.astype(np.uint8) if kind is np.uint8 else (x / 100 - 1).astype(np.float32)
    cut = n - 150
    return Dataset("prototypes", Examples(x[:cut], y[:cut]), Examples(x[cut:], y[cut:]), 5)


def perceptron(widths: list[int], activation: type[nn.Module] = nn.ReLU, *, bias: bool = True) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(widths):
        parts += [nn.Linear(before, after, bias=bias), activation()]
    return nn.Sequential(*parts[:-1])


def thinned(module: nn.Sequential, densities: list[float], seed: int = 0) -> Subnetwork:
    rng = np.random.default_rng(seed)
    whole = initialize(module, "pytorch", rng)
    shares = zip(whole.masks.items(), densities, strict=True)
    return whole.masked({name: rng.random(mask.shape) < share for (name, mask), share in shares})


def trial_of(subnetwork: Subnetwork, data: Dataset, seed: int = 0) -> Trial:
    return Trial(subnetwork, data.split(100, np.random.default_rng(seed)), np.random.SeedSequence(seed))


@dataclass
class Loop:
    """What a plain PyTorch loop records."""

    train_loss: list[float]
    validation_loss: list[float]
    accuracy: list[float]
    weights: list[dict[str, np.ndarray]]


def plain_loop(trial: Trial, data: Dataset, recipe: Recipe) -> Loop:
    subnetwork = trial.subnetwork
    weights = {name: torch.tensor(w, requires_grad=True) for name, w in subnetwork.weights.items()}
    masks = {name: torch.tensor(mask) for name, mask in subnetwork.masks.items()}
    values = list(weights.values())
    if recipe.optimizer == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(
            values, recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    else:
        optimizer = torch.optim.SGD(
            values, recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    x = torch.tensor(data.train.x.reshape(len(data.train), -1).astype(np.float32) * np.float32(data.train.scale))
    y = torch.tensor(data.train.y)
    chosen = torch.tensor(trial.split.validation)
    record = Loop([], [], [], [])
    for batch in islice(minibatches(trial, recipe.batch), recipe.iterations):
        masked = {name: w * masks[name] if name in masks else w for name, w in weights.items()}
        loss = nn.functional.cross_entropy(functional_call(subnetwork.module, masked, (x[batch],)), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            out = functional_call(
                subnetwork.module, {k: w * masks[k] if k in masks else w for k, w in weights.items()}, (x[chosen],)
            )
            record.validation_loss.append(nn.functional.cross_entropy(out.double(), y[chosen]).item())
            record.accuracy.append((out.argmax(1) == y[chosen]).double().mean().item())
        record.train_loss.append(loss.item())
        record.weights.append({k: w.detach().numpy().copy() for k, w in weights.items()})
    return record


CASES = {
    "lenet": ([40, 30, 20, 5], nn.ReLU, [0.3, 0.4, 0.5], ADAM),
    "dense": ([40, 30, 20, 5], nn.ReLU, [1.0, 1.0, 1.0], ADAM),
    "dense with holes": ([40, 30, 20, 5], nn.ReLU, [0.9, 0.85, 0.95], replace(SGD, batch=64)),
    "mixed": ([40, 110, 30, 5], nn.Tanh, [0.1, 1.0, 0.5], replace(ADAM, weight_decay=1e-2)),
    "wide": ([40, 220, 5], nn.Tanh, [0.2, 0.3], replace(SGD, batch=100)),
    "no hidden layer": ([40, 5], nn.ReLU, [0.5], replace(ADAM, batch=7)),
    "very sparse": ([40, 30, 30, 30, 5], nn.ReLU, [0.1, 0.05, 0.05, 0.2], replace(ADAM, batch=130)),
    "linear units": ([40, 12, 12, 5], nn.Identity, [0.5, 0.2, 1.0], SGD),
    "few pixels": ([3, 20, 5], nn.Tanh, [1.0, 0.5], replace(ADAM, batch=1)),
    "a layer without links": ([40, 30, 20, 5], nn.ReLU, [0.5, 0.0, 0.5], SGD),
    "nothing left": ([40, 10, 5], nn.Tanh, [0.0, 0.0], ADAM),
}


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_follows_a_plain_pytorch_loop(case: str, kind: type) -> None:
    widths, activation, densities, recipe = CASES[case]
    data = images(widths[0], kind=kind)
    trial = trial_of(thinned(perceptron(widths, activation), densities), data)
    recipe = replace(recipe, iterations=200 if case == "lenet" else 60, snapshot_at=31)
    loop = plain_loop(trial, data, recipe)
    (trained,) = sparse.train([trial], data, recipe, threads=1)

    places = np.array(recipe.validations()) - 1
    assert trained.curve.iteration.tolist() == recipe.validations()
    np.testing.assert_allclose(trained.curve.train_loss, np.reshape(loop.train_loss, (-1, 20)).mean(1), rtol=2e-5)
    np.testing.assert_allclose(trained.curve.validation_loss, np.array(loop.validation_loss)[places], rtol=2e-5)
    np.testing.assert_allclose(trained.curve.validation_accuracy, np.array(loop.accuracy)[places], atol=0.0101)
    best = int(np.argmin(trained.curve.validation_loss))
    assert trained.early_stop_iteration == recipe.validations()[best]
    assert trained.snapshot is not None
    for kept, step in (
        (trained.final, recipe.iterations),
        (trained.snapshot, 31),
        (trained.best, trained.early_stop_iteration),
    ):
        for name, weights in loop.weights[step - 1].items():
            mask = trial.subnetwork.masks.get(name, True)
            np.testing.assert_allclose(kept.weights[name], weights * mask, atol=3e-4)
            assert kept.weights[name].dtype == np.float32
            assert not np.any(kept.weights[name][~trial.subnetwork.masks[name]] if name in kept.masks else 0)
