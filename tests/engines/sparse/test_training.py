"""The sparse engine against a plain PyTorch loop over the same weights, masks and minibatches."""

from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines import sparse
from karikomi.engines.contract import Recipe, Trial, minibatches
from karikomi.engines.sparse.kernels.steps import train_steps
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
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
    whole = initialize(Architecture(module), "pytorch", rng)
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
            values, float(recipe.rates[0]), weight_decay=recipe.weight_decay
        )
    else:
        optimizer = torch.optim.SGD(
            values, float(recipe.rates[0]), momentum=recipe.momentum, weight_decay=recipe.weight_decay
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
    recipe = replace(recipe, iterations=200 if case == "lenet" else 60, snapshots=(31,))
    loop = plain_loop(trial, data, recipe)
    (trained,) = sparse.train([trial], data, recipe, threads=1)

    places = np.array(recipe.validations()) - 1
    assert trained.curve.iteration.tolist() == recipe.validations()
    np.testing.assert_allclose(trained.curve.train_loss, np.reshape(loop.train_loss, (-1, 20)).mean(1), rtol=2e-5)
    np.testing.assert_allclose(trained.curve.validation_loss, np.array(loop.validation_loss)[places], rtol=2e-5)
    np.testing.assert_allclose(trained.curve.validation_accuracy, np.array(loop.accuracy)[places], atol=0.0101)
    best = int(np.argmin(trained.curve.validation_loss))
    assert trained.early_stop_iteration == recipe.validations()[best]
    for kept, step in (
        (trained.final, recipe.iterations),
        (trained.snapshots[31], 31),
        (trained.best, trained.early_stop_iteration),
    ):
        for name, weights in loop.weights[step - 1].items():
            mask = trial.subnetwork.masks.get(name, True)
            np.testing.assert_allclose(kept.weights[name], weights * mask, atol=3e-4)
            assert kept.weights[name].dtype == np.float32
            assert not np.any(kept.weights[name][~trial.subnetwork.masks[name]] if name in kept.masks else 0)


def test_the_number_of_threads_and_the_company_change_nothing() -> None:
    data = images()
    module = perceptron([40, 30, 20, 5])
    trials = [
        trial_of(thinned(module, [share, share, 1.0], seed), data, seed) for seed, share in enumerate((0.1, 0.5, 1))
    ]
    steps: list[int] = []
    one = sparse.train(trials, data, ADAM, steps.append, threads=1)
    two = sparse.train(trials[::-1], data, ADAM, threads=2)[::-1]
    (alone,) = sparse.train(trials[1:2], data, ADAM)
    assert sum(steps) == 3 * ADAM.iterations
    for a, b in [*zip(one, two, strict=True), (one[1], alone)]:
        np.testing.assert_array_equal(a.curve.validation_loss, b.curve.validation_loss)
        for name, weights in a.final.weights.items():
            np.testing.assert_array_equal(weights, b.final.weights[name])
    networks = [trained.final for trained in one]
    assert [e.loss for e in sparse.evaluate(networks, data.test, threads=1)] == [
        e.loss for e in sparse.evaluate(networks, data.test, threads=2)
    ]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_what_nothing_can_be_learned_from_only_decays(decay: float) -> None:
    data = images()
    data.train.x[:, 7] = 0
    subnetwork = thinned(perceptron([40, 10, 5]), [0.5, 1.0])
    masks = {name: mask.copy() for name, mask in subnetwork.masks.items()}
    masks["3.weight"][:, 4] = False
    trial = trial_of(subnetwork.masked(masks), data)
    recipe = replace(SGD, weight_decay=decay, momentum=0.0, learning_rate=0.1, iterations=10)
    (trained,) = sparse.train([trial], data, recipe)
    before, after = (weights.weights["1.weight"] for weights in (trial.subnetwork, trained.final))
    left = (1 - 0.1 * decay) ** 10
    # No output depends on hidden unit 4; input 7 is always 0.
    np.testing.assert_allclose(after[4], before[4] * left, rtol=1e-5)
    np.testing.assert_allclose(after[:, 7], before[:, 7] * left, rtol=1e-5)
    assert before[4].any()
    assert before[:, 7].any()


@pytest.mark.parametrize("densities", [[1.0, 1.0, 1.0], [0.2, 0.3, 0.5], [0.02, 0.0, 0.5]])
def test_evaluation_equals_pytorch(densities: list[float]) -> None:
    data = images(n=500)
    subnetwork = thinned(perceptron([40, 30, 20, 5], nn.Tanh), densities)
    examples = Examples(data.test.x, np.where(data.test.y == 3, 1, data.test.y))
    x = torch.tensor(examples.x.reshape(len(examples), -1) / np.float32(255))
    weights = {name: torch.tensor(w) for name, w in subnetwork.weights.items()}
    out = functional_call(subnetwork.module, weights, (x,)).double()
    right = (out.argmax(1).numpy() == examples.y).astype(float)
    (seen,) = sparse.evaluate([subnetwork], examples)
    assert seen.loss == pytest.approx(nn.functional.cross_entropy(out, torch.tensor(examples.y)).item(), rel=1e-5)
    assert seen.accuracy == right.mean()
    for label in range(5):
        chosen = examples.y == label
        expected = right[chosen].mean() if chosen.any() else np.nan
        np.testing.assert_equal(seen.class_accuracy[label], expected)


def test_of_equal_outputs_the_first_wins() -> None:
    data = images()
    module = nn.Sequential(nn.Flatten(), nn.Linear(40, 5))
    zeros = Subnetwork.full(
        Architecture(module), {"1.weight": np.zeros((5, 40), np.float32), "1.bias": np.zeros(5, np.float32)}
    )
    (seen,) = sparse.evaluate([zeros], data.test)
    assert seen.class_accuracy.tolist() == [1, 0, 0, 0, 0]
    assert seen.loss == pytest.approx(np.log(5))


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 23), min_size=2, max_size=4),
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=3, max_size=3),
    st.integers(1, 140),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_one_step_on_any_shape(
    widths: list[int], densities: list[float], batch: int, bias: bool, adam: bool, seed: int
) -> None:
    widths = [*widths, 5]
    data = images(widths[0], n=300, seed=seed)
    module = perceptron(widths, nn.Tanh, bias=bias)
    trial = trial_of(thinned(module, [*densities, 1.0][: len(widths) - 1], seed), data, seed)
    recipe = replace(SGD, iterations=1, batch=batch, learning_rate=0.1)
    # Adam's first step is the sign of the gradient: a gradient of 1e-9 may come out either way.
    recipe = replace(recipe, optimizer="adam", learning_rate=1e-6) if adam else recipe
    (trained,) = sparse.train([trial], data, recipe)
    loop = plain_loop(trial, data, recipe)
    assert trained.curve.train_loss[0] == pytest.approx(loop.train_loss[0], rel=1e-5)
    for name, weights in loop.weights[0].items():
        expected = weights * trial.subnetwork.masks.get(name, True)
        np.testing.assert_allclose(trained.final.weights[name], expected, atol=3e-6)


