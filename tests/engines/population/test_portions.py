"""Minibatches of one network in portions, one for each of PyTorch's threads."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from karikomi.engines import population
from karikomi.engines.contract import Recipe
from karikomi.engines.population.planning import plan
from karikomi.networks.transformer import Attention

# Attention does not depend on the bias of its keys: Adam would enlarge what rounding leaves of its gradient.
RECIPE = Recipe(25, 50, "sgd", 0.05, 0.9, 0.0, 1)


class Attentive(nn.Module):
    """Rows of an image that look at one another, and what else is asked for."""

    def __init__(self, *, behind: nn.Module | None = None, centred: bool = False) -> None:
        super().__init__()
        self.attention, self.behind = Attention(28, 4), behind or nn.Identity()
        self.unused, self.output, self.centred = nn.Linear(2, 2), nn.Linear(28, 10), centred

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(0) if self.centred else x
        return self.output(self.behind((x + self.attention(x)).mean(1)))


@pytest.fixture(params=[2, 3])
def threads(request):
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(1)


def planned(make, data, module, **settings):
    samples = torch.from_numpy(data.train.x[:2]).float() / 255
    [one] = plan([make.subnetwork(module)], samples, 10, **{"batch": 50, **settings})
    return one.portions


def test_for_examples_that_know_nothing_of_each_other_and_for_training(make, data):
    assert planned(make, data, Attentive())
    assert not planned(make, data, Attentive(), batch=0)
    assert not planned(make, data, Attentive(behind=nn.BatchNorm1d(28)))
    assert not planned(make, data, Attentive(behind=nn.BatchNorm1d(28, track_running_stats=False)))
    assert not planned(make, data, Attentive(behind=nn.Dropout()))
    assert not planned(make, data, Attentive(centred=True))
    assert not planned(make, data, nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))


def test_trains_like_plain_pytorch(make, oracle, data, threads):
    trial = make.trial(Attentive(), 0.5)
    expected = oracle(trial, data, RECIPE)
    [trained] = population.train([trial], data, RECIPE)
    assert torch.get_num_threads() == threads
    np.testing.assert_allclose(trained.curve.train_loss, expected.losses, rtol=0, atol=1e-5)
    for name, value in expected.weights().items():
        np.testing.assert_allclose(trained.final.weights[name], value, rtol=0, atol=1e-4, err_msg=name)
    for name, mask in trial.subnetwork.masks.items():
        assert not trained.final.weights[name][~mask].any()


@pytest.mark.parametrize("more", [{"clip": 0.5}, {"label_smoothing": 0.1}, {"batch": 17}, {"batch": 7}], ids=str)
def test_threads_make_no_difference_beyond_rounding(make, data, threads, more):
    trial, recipe = make.trial(Attentive()), replace(RECIPE, **more)
    [several] = population.train([trial], data, recipe)
    [again] = population.train([trial], data, recipe)
    torch.set_num_threads(1)
    [alone] = population.train([trial], data, recipe)
    for name, value in several.final.weights.items():
        np.testing.assert_array_equal(value, again.final.weights[name], err_msg=name)
        np.testing.assert_allclose(value, alone.final.weights[name], rtol=0, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(several.curve.validation_loss, alone.curve.validation_loss, atol=1e-5)
