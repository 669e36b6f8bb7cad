"""What every engine must do, tested on all of them; an oracle in plain PyTorch says what is right."""

import copy
import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Recipe
from karikomi.engines.recipe import learning_rates
from karikomi.networks import build
from karikomi.networks.subnetwork import Subnetwork

ADAM = Recipe(
    iterations=200,
    batch=60,
    optimizer="adam",
    learning_rate=1.2e-3,
    momentum=0.0,
    weight_decay=0.0,
    validate_every=50,
)
ADAM_DECAY = replace(ADAM, weight_decay=1e-3)
SGD_DECAY = replace(ADAM, optimizer="sgd", learning_rate=0.05, momentum=0.9, weight_decay=1e-3)
ADAMW = replace(ADAM, optimizer="adamw", weight_decay=0.1)
NESTEROV = replace(SGD_DECAY, optimizer="nesterov")
COSINE = learning_rates(5e-3, "cosine", 20, 200)
SHORT = replace(SGD_DECAY, iterations=40, validate_every=10)
MLP = build("mlp-32-16", (28, 28), 10)
LENET = build("lenet-300-100", (28, 28), 10)


@pytest.fixture(params=["population", "sparse"], scope="module")
def engine(request):
    return importlib.import_module(f"karikomi.engines.{request.param}")


