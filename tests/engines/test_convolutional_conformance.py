"""What both engines must do with networks of convolutions, pooling, normalization and sums; plain PyTorch says what."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.programs import NETWORKS

from karikomi.data.dataset import Examples
from karikomi.engines import convolutional, population
from karikomi.engines.choice import choose
from karikomi.engines.contract import Recipe
from karikomi.engines.recipe import learning_rates
from karikomi.networks.architecture import Architecture

# At larger rates a rounding error grows tenfold every few steps: PyTorch in float32 is then far from itself in float64.
ADAM = Recipe(40, 60, "adam", 2e-4, 0.0, 0.0, 50)
SGD = replace(ADAM, optimizer="sgd", learning_rate=5e-4, momentum=0.9, weight_decay=1e-3)
SHORT = replace(SGD, iterations=30, learning_rate=0.01, validate_every=10)


LONG = {"branches": 2e-3, "pixels": 2e-3, "side by side": 5e-4, "bends": 2e-3, "mlp-gelu": 2e-3}
EVERY = pytest.mark.parametrize("module", NETWORKS.values(), ids=NETWORKS.keys())


@pytest.fixture(scope="module")
def noisy(data):
    """Where patches were equal, the order of additions would tell which place of a window is the largest."""
    noise = np.random.default_rng(0).integers(0, 32, data.train.x.shape, np.uint8)
    return replace(data, train=Examples(data.train.x // 8 * 7 + noise, data.train.y))


@pytest.fixture(params=["population", "convolutional"], scope="module")
def engine(request):
    return importlib.import_module(f"karikomi.engines.{request.param}")


@pytest.fixture
def tolerance(engine, module):
    """PyTorch normalizes images whose channels lie last less exactly, and such a network makes more of an error."""
    return 5e-3 if engine is population and module is NETWORKS["residual"] else 1e-5


@EVERY
def test_the_sparse_engine_is_chosen(module):
    assert choose("auto", Architecture(module, (torch.rand(3, 28, 28),))) is convolutional


@EVERY
@pytest.mark.parametrize(
    ("recipe", "density"),
    [(ADAM, 0.3), (SGD, 1.0), (replace(SGD, batch=70, learning_rate=learning_rates(5e-4, "cosine", 20, 40)), 0.3)],
    ids=["adam", "sgd-dense", "sgd-cosine-batch-70"],
)
def test_trains_like_plain_pytorch(engine, make, oracle, noisy, module, density, recipe, tolerance):
    trial = make.trial(module, density)
    expected = oracle(trial, noisy, recipe)
    [trained] = engine.train([trial], noisy, replace(recipe, validate_every=1))
    np.testing.assert_allclose(trained.curve.train_loss, expected.losses, rtol=0, atol=tolerance)
    held_back = noisy.train.take(trial.split.validation)
    assert trained.curve.validation_loss[-1] == pytest.approx(
        expected.loss(held_back.x, held_back.y), abs=10 * tolerance
    )
    # A step of Adam is as long where the gradient is little but a rounding error.
    for name, value in expected.weights().items():
        np.testing.assert_allclose(trained.final.weights[name], value, rtol=0, atol=50 * tolerance, err_msg=name)
        assert trained.final.weights[name].dtype == value.dtype


@pytest.mark.parametrize("name", LONG)
def test_trains_like_plain_pytorch_for_hundreds_of_steps(engine, make, oracle, noisy, name):
    recipe = replace(SGD, iterations=300, learning_rate=LONG[name], validate_every=1)
    trial = make.trial(NETWORKS[name], 0.3)
    [trained] = engine.train([trial], noisy, recipe)
    np.testing.assert_allclose(trained.curve.train_loss, oracle(trial, noisy, recipe).losses, rtol=0, atol=1e-4)


@EVERY
def test_removed_links_stay_exactly_0(engine, make, data, module):
    trial = make.trial(module, 0.3)
    [trained] = engine.train([trial], data, replace(SHORT, snapshots=(20,)))
    for network in (trained.best, trained.final, trained.snapshots[20]):
        for name, mask in trial.subnetwork.masks.items():
            np.testing.assert_array_equal(network.masks[name], mask)
            assert not network.weights[name][~mask].any()
            assert not trained.state.first[name][~mask].any()


def test_other_parameters_that_are_masked_stay_0(engine, make, data):
    """What removed units leave: biases, gains and shifts."""
    trial = make.trial(NETWORKS["residual"])
    gone = {
        name: np.arange(len(w)) > 1
        for name, w in trial.subnetwork.weights.items()
        if name.endswith(("bn.weight", "bn.bias", "shortcut.bias", "beside.bias"))
    }
    network = trial.subnetwork.masked({**trial.subnetwork.masks, **gone})
    [trained] = engine.train([replace(trial, subnetwork=network)], data, replace(SHORT, optimizer="adam"))
    for name, mask in gone.items():
        assert not trained.final.weights[name][~mask].any()
        assert trained.final.weights[name][mask].all()


@EVERY
def test_snapshot_is_a_run_that_stops_there(engine, make, data, module):
    trial = make.trial(module, 0.5)
    [whole] = engine.train([trial], data, replace(SHORT, snapshots=(0, 17)))
    [stopped] = engine.train([trial], data, replace(SHORT, iterations=17))
    for name, value in stopped.final.weights.items():
        np.testing.assert_array_equal(whole.snapshots[17].weights[name], value, err_msg=name)
        np.testing.assert_array_equal(whole.snapshots[0].weights[name], trial.subnetwork.weights[name], err_msg=name)


@EVERY
def test_goes_on_where_an_earlier_training_ended(engine, make, oracle, noisy, module, tolerance):
    recipe = replace(ADAM, iterations=15, validate_every=1)
    trial = make.trial(module, 0.5)
    [first] = engine.train([trial], noisy, recipe)
    later = replace(trial, subnetwork=first.final, state=first.state, order=np.random.SeedSequence(7))
    [second] = engine.train([later], noisy, recipe)
    expected = oracle(trial, noisy, recipe, (later, recipe))
    assert second.state.steps == 30
    assert {*second.state.first} == {name for name, _ in module.named_parameters()}
    np.testing.assert_allclose(second.curve.train_loss, expected.losses[15:], rtol=0, atol=tolerance)


@EVERY
def test_best_is_evaluated_as_it_was_validated(engine, make, data, module):
    trial = make.trial(module, 0.5)
    [trained] = engine.train([trial], data, replace(SHORT, learning_rate=0.1, validate_every=3))
    place = int(trained.curve.validation_loss.argmin())
    assert trained.early_stop_iteration == trained.curve.iteration[place]
    [found] = engine.evaluate([trained.best], data.train.take(trial.split.validation))
    assert found.loss == pytest.approx(trained.curve.validation_loss[place], rel=1e-5)
    assert found.accuracy == pytest.approx(trained.curve.validation_accuracy[place], abs=1e-9)


def test_links_that_cost_something_are_paid_for(engine, make, oracle, noisy):
    module = NETWORKS["branches"]
    recipe = replace(ADAM, iterations=40, validate_every=1)
    costs = {name: np.full(mask.shape, 1e-2, np.float32) for name, mask in make.subnetwork(module).masks.items()}
    dear = replace(make.trial(module, 0.5), link_cost=costs)
    [paid] = engine.train([dear], noisy, recipe)
    np.testing.assert_allclose(paid.curve.train_loss, oracle(dear, noisy, recipe).losses, rtol=0, atol=1e-4)


@pytest.mark.parametrize("module", [NETWORKS["residual"], NETWORKS["branches"]], ids=["residual", "branches"])
def test_frozen_links_keep_their_value_and_all_others_learn(engine, make, data, module):
    trial, rng = make.trial(module, 0.5), np.random.default_rng(0)
    frozen = {name: rng.random(mask.shape) < 0.5 for name, mask in trial.subnetwork.masks.items()}
    [found] = engine.train([replace(trial, frozen=frozen)], data, ADAM)
    for name, mask in trial.subnetwork.masks.items():
        start, end = trial.subnetwork.weights[name], found.final.weights[name]
        np.testing.assert_array_equal(end[frozen[name]], start[frozen[name]])
        assert (end != start)[mask & ~frozen[name]].mean() > 0.9


def test_company_and_threads_change_nothing_to_the_bit(make, data):
    trials = [make.trial(module, 0.5, seed) for seed, module in enumerate(NETWORKS.values())]
    recipe = replace(SHORT, snapshots=(10,))
    together = convolutional.train(trials, data, recipe, threads=3)
    for trial, found in zip(trials, together, strict=True):
        [alone] = convolutional.train([trial], data, recipe, threads=1)
        for one, other in ((alone.final, found.final), (alone.best, found.best)):
            for name, value in one.weights.items():
                np.testing.assert_array_equal(value, other.weights[name], err_msg=name)
        np.testing.assert_array_equal(alone.curve.validation_loss, found.curve.validation_loss)
        np.testing.assert_array_equal(alone.curve.train_loss, found.curve.train_loss)


@EVERY
def test_is_deterministic_and_changes_nothing_it_is_given(engine, make, data, module):
    trial = make.trial(module, 0.5)
    before = {name: value.copy() for name, value in trial.subnetwork.weights.items()}
    state = {name: value.clone() for name, value in module.state_dict().items()}
    [one], [other] = (engine.train([trial], data, SHORT) for _ in range(2))
    for name, value in one.final.weights.items():
        np.testing.assert_array_equal(value, other.final.weights[name], err_msg=name)
        np.testing.assert_array_equal(trial.subnetwork.weights[name], before[name])
        assert torch.equal(module.state_dict()[name], state[name])
