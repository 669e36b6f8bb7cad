"""Links that change in training, on both engines: against a plain PyTorch loop, and what must never happen."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Dataset
from karikomi.engines.contract import Recipe, minibatches
from karikomi.networks import build
from karikomi.removal.rewiring import Rewiring

MLP = build("mlp-32-16", (28, 28), 10)
ADAM = Recipe(60, 60, "adam", 1.2e-3, 0.0, 0.0, 20)
RECIPES = {
    "adam": ADAM,
    "adam-decay-batch-70": replace(ADAM, weight_decay=1e-3, batch=70),
    "sgd": replace(ADAM, optimizer="sgd", learning_rate=0.05, momentum=0.9),
}


@pytest.fixture(params=["population", "sparse"], scope="module")
def engine(request):
    return importlib.import_module(f"karikomi.engines.{request.param}")


def rewiring(growth):
    return Rewiring(7, 50, 0.3, "cosine", growth, np.random.SeedSequence(5))


def gradient_of(weight: torch.Tensor) -> torch.Tensor:
    assert weight.grad is not None
    return weight.grad


class Loop:
    """Dynamic sparse training written down step by step: masks multiplied in, moments of links that grow set to 0."""

    def __init__(self, trial, data, recipe, rule, activation):
        weights = {name: torch.tensor(w, requires_grad=True) for name, w in trial.subnetwork.weights.items()}
        masks = {name: torch.tensor(mask) for name, mask in trial.subnetwork.masks.items()}
        optimizer = (
            torch.optim.Adam(weights.values(), recipe.learning_rate, weight_decay=recipe.weight_decay)
            if recipe.optimizer == "adam"
            else torch.optim.SGD(weights.values(), recipe.learning_rate, recipe.momentum)
        )
        self.losses, self.masks_at = [], {}
        names = list(masks)
        for step, batch in zip(range(1, recipe.iterations + 1), minibatches(trial, recipe.batch), strict=False):
            x = torch.tensor(data.train.x[batch]).flatten(1).float() / 255
            for name in names:
                x = x @ weights[name].T + weights[name.replace("weight", "bias")]
                x = x if name == names[-1] else activation(x)
            loss = cross_entropy(x, torch.tensor(data.train.y[batch]))
            optimizer.zero_grad()
            loss.backward()
            everywhere = {name: gradient_of(weights[name]).clone() for name in names}
            with torch.no_grad():
                for name in names:
                    gradient_of(weights[name]).mul_(masks[name])
                optimizer.step()
                self.losses.append(loss.item())
                if step % rule.every == 0 and step < rule.until:
                    share = rule.share * (1 + np.cos(np.pi * step / rule.until)) / 2
                    for name in names:
                        self.change(weights[name], masks[name], everywhere[name], optimizer, share)
            self.masks_at[step] = {name: mask.numpy().copy() for name, mask in masks.items()}
        self.weights = {name: weight.detach().numpy() for name, weight in weights.items()}

    @staticmethod
    def change(weight, mask, gradient, optimizer, share):
        count = int(share * mask.sum())
        if mask.all():
            return
        drop = weight.abs().masked_fill(~mask, torch.inf).flatten().argsort()[:count]
        mask.view(-1)[drop] = False
        grow = gradient.abs().masked_fill(mask, -1).flatten().argsort(descending=True)[:count]
        weight *= mask
        moments = [value for value in optimizer.state[weight].values() if getattr(value, "shape", ()) == weight.shape]
        for value in moments:
            value *= mask
        mask.view(-1)[grow] = True
        for value in (weight, *moments):
            value.view(-1)[grow] = 0


def grey(data: Dataset) -> Dataset:
    """The same images without pixels of 0: their links have no gradient, and where many are left a draw decides."""
    noise = np.random.default_rng(0).integers(1, 60, data.train.x.shape, dtype=np.uint8)
    return replace(data, train=replace(data.train, x=np.maximum(data.train.x, noise)))


@pytest.mark.parametrize("density", [0.1, 0.4, 0.85])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_rigl_is_that_of_a_plain_loop(engine, make, data, recipe, density):
    rule, activation = rewiring("gradient"), "relu"
    if density > 0.5:
        data, activation = grey(data), "tanh"
    trial = make.trial(build("mlp-32-16", (28, 28), 10, activation=activation), density)
    expected = Loop(trial, data, recipe, rule, getattr(torch, activation))
    steps = (6, 8, 20, 44, 60)  # a snapshot is from before its iteration's change
    recipe = replace(recipe, validate_every=1, snapshots=steps)
    [trained] = engine.train([replace(trial, rewiring=rule)], data, recipe)
    for step in steps:
        for name, mask in expected.masks_at[step].items():
            assert np.mean(mask == trained.snapshots[step].masks[name]) > 0.999, f"{name} after {step}"
    np.testing.assert_allclose(trained.curve.train_loss, expected.losses, rtol=0, atol=2e-4)
    for name, weight in expected.weights.items():
        apart = np.abs(trained.final.weights[name] - weight)
        assert np.mean(apart > 1e-3) < 1e-3, name


@pytest.mark.parametrize("growth", ["random", "gradient", "structure"])
def test_both_engines_grow_the_same_links(make, data, growth):
    trial = replace(make.trial(MLP, 0.2), rewiring=rewiring(growth))
    steps = (7, 8, 30, 60)
    [one], [other] = (
        importlib.import_module(f"karikomi.engines.{name}").train([trial], data, replace(ADAM, snapshots=steps))
        for name in ("population", "sparse")
    )
    for step in steps:
        for name, mask in one.snapshots[step].masks.items():
            assert np.mean(mask == other.snapshots[step].masks[name]) > 0.999, f"{name} after {step}"
    assert (one.snapshots[7].masks["fc1.weight"] != one.snapshots[8].masks["fc1.weight"]).any()
    np.testing.assert_allclose(one.curve.validation_loss, other.curve.validation_loss, atol=1e-3)


@pytest.mark.parametrize("growth", ["random", "gradient", "structure"])
def test_the_number_of_links_stays_and_the_others_are_0(engine, make, data, growth):
    trial = replace(make.trial(MLP, 0.2), rewiring=rewiring(growth))
    counts = {name: mask.sum() for name, mask in trial.subnetwork.masks.items()}
    [trained] = engine.train([trial], data, replace(ADAM, weight_decay=1e-3, snapshots=(30,)))
    for network in (trained.best, trained.final, trained.snapshots[30]):
        for name, mask in network.masks.items():
            assert mask.sum() == counts[name]
            assert (network.weights[name][~mask] == 0).all()
            assert (mask != trial.subnetwork.masks[name]).any()
    for moment in (trained.state.first, trained.state.second):
        assert all((moment[name][~mask] == 0).all() for name, mask in trained.final.masks.items())


def test_growing_networks_are_the_same_alone_and_beside_others(engine, make, data):
    trials = [replace(make.trial(MLP, 0.2, seed), rewiring=rewiring("gradient")) for seed in (2, 3)]
    beside = engine.train([*trials, make.trial(MLP, 0.3, 4)], data, ADAM)
    for trial, together in zip(trials, beside, strict=False):
        [alone] = engine.train([trial], data, ADAM)
        for name, mask in alone.final.masks.items():
            assert np.mean(mask == together.final.masks[name]) > 0.999


def test_a_network_that_was_trained_before_grows_on(engine, make, data):
    trial = make.trial(MLP, 0.2)
    [before] = engine.train([trial], data, ADAM)
    cost = {name: np.full(weight.shape, 1e-4, np.float32) for name, weight in trial.subnetwork.weights.items()}
    later = replace(trial, subnetwork=before.final, state=before.state, rewiring=rewiring("random"), link_cost=cost)
    [after] = engine.train([later], data, ADAM)
    assert after.curve.validation_loss[-1] < before.curve.validation_loss[0]
    assert after.state.steps == 120
    assert all(mask.sum() == before.final.masks[name].sum() for name, mask in after.final.masks.items())