def assert_same(a: Subnetwork, b: Subnetwork, tolerance: float = 0.0):
    assert a.weights.keys() == b.weights.keys()
    for name in a.weights:
        assert a.weights[name].dtype == b.weights[name].dtype
        np.testing.assert_allclose(a.weights[name], b.weights[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("module", "density", "recipe"),
    [
        (MLP, 1.0, ADAM),
        (MLP, 0.3, ADAM),
        (MLP, 0.3, ADAM_DECAY),
        (MLP, 1.0, SGD_DECAY),
        (MLP, 0.3, SGD_DECAY),
        (MLP, 0.3, replace(SGD_DECAY, batch=7)),
        (LENET, 0.2, ADAM),
        (MLP, 0.3, ADAMW),
        (MLP, 0.3, NESTEROV),
        (MLP, 0.3, replace(ADAMW, learning_rate=COSINE)),
        (MLP, 0.3, replace(NESTEROV, learning_rate=10 * COSINE)),
    ],
    ids=[
        "adam",
        "adam-sparse",
        "adam-decay",
        "sgd",
        "sgd-decay",
        "sgd-batch-7",
        "lenet-adam",
        "adamw",
        "nesterov",
        "adamw-cosine",
        "nesterov-cosine",
    ],
)
def test_trains_like_plain_pytorch(engine, make, oracle, data, module, density, recipe):
    trial = make.trial(module, density)
    expected = oracle(trial, data, recipe)
    [trained] = engine.train([trial], data, replace(recipe, validate_every=1))
    np.testing.assert_allclose(trained.curve.train_loss, expected.losses, rtol=0, atol=1e-5)
    held_back = data.train.take(trial.split.validation)
    assert trained.curve.validation_loss[-1] == pytest.approx(expected.loss(held_back.x, held_back.y), abs=1e-5)
    for name, weight in expected.weights().items():
        np.testing.assert_allclose(trained.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("recipe", [ADAM_DECAY, SGD_DECAY, ADAMW, NESTEROV], ids=["adam", "sgd", "adamw", "nesterov"])
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_goes_on_where_an_earlier_training_ended(engine, make, oracle, data, recipe, density):
    recipe = replace(recipe, iterations=30, validate_every=1)
    trial = make.trial(MLP, density)
    [first] = engine.train([trial], data, recipe)
    later = replace(trial, subnetwork=first.final, state=first.state, order=np.random.SeedSequence(7))
    alone, [second, beside] = engine.train([later], data, recipe), engine.train([later, trial], data, recipe)
    expected = oracle(trial, data, recipe, (later, recipe))
    assert (first.state.steps, second.state.steps, beside.state.steps) == (30, 60, 30)
    for name, weight in expected.weights().items():
        np.testing.assert_allclose(second.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(alone[0].final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(second.curve.train_loss, expected.losses[30:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("recipe", [ADAMW, NESTEROV], ids=["adamw", "nesterov"])
def test_a_schedule_goes_on_where_it_was(engine, make, data, oracle, recipe):
    recipe = replace(recipe, iterations=30, validate_every=1)
    rates = learning_rates(5e-3, "cosine", 10, 60)
    trial, begins = make.trial(MLP, 0.3), replace(recipe, learning_rate=rates[:30])
    [first] = engine.train([trial], data, begins)
    goes_on = replace(recipe, learning_rate=learning_rates(5e-3, "cosine", 10, 60, start=first.state.steps)[:30])
    later = replace(trial, subnetwork=first.final, state=first.state, order=np.random.SeedSequence(7))
    [second] = engine.train([later], data, goes_on)
    expected = oracle(trial, data, begins, (later, goes_on))
    np.testing.assert_allclose(second.curve.train_loss, expected.losses[30:], rtol=0, atol=1e-5)
    for name, weight in expected.weights().items():
        np.testing.assert_allclose(second.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("recipe", [ADAM, SGD_DECAY], ids=["adam", "sgd"])
def test_a_state_forgets_links_that_are_removed(engine, make, data, recipe):
    recipe = replace(recipe, iterations=30)
    trial = make.trial(MLP)
    [first] = engine.train([trial], data, recipe)
    pruned = first.final.masked(make.subnetwork(MLP, 0.5, seed=1).masks)
    [second] = engine.train([replace(trial, subnetwork=pruned, state=first.state)], data, recipe)
    for name, mask in pruned.masks.items():
        assert not second.final.weights[name][~mask].any()
        assert not second.state.first[name][~mask].any()
        assert not second.state.second[name][~mask].any()
        assert second.state.first[name][mask].any()


@pytest.mark.parametrize("density", [1.0, 0.3])
def test_links_that_cost_something_are_paid_for(engine, make, oracle, data, density):
    recipe = replace(ADAM, iterations=60, validate_every=1)
    rng = np.random.default_rng(0)
    costs = {name: rng.random(mask.shape, np.float32) * 1e-2 for name, mask in make.subnetwork(MLP).masks.items()}
    trial = make.trial(MLP, density)
    dear = replace(trial, link_cost=costs)
    [free, paid] = engine.train([trial, dear], data, recipe)
    expected = oracle(dear, data, recipe)
    np.testing.assert_allclose(paid.curve.train_loss, expected.losses, rtol=0, atol=1e-5)
    for name, weight in expected.weights().items():
        np.testing.assert_allclose(paid.final.weights[name], weight, rtol=0, atol=2e-4, err_msg=name)
    for name, cost in costs.items():
        assert (cost * abs(paid.final.weights[name])).sum() < (cost * abs(free.final.weights[name])).sum()


@pytest.mark.parametrize("recipe", [ADAM_DECAY, SGD_DECAY, ADAMW, NESTEROV], ids=["adam", "sgd", "adamw", "nesterov"])
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_frozen_links_keep_their_value_bit_for_bit_and_all_others_learn(engine, make, oracle, data, recipe, density):
    recipe = replace(recipe, iterations=60, validate_every=1, snapshots=(20,))
    trial, rng = make.trial(MLP, density), np.random.default_rng(0)
    some = replace(trial, frozen={name: rng.random(mask.shape) < 0.6 for name, mask in trial.subnetwork.masks.items()})
    rest = replace(some, frozen={"fc2.weight": some.frozen["fc2.weight"]})
    expected = oracle(some, data, recipe)
    found, part, whole = engine.train([some, rest, trial], data, recipe)  # beside networks with fewer frozen or none
    np.testing.assert_allclose(found.curve.train_loss, expected.losses, rtol=0, atol=1e-5)
    for name, weight in expected.weights().items():
        np.testing.assert_allclose(found.final.weights[name], weight, rtol=0, atol=1e-4, err_msg=name)
    for name, mask in trial.subnetwork.masks.items():
        start, still = trial.subnetwork.weights[name], some.frozen[name]
        for network in (found.best, found.final, found.snapshots[20]):
            np.testing.assert_array_equal(network.weights[name][still], start[still])
        assert (found.final.weights[name][mask & ~still] != start[mask & ~still]).all()
        assert (whole.final.weights[name][mask] != start[mask]).all()
        assert (part.final.weights[name] == start)[still & mask].all() == (name == "fc2.weight")


@pytest.mark.parametrize("recipe", [ADAM_DECAY, SGD_DECAY, ADAMW, NESTEROV], ids=["adam", "sgd", "adamw", "nesterov"])
def test_removed_links_stay_exactly_0_and_all_others_learn(engine, make, data, recipe):
    trial = make.trial(MLP, 0.3)
    [trained] = engine.train([trial], data, replace(recipe, snapshots=(100,)))
    for network in (trained.best, trained.final, trained.snapshots[100]):
        assert network.masks.keys() == trial.subnetwork.masks.keys()
        for name, mask in trial.subnetwork.masks.items():
            np.testing.assert_array_equal(network.masks[name], mask)
            assert not network.weights[name][~mask].any()
    assert all(trained.final.weights[name][mask].all() for name, mask in trial.subnetwork.masks.items())


def test_a_layer_without_links_stays_without(engine, make, data):
    trial = make.trial(MLP)
    cut = dict(trial.subnetwork.masks) | {"fc2.weight": np.zeros((16, 32), bool)}
    [trained] = engine.train([replace(trial, subnetwork=trial.subnetwork.masked(cut))], data, SHORT)
    assert not trained.final.weights["fc2.weight"].any()
    np.testing.assert_array_equal(trained.final.weights["fc1.bias"], 0)
    assert trained.final.weights["output.bias"].any()


def test_curve_has_every_validation_and_the_mean_loss_since_the_last(engine, make, data):
    trial, recipe = make.trial(MLP, 0.5), replace(ADAM, iterations=25, validate_every=10)
    [each] = engine.train([trial], data, replace(recipe, validate_every=1))
    [some] = engine.train([trial], data, recipe)
    assert some.curve.iteration.tolist() == [10, 20, 25]
    steps = each.curve.train_loss
    np.testing.assert_allclose(some.curve.train_loss, [steps[:10].mean(), steps[10:20].mean(), steps[20:].mean()])
    np.testing.assert_allclose(some.curve.validation_loss, each.curve.validation_loss[[9, 19, 24]], rtol=1e-6)
    np.testing.assert_array_equal(some.curve.validation_accuracy, each.curve.validation_accuracy[[9, 19, 24]])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_at_the_smallest_learning_rate_nothing_moves(engine, make, data, optimizer):
    trial = make.trial(MLP, 0.3)
    [trained] = engine.train([trial], data, replace(SHORT, optimizer=optimizer, iterations=5, learning_rate=1e-40))
    assert_same(trained.final, trial.subnetwork, tolerance=1e-30)


def test_best_is_the_first_minimum_of_the_validation_loss(engine, make, data):
    # A rate at which the loss jumps about, so that the minimum is neither the first nor the last validation.
    trials = [make.trial(MLP, 0.5, seed) for seed in range(5)]
    recipe = replace(SHORT, learning_rate=0.5, iterations=60, validate_every=2)
    trained = engine.train(trials, data, recipe)
    places = [int(one.curve.validation_loss.argmin()) for one in trained]
    assert any(0 < place < 29 for place in places)
    for trial, one, place in zip(trials, trained, places, strict=True):
        assert one.early_stop_iteration == one.curve.iteration[place]
        [found] = engine.evaluate([one.best], data.train.take(trial.split.validation))
        assert found.loss == pytest.approx(one.curve.validation_loss[place], rel=1e-5)
        assert found.accuracy == pytest.approx(one.curve.validation_accuracy[place], abs=1e-9)


def test_a_network_that_diverges_keeps_its_removed_links_at_0(engine, make, data):
    trial = make.trial(MLP, 0.3)
    recipe = replace(SHORT, learning_rate=1e30, momentum=0.0, iterations=6, validate_every=2)
    with np.errstate(all="ignore"):
        [trained] = engine.train([trial], data, recipe)
    assert np.isnan(trained.curve.validation_loss).all()
    assert trained.early_stop_iteration == 2
    for name, mask in trial.subnetwork.masks.items():
        assert not trained.final.weights[name][~mask].any()


def test_snapshot_is_a_run_that_stops_there(engine, make, data):
    trial = make.trial(MLP, 0.3)
    [whole] = engine.train([trial], data, replace(SHORT, snapshots=(23, 11)))
    assert {*whole.snapshots} == {11, 23}
    for iterations, snapshot in whole.snapshots.items():
        [stopped] = engine.train([trial], data, replace(SHORT, iterations=iterations))
        assert_same(snapshot, stopped.final)
        assert not stopped.snapshots


def test_snapshot_at_0_is_the_start(engine, make, data):
    trial = make.trial(MLP, 0.3)
    [trained] = engine.train([trial], data, replace(SHORT, snapshots=(0,)))
    assert_same(trained.snapshots[0], trial.subnetwork)


def test_company_does_not_matter_and_results_keep_the_order(engine, make, data):
    wide = build("mlp-40", (28, 28), 10)
    trials = [make.trial((MLP, wide)[i % 2], (1.0, 0.3, 0.1)[i % 3], seed=i) for i in range(7)]
    together = engine.train(trials, data, SHORT)
    for trial, found in zip(trials, together, strict=True):
        [alone] = engine.train([trial], data, SHORT)
        assert_same(found.final, alone.final, tolerance=1e-5)
        np.testing.assert_allclose(found.curve.validation_loss, alone.curve.validation_loss, rtol=1e-4)
    evaluated = engine.evaluate([one.final for one in together], data.test)
    for one, found in zip(together, evaluated, strict=True):
        [alone] = engine.evaluate([one.final], data.test)
        assert found.loss == pytest.approx(alone.loss, rel=1e-5)


def test_splits_of_different_sizes_in_one_list(engine, make, data):
    trials = [make.trial(MLP, 0.3, validation=size) for size in (100, 150, 100)]
    together = engine.train(trials, data, SHORT)
    for trial, found in zip(trials, together, strict=True):
        [expected] = engine.evaluate([found.final], data.train.take(trial.split.validation))
        assert found.curve.validation_loss[-1] == pytest.approx(expected.loss, rel=1e-5)


def test_rerun_is_identical_to_the_bit(engine, make, data):
    trials = [make.trial(MLP, 0.3, seed) for seed in range(5)]
    recipe = replace(SHORT, snapshots=(10,))
    for first, second in zip(*(engine.train(trials, data, recipe) for _ in range(2)), strict=True):
        for name in ("best", "final"):
            assert_same(getattr(first, name), getattr(second, name))
        assert_same(first.snapshots[10], second.snapshots[10])
        for field in ("train_loss", "validation_loss", "validation_accuracy"):
            np.testing.assert_array_equal(getattr(first.curve, field), getattr(second.curve, field))


def test_never_trains_on_what_is_held_back(engine, make, data):
    trial = make.trial(MLP)
    x, y = data.train.x.copy(), data.train.y.copy()
    x[trial.split.validation] = 255 - x[trial.split.validation]
    y[trial.split.validation] = 0
    [clean] = engine.train([trial], data, SHORT)
    [spoiled] = engine.train([trial], replace(data, train=Examples(x, y)), SHORT)
    # Not to the bit: an engine may let the whole data set decide in which order it adds.
    assert_same(clean.final, spoiled.final, tolerance=1e-6)
    assert (clean.curve.validation_loss != spoiled.curve.validation_loss).all()


def test_float_inputs_train_like_bytes(engine, make, data):
    trial = make.trial(MLP, 0.3)
    as_floats = replace(data, train=Examples(data.train.x.astype(np.float32) / 255, data.train.y))
    [by_bytes] = engine.train([trial], data, SHORT)
    [by_floats] = engine.train([trial], as_floats, SHORT)
    np.testing.assert_allclose(by_floats.curve.train_loss, by_bytes.curve.train_loss, rtol=1e-5)


def test_changes_nothing_it_is_given(engine, make, data):
    trials = [make.trial(MLP, 0.3, seed) for seed in range(2)]
    before = copy.deepcopy(trials)
    trained = engine.train(trials, data, SHORT)
    finals = [one.final for one in trained]
    kept = copy.deepcopy(finals)
    engine.evaluate(finals, data.test)
    for now, then in [*zip((t.subnetwork for t in trials), (t.subnetwork for t in before), strict=True)]:
        assert_same(now, then)
    for now, then in zip(finals, kept, strict=True):
        assert_same(now, then)
    for trial, then in zip(trials, before, strict=True):
        np.testing.assert_array_equal(trial.split.train, then.split.train)
        np.testing.assert_array_equal(trial.order.generate_state(4), then.order.generate_state(4))
        assert trial.order.n_children_spawned == 0
    assert all(one.final.module is MLP for one in trained)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_evaluates_like_plain_pytorch(engine, make, data, density):
    networks = [make.subnetwork(MLP, density, seed) for seed in range(3)]
    known = data.test.take(np.flatnonzero(data.test.y != 4))
    x, y = torch.tensor(known.x).float() / 255, torch.tensor(known.y)
    module = copy.deepcopy(MLP)
    for network, found in zip(networks, engine.evaluate(networks, known), strict=True):
        module.load_state_dict({name: torch.tensor(w) for name, w in network.weights.items()})
        with torch.no_grad():
            logits = module(x)
        right = (logits.argmax(1) == y).double()
        assert found.loss == pytest.approx(cross_entropy(logits.double(), y).item(), rel=1e-6)
        assert found.accuracy == pytest.approx(right.mean().item(), abs=1e-12)
        by_class = [right[y == c].mean().item() if c != 4 else np.nan for c in range(10)]
        np.testing.assert_allclose(found.class_accuracy, by_class, rtol=1e-12)


def test_an_unseen_class_counts_as_absent_even_at_the_end(engine, make, data):
    [found] = engine.evaluate([make.subnetwork(MLP)], data.test.take(np.flatnonzero(data.test.y < 9)))
    assert found.class_accuracy.shape == (10,)
    assert np.isnan(found.class_accuracy).tolist() == [False] * 9 + [True]


def test_reports_every_step_of_every_network(engine, make, data):
    steps: list[int] = []
    engine.train([make.trial(MLP, 0.3, seed) for seed in range(3)], data, replace(SHORT, iterations=45), steps.append)
    assert sum(steps) == 3 * 45
    assert min(steps) > 0


def test_an_empty_list_gives_an_empty_list(engine, data):
    assert engine.train([], data, SHORT) == []
    assert engine.evaluate([], data.test) == []
