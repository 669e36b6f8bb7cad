"""Supermasks: weights never move, the mask learns, and what is evaluated is the network under that mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from karikomi import seeds
from karikomi.engines import population
from karikomi.engines.contract import Recipe, Trial
from karikomi.engines.population.supermask import RATE, Supermask, train_supermasks
from karikomi.networks import NETWORKS, build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize

RECIPE = Recipe(2, 20, "sgd", 0.1, 0.9, 1e-3, 1)
MLP = build("mlp-32-16", (28, 28), 10)


def trained(trials, data, recipe, seed=3):
    return train_supermasks(trials, [np.random.default_rng(seed + k) for k in range(len(trials))], data, recipe)


@pytest.mark.parametrize("name", [entry.example or name for name, entry in NETWORKS.items()])
def test_what_is_validated_is_the_untrained_network_under_the_mask(name, data):
    architecture = Architecture(build(name, (28, 28), 10))
    network = initialize(architecture, "glorot", np.random.default_rng(0))
    trial = Trial(network, data.split(40, seeds.stream(0, "split")), seeds.sequence(0, "order"))
    [found] = trained([trial], data, RECIPE)
    [seen] = population.evaluate([found.final], data.train.take(trial.split.validation))
    assert seen.loss == pytest.approx(found.curve.validation_loss[-1], rel=1e-4)
    parameters = dict(architecture.module.named_parameters())
    for weight, value in found.final.weights.items():
        expected = np.where(found.final.masks.get(weight, True), network.weights[weight], 0)
        if weight in parameters:
            np.testing.assert_array_equal(value, expected)
    assert 0.4 < found.final.density < 0.6


def test_scores_learn_by_the_straight_through_gradient(make, data):
    trial = make.trial(MLP)
    scored = Supermask(MLP, list(trial.subnetwork.masks)).train()
    x, y = torch.rand(30, 28, 28), torch.arange(30) % 10
    with torch.no_grad():
        for score in scored.scores:
            score.copy_(torch.randn_like(score))
    torch.manual_seed(5)
    cross_entropy(scored(x), y).backward()
    torch.manual_seed(5)
    chances = [score.detach().sigmoid() for score in scored.scores]
    masks = [(torch.rand_like(chance) < chance).float() for chance in chances]
    weights = dict(MLP.named_parameters())
    product = {
        name: (weights[name].detach() * mask).requires_grad_() for name, mask in zip(scored.links, masks, strict=True)
    }
    cross_entropy(torch.func.functional_call(MLP, product, (x,)), y).backward()
    for name, score, chance in zip(scored.links, scored.scores, chances, strict=True):
        slope = product[name].grad
        assert score.grad is not None
        assert slope is not None
        torch.testing.assert_close(score.grad, slope * weights[name].detach() * chance * (1 - chance))
    assert all(weight.grad is None for weight in scored.module.parameters())


def test_a_mask_learns_though_no_weight_does(make, data):
    trials = [make.trial(build("mlp-100-50", (28, 28), 10), seed=seed) for seed in range(3)]
    recipe = Recipe(400, 60, "adam", 1.2e-3, 0.0, 0.0, 100)
    found = trained(trials, data, recipe)
    before, after = (
        population.evaluate(networks, data.test)
        for networks in zip(
            *((trial.subnetwork, one.best) for trial, one in zip(trials, found, strict=True)), strict=True
        )
    )
    for start, end in zip(before, after, strict=True):
        assert end.accuracy > 0.6 > 0.3 > start.accuracy
    again = trained(trials, data, recipe)
    for one, other in zip(found, again, strict=True):
        for name, mask in one.final.masks.items():
            np.testing.assert_array_equal(mask, other.final.masks[name])
    assert (found[0].final.masks["fc1.weight"] != found[1].final.masks["fc1.weight"]).any()


def test_links_that_are_not_there_stay_away(make, data):
    trial = make.trial(MLP, 0.3)
    [found] = trained([trial], data, RECIPE)
    for name, mask in trial.subnetwork.masks.items():
        assert not (found.final.masks[name] & ~mask).any()
        assert found.final.masks[name].sum() == pytest.approx(mask.sum() / 2, rel=0.3)


def test_the_rate_follows_the_recipe_s_schedule(make, data, monkeypatch):
    from karikomi.engines.population import supermask

    rates, real = [], supermask.train
    monkeypatch.setattr(
        supermask,
        "train",
        lambda trials, data, recipe, *rest: rates.append(recipe.rates) or real(trials, data, recipe, *rest),
    )
    trained([make.trial(MLP)], data, replace(RECIPE, learning_rate=np.array([0.05, 0.02])))
    np.testing.assert_allclose(rates, [[RATE, 0.4 * RATE]])
    assert trained([], data, RECIPE) == []