def test_divergence_gives_nan_and_no_crash() -> None:
    data = images()
    trial = trial_of(thinned(perceptron([40, 30, 5]), [0.5, 1.0]), data)
    (trained,) = sparse.train([trial], data, replace(SGD, learning_rate=1e20))
    assert np.isnan(trained.curve.validation_loss[-1])
    assert not np.any(trained.final.weights["1.weight"][~trial.subnetwork.masks["1.weight"]])


def test_an_error_in_one_thread_stops_the_others() -> None:
    data = images()
    trials = [trial_of(thinned(perceptron([40, 30, 5]), [0.5, 1.0]), data, seed) for seed in range(4)]
    steps: list[int] = []

    def interrupt(done: int) -> None:
        steps.append(done)
        if len(steps) == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sparse.train(trials, data, replace(ADAM, iterations=100_000), interrupt, threads=2)
    assert sum(steps) < 50_000


def test_read_only_data_are_fine() -> None:
    data = images()
    data.train.x.flags.writeable = False
    trial = trial_of(thinned(perceptron([40, 30, 5]), [0.5, 1.0]), data)
    trial.split.validation.flags.writeable = False
    before = len(train_steps.signatures)
    sparse.train([trial], data, replace(ADAM, iterations=1))
    assert len(train_steps.signatures) <= max(before, 1)


def test_mistakes_are_told() -> None:
    data = images()

    def run(module: nn.Sequential) -> None:
        sparse.evaluate([initialize(Architecture(module), "pytorch", np.random.default_rng(0))], data.test)

    with pytest.raises(InputError, match="population"):
        run(nn.Sequential(nn.Linear(40, 8), nn.ELU(), nn.Linear(8, 5)))
    with pytest.raises(InputError, match="takes 39 values per example; the data have 40"):
        run(perceptron([39, 5]))
    with pytest.raises(InputError, match="4 outputs, too few for the label 4"):
        run(perceptron([40, 4]))
    with pytest.raises(InputError, match="threads"):
        sparse.evaluate([], data.test, threads=0)
