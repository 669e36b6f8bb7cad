"""Links that change in training, on both engines: against a plain PyTorch loop, and what must never happen."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Dataset
from karikomi.engines.contract import Recipe, Watch, minibatches
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


def rewiring(growth, every=7, until=50, share=0.3, decay="cosine"):
    return Rewiring(every, until, share, decay, growth, np.random.SeedSequence(5))


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
            everywhere = {name: weights[name].grad.clone() for name in names}
            with torch.no_grad():
                for name in names:
                    weights[name].grad *= masks[name]
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
    seen = {}
    watch = Watch(frozenset(range(1, recipe.iterations + 1)), seen.__setitem__)
    [trained] = engine.train([replace(trial, rewiring=rule, watch=watch)], data, replace(recipe, validate_every=1))
    for step in (6, 8, 20, 44, 60):
        # What is seen of an iteration is before its change.
        for name, mask in expected.masks_at[step].items():
            assert np.mean(mask == seen[step].masks[name]) > 0.999, f"{name} after {step}"
    np.testing.assert_allclose(trained.curve.train_loss, expected.losses, rtol=0, atol=2e-4)
    for name, weight in expected.weights.items():
        apart = np.abs(trained.final.weights[name] - weight)
        assert np.mean(apart > 1e-3) < 1e-3, name
