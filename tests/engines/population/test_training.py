"""The population engine beyond what every engine does: any module, stacked or not."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from karikomi.data.dataset import Split
from karikomi.engines import population
from karikomi.engines.contract import Recipe
from karikomi.engines.population import planning
from karikomi.engines.population.augmentation import augmented
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork

# Not Adam: a bias before batch normalization has a gradient of 0 up to rounding, which Adam would blow up.
RECIPE = Recipe(
    iterations=12, batch=20, optimizer="sgd", learning_rate=0.05, momentum=0.9, weight_decay=1e-4, validate_every=4
)


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        nn.Conv2d(1, 4, 3, stride=2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 6 * 6, 10),
    )


def normalized() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 10))


def dropping() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 10))


class Recurrent(nn.Module):
    """Reads an image row by row; ``vmap`` cannot run it."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(28, 8, batch_first=True)
        self.output = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.gru(x)[0][:, -1])


class Cells(nn.Module):
    """The same by a cell, which ``vmap`` runs one after another, and warns."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.output = nn.GRUCell(28, 8), nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(len(x), 8)
        for row in x.unbind(1):
            h = self.cell(row, h)
        return self.output(h)


class Scaled(nn.Module):
    """Two of these look alike in print and in their weights."""

    shift: torch.Tensor

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.register_buffer("shift", torch.tensor(gain), persistent=False)
        self.output = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(x.flatten(1) * self.gain + self.shift)


@pytest.mark.parametrize("stack_convolutions", [False, True])
@pytest.mark.parametrize("build", [convolutional, normalized, Recurrent, Cells])
def test_any_module_trains_like_plain_pytorch(make, oracle, data, monkeypatch, build, stack_convolutions):
    if stack_convolutions:
        monkeypatch.setattr(planning, "CONVOLUTIONS", ())
    module = build()
    trials = [make.trial(module, 0.5, seed) for seed in range(3)]
    trained = population.train(trials, data, replace(RECIPE, validate_every=1), device="cpu")
    for trial, found in zip(trials, trained, strict=True):
        expected = oracle(trial, data, RECIPE)
        np.testing.assert_allclose(found.curve.train_loss, expected.losses, rtol=0, atol=1e-5)
        for name, weight in expected.weights().items():
            np.testing.assert_allclose(found.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)
        [evaluated] = population.evaluate([found.final], data.test, device="cpu")
        assert evaluated.loss == pytest.approx(expected.loss(data.test.x, data.test.y), abs=1e-5)


@pytest.mark.parametrize("build", [convolutional, normalized])
def test_smoothed_labels_and_clipped_gradients_are_pytorch_s(make, oracle, data, build):
    recipe = replace(RECIPE, optimizer="nesterov", label_smoothing=0.2, clip=0.5, validate_every=1)
    trials = [make.trial(build(), 0.5, seed) for seed in range(3)]
    for trial, found in zip(trials, population.train(trials, data, recipe, device="cpu"), strict=True):
        expected, unclipped = oracle(trial, data, recipe), oracle(trial, data, replace(recipe, clip=None))
        np.testing.assert_allclose(found.curve.train_loss, expected.losses, rtol=0, atol=1e-5)
        assert not np.allclose(expected.losses, unclipped.losses, atol=1e-2)
        for name, weight in expected.weights().items():
            np.testing.assert_allclose(found.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("augment", [("shift",), ("flip",), ("shift", "flip")])
def test_augmented_images_are_the_draw_s(augment):
    x, draw = torch.rand(40, 2, 16, 9), torch.rand(40, 3)
    for image, (down, right, flip), found in zip(x, draw.tolist(), augmented(x, augment, draw), strict=True):
        if "shift" in augment:  # 16 and 9 over 8: by at most 2 rows and 1 column
            rows, columns = int(down * 5), int(right * 3)
            image = pad(image, (1, 1, 2, 2))[:, rows : rows + 16, columns : columns + 9]
        if "flip" in augment and flip < 0.5:
            image = image.flip(-1)
        assert torch.equal(found, image)
    assert not torch.equal(augmented(x, augment, draw), x)


def test_networks_of_one_stream_see_the_same_augmented_images(make, data):
    recipe = replace(RECIPE, augment=("shift", "flip"))
    trial = make.trial(normalized())
    same, other = replace(trial, augment=np.random.SeedSequence(5)), replace(trial, augment=np.random.SeedSequence(6))
    one, two, three = population.train([same, same, other], data, recipe, device="cpu")
    np.testing.assert_allclose(one.curve.train_loss, two.curve.train_loss, rtol=1e-6)
    assert (one.curve.train_loss != three.curve.train_loss).all()
    [alone] = population.train([other], data, recipe, device="cpu")
    np.testing.assert_allclose(alone.curve.train_loss, three.curve.train_loss, rtol=1e-5)


def test_normalization_is_trained_kept_and_rewound_with_the_weights(make, data):
    trial = make.trial(normalized(), 0.5)
    recipe = replace(RECIPE, optimizer="nesterov", snapshots=(5,))
    [whole] = population.train([trial], data, recipe, device="cpu")
    [stopped] = population.train([trial], data, replace(recipe, iterations=5, snapshots=()), device="cpu")
    for name in ("2.weight", "2.bias", "2.running_mean", "2.running_var", "2.num_batches_tracked"):
        np.testing.assert_array_equal(whole.snapshots[5].weights[name], stopped.final.weights[name])
        assert (whole.snapshots[5].weights[name] != trial.subnetwork.weights[name]).any()
        assert (whole.final.weights[name] != whole.snapshots[5].weights[name]).any()
    [again] = population.train([replace(trial, subnetwork=whole.snapshots[5])], data, recipe, device="cpu")
    assert again.final.weights["2.num_batches_tracked"] == 17


def test_running_statistics_are_each_network_s_own(make, data):
    trials = [make.trial(normalized(), seed=seed) for seed in range(3)]
    trained = population.train(trials, data, replace(RECIPE, snapshots=(5,)), device="cpu")
    assert [one.snapshots[5].weights["2.num_batches_tracked"].item() for one in trained] == [5, 5, 5]
    assert [one.final.weights["2.num_batches_tracked"].item() for one in trained] == [12, 12, 12]
    assert [one.best.weights["2.num_batches_tracked"].item() for one in trained] == [
        one.early_stop_iteration for one in trained
    ]
    means = [one.final.weights["2.running_mean"] for one in trained]
    assert not np.allclose(means[0], means[1])


def test_different_architectures_in_one_list(make, data):
    modules = [normalized(), convolutional(), Scaled(1.0), normalized(), Scaled(0.25)]
    trials = [make.trial(module, 0.5, seed) for seed, module in enumerate(modules)]
    together = population.train(trials, data, RECIPE, device="cpu")
    evaluated = population.evaluate([one.final for one in together], data.test, device="cpu")
    for trial, found, score in zip(trials, together, evaluated, strict=True):
        [alone] = population.train([trial], data, RECIPE, device="cpu")
        np.testing.assert_allclose(found.curve.validation_loss, alone.curve.validation_loss, rtol=1e-4)
        assert score.loss == pytest.approx(population.evaluate([alone.final], data.test)[0].loss, rel=1e-4)
        assert found.final.module is trial.subnetwork.module


def test_the_block_length_does_not_matter(make, data, monkeypatch):
    networks = [make.subnetwork(normalized(), seed=seed) for seed in range(2)]
    whole = population.evaluate(networks, data.test, device="cpu")
    monkeypatch.setattr(planning, "CPU_BLOCK_BYTES", 1)
    for one, found in zip(whole, population.evaluate(networks, data.test, device="cpu"), strict=True):
        assert found.loss == pytest.approx(one.loss, rel=1e-6)
        np.testing.assert_array_equal(found.class_accuracy, one.class_accuracy)


def test_the_population_s_size_does_not_matter(make, data, monkeypatch):
    trials = [make.trial(normalized(), 0.5, seed) for seed in range(5)]
    whole = population.train(trials, data, RECIPE, device="cpu")
    monkeypatch.setattr(planning, "CPU_POPULATION", 2)
    for one, found in zip(whole, population.train(trials, data, RECIPE, device="cpu"), strict=True):
        np.testing.assert_allclose(found.curve.validation_loss, one.curve.validation_loss, rtol=1e-5)


@pytest.mark.parametrize("build", [convolutional, normalized, dropping])
def test_the_module_and_pytorch_are_left_as_they_were(make, data, build):
    module = build()
    module[1].eval()
    before, modes = copy.deepcopy(module.state_dict()), [part.training for part in module.modules()]
    random, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with torch.no_grad():
        trained = population.train([make.trial(module, seed=seed) for seed in range(2)], data, RECIPE, device="cpu")
        population.evaluate([one.final for one in trained], data.test, device="cpu")
        assert not torch.is_grad_enabled()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert torch.equal(torch.random.get_rng_state(), random)
    assert torch.get_num_threads() == threads


def test_frozen_parameters_stay(make, data):
    module = normalized()
    module[1].requires_grad_(False)
    trial = make.trial(module)
    [trained] = population.train([trial], data, RECIPE, device="cpu")
    np.testing.assert_array_equal(trained.final.weights["1.weight"], trial.subnetwork.weights["1.weight"])
    assert (trained.final.weights["4.weight"] != trial.subnetwork.weights["4.weight"]).all()


def test_dropout_is_repeatable_and_each_network_s_own(make, data):
    trials = [make.trial(dropping(), seed=seed) for seed in (0, 0, 1)]
    first = population.train(trials, data, RECIPE, device="cpu")
    torch.manual_seed(99)
    second = population.train(trials, data, RECIPE, device="cpu")
    for one, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.curve.train_loss, again.curve.train_loss)
    assert (first[0].curve.train_loss != first[1].curve.train_loss).all()


def test_dropout_has_a_stream_of_its_own(make, data):
    trial = make.trial(dropping())

    def losses(seed: int) -> np.ndarray:
        drawn = replace(trial, dropout=np.random.SeedSequence(seed))
        return population.train([drawn], data, RECIPE, device="cpu")[0].curve.train_loss

    assert (losses(1) == losses(1)).all()
    assert (losses(1) != losses(2)).all(), "on the same minibatches"


def test_evaluation_drops_nothing(make, data):
    network = make.subnetwork(dropping())
    a, b = population.evaluate([network, network], data.test, device="cpu")
    assert a.loss == pytest.approx(b.loss, rel=1e-6)


def test_refuses_what_cannot_be_trained(make, data):
    good = make.trial(normalized())

    def refused(message: str, **changes: object) -> None:
        with pytest.raises(InputError, match=message):
            population.train([replace(good, **changes)], data, RECIPE, device="cpu")

    def weights(**changes: np.ndarray) -> Subnetwork:
        return replace(good.subnetwork, weights=dict(good.subnetwork.weights) | changes)

    refused(r"1\.bias.*finite", subnetwork=weights(**{"1.bias": np.full(12, np.nan, np.float32)}))
    refused(r"1\.bias.*shape \[12\].*\[13\]", subnetwork=weights(**{"1.bias": np.zeros(13, np.float32)}))
    refused("differ in extra", subnetwork=weights(**{"extra": np.zeros(1, np.float32)}))
    refused(r"samples of shape \(28, 28\)", subnetwork=make.subnetwork(nn.Sequential(nn.Flatten(), nn.Linear(100, 10))))
    refused(r"outputs \[n, 10\].*\[n, 9\]", subnetwork=make.subnetwork(nn.Sequential(nn.Flatten(), nn.Linear(784, 9))))
    refused(r"gives \[n, 28, 10\]", subnetwork=make.subnetwork(nn.Sequential(nn.Linear(28, 10))))
    refused("it gives a tuple", subnetwork=make.subnetwork(nn.Sequential(nn.Flatten(2), nn.LSTM(28, 10))))
    refused("at least one training", split=Split(np.arange(5), np.arange(0)))
    tied = nn.Sequential(nn.Flatten(), nn.Linear(784, 784), nn.Linear(784, 784), nn.Linear(784, 10))
    tied[2].weight = tied[1].weight
    refused("share.*2.weight", subnetwork=make.subnetwork(tied))


def test_refuses_to_evaluate_on_nothing(make, data):
    with pytest.raises(InputError, match="no examples"):
        population.evaluate([make.subnetwork(normalized())], data.test.take(np.arange(0)))


def test_a_network_that_views_its_convolutions_is_trained_with_channels_first(make, oracle, data):
    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = convolutional()

        def forward(self, x):
            for part in self.inner:
                x = x.view(len(x), -1) if isinstance(part, nn.Flatten) else part(x)
            return x

    trial = make.trial(Viewing(), 0.5, 0)
    [found] = population.train([trial], data, RECIPE, device="cpu")
    for name, weight in oracle(trial, data, RECIPE).weights().items():
        np.testing.assert_allclose(found.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)
