"""``karikomi.train``: modules of one's own, against plain loops and by what must hold."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import karikomi
from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.engines.contract import Trial, minibatches
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork

RNG = np.random.default_rng(0)
X, Y = RNG.random((200, 8, 8), np.float32), np.arange(200) % 4
SETTINGS = {"iterations": 30, "batch": 20, "validate_every": 10, "learning_rate": 0.01}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def train(*given: Any, **settings: Any) -> Any:
    """``karikomi.train``; no type says that a module has a curve."""
    return karikomi.train(*given, **settings)


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 4))


def convolutional() -> nn.Sequential:
    features = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*features, nn.Linear(144, 4))


def half(model: nn.Module) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {n: rng.random(p.shape) < 0.5 for n, p in model.named_parameters() if p.ndim > 1}


@pytest.mark.parametrize("build", [perceptron, convolutional])
def test_goes_on_as_a_plain_loop_under_the_mask_would(build):
    model = build()
    masks = half(model)
    before = copy.deepcopy(model.state_dict())
    trained = train(model, (X, Y), masks=masks, validation=40, optimizer="nesterov", **SETTINGS)
    expected = copy.deepcopy(model)
    optimizer = torch.optim.SGD(expected.parameters(), 0.01, 0.9, nesterov=True)
    split = Dataset.from_arrays(X, Y, X, Y).split(40, seeds.stream(0, "split", 0))
    stream = minibatches(Trial(Subnetwork.from_module(model), split, seeds.sequence(0, "order", 0)), 20)
    kept = {name: torch.from_numpy(mask) for name, mask in masks.items()}
    for _ in range(30):
        with torch.no_grad():
            for name, mask in kept.items():
                expected.get_parameter(name).mul_(mask)
        indices = next(stream)
        x = torch.from_numpy(X[indices]) if build is perceptron else torch.from_numpy(X[indices, None])
        optimizer.zero_grad()
        nn.functional.cross_entropy(expected(x), torch.from_numpy(Y[indices])).backward()
        optimizer.step()
    for name, value in expected.state_dict().items():
        value = value * kept.get(name, 1)
        torch.testing.assert_close(trained.state_dict()[name], value, rtol=0, atol=1e-5)
    for name, mask in masks.items():
        assert not trained.get_parameter(name)[~torch.from_numpy(mask)].any()
    assert trained.curve["iteration"].tolist() == [10, 20, 30]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_several_models_keep_their_order_and_see_the_same_minibatches():
    models = [perceptron(), convolutional(), perceptron()]
    together = train(models, (X, Y), **SETTINGS)
    assert [type(model[1]) for model in together] == [nn.Linear, nn.BatchNorm2d, nn.Linear]
    for model, found in zip(models, together, strict=True):
        alone = train(model, (X, Y), **SETTINGS)
        np.testing.assert_allclose(found.curve["train_loss"], alone.curve["train_loss"], rtol=1e-4)


def test_masks_of_torch_prune_stay_and_the_result_is_plain():
    model = perceptron()
    prune.random_unstructured(model[1], "weight", 0.5)
    removed = model[1].weight_mask == 0
    trained = train(model, (torch.from_numpy(X), torch.from_numpy(Y)), **SETTINGS)
    assert {*trained.state_dict()} == {"1.weight", "1.bias", "3.weight", "3.bias"}
    assert not trained[1].weight[removed].any()
    assert trained[1].weight[~removed].all()
    assert prune.is_pruned(model)


def test_weights_of_0_stay_0_but_not_a_layer_that_is_0_as_a_whole():
    model: Any = perceptron()
    with torch.no_grad():
        model[1].weight[:, ::2] = 0
        model[3].weight.zero_()
    trained = train(model, (X, Y), **SETTINGS)
    assert not trained[1].weight[:, ::2].any()
    assert trained[3].weight.any()
    assert train(model, (X, Y), masks={}, **SETTINGS)[1].weight[:, ::2].any()


def test_best_is_the_network_of_the_lowest_validation_loss():
    settings = {**SETTINGS, "learning_rate": 0.5, "optimizer": "sgd", "validate_every": 1, "iterations": 20}
    model = perceptron()
    trained = train(model, (X, Y), best=True, **settings)
    place = int(trained.curve["validation_loss"].argmin())
    stopped = train(model, (X, Y), **{**settings, "iterations": place + 1})
    torch.testing.assert_close(trained.state_dict(), stopped.state_dict())


def test_epochs_are_passes_through_what_is_not_held_back():
    trained = train(perceptron(), (X, Y), epochs=3, batch=50, validation=40)
    assert trained.curve["iteration"].iloc[-1] == 10  # 3 · 160 / 50, rounded up


@pytest.mark.parametrize(
    ("message", "given"),
    [
        ("unknown weight with links 'fc1.weight'", {"masks": {"fc1.weight": np.ones((16, 64))}}),
        (
            r"mask of 1\.weight must hold 0 and 1, in the shape \[16, 64\]; its shape is \[64, 16\]",
            {"masks": {"1.weight": np.ones((64, 16))}},
        ),
        ("mask of 1.weight must hold 0 and 1", {"masks": {"1.weight": np.full((16, 64), 0.5)}}),
        ("a mapping of masks for each of 1 models; there are 2", {"masks": [{}, {}]}),
        ("there is no setting itrations", {"itrations": 3}),
        ("optimizer should be 'adam'", {"optimizer": "lion"}),
        ("optimizer nesterov needs a momentum above 0", {"optimizer": "nesterov", "momentum": 0.0}),
        ("batch must be at most 180", {"batch": 190}),
        ("the sparse engine does not know clip", {"engine": "sparse", "clip": 1.0}),
    ],
)
def test_refuses_in_a_line_what_does_not_fit(message, given):
    with pytest.raises(InputError, match=message):
        train(perceptron(), (X, Y), **given)


def test_augmentation_needs_images():
    with pytest.raises(InputError, match=r"augment needs images.*\[64\]"):
        train(perceptron(), (X.reshape(200, 64), Y), augment=("flip",))
