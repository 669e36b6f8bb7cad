"""Healthy networks: trained once, or given; what their units are scored on."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from karikomi import data, seeds
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.networks import load_healthy, prepare_healthy, training
from karikomi.studies.healthy.scoring import ablation_of, evidence, scoring_examples, try_criteria
from karikomi.studies.healthy.settings import HealthySettings
from karikomi.studies.healthy.tables import healthy_rows
from karikomi.studies.settings import SCHEMA
from karikomi.studies.stage import Task
from karikomi.studies.work import run_stages


@pytest.fixture
def make(tiny):
    def settings(**changes):
        given = {"data": tiny, "network": "mlp-8-5", "iterations": 30, "batch": 20, "validation": 200}
        given |= {"validate_every": 10, "replicates": 2, "scoring": 150, "engine": "population"}
        return HealthySettings.of(**{**given, **changes})

    return settings


@pytest.fixture
def folder(make, tmp_path):
    with RunFolder.create_or_resume(tmp_path / "run", "healthy", make().model_dump(), SCHEMA) as folder:
        yield folder


def models(many=2):
    torch.manual_seed(0)
    return [build("mlp-8-5", (14, 14), 10) for _ in range(many)]


def weight_files(modules, tmp_path):
    paths = [str(tmp_path / f"model-{number}.safetensors") for number in range(len(modules))]
    for module, path in zip(modules, paths, strict=True):
        save_file(module.state_dict(), path)
    return tuple(paths)


def assert_same_weights(subnetwork, state):
    assert subnetwork.weights.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(subnetwork.weights[name], array)


def test_what_is_saved_is_the_network_of_minimum_validation_loss(make, folder):
    setup = prepare_healthy(make())
    run_stages([training(setup)], setup, folder, True, None)
    trials = [setup.trial(setup.initial(r, seeds.stream(0, "init", r)), r) for r in range(2)]
    trained = setup.engine.train(trials, setup.data, setup.settings.recipe())
    for row, expected in zip(healthy_rows(folder), trained, strict=True):
        network = load_healthy(setup, folder, Task(row["replicate"]))
        assert_same_weights(network, expected.best.weights)
        [test] = setup.engine.evaluate([network], setup.data.test)
        assert (row["accuracy"], row["loss"]) == (test.accuracy, test.loss)
        assert row["early_stop_iteration"] == expected.early_stop_iteration


def test_nothing_is_trained_twice(make, folder):
    setup = prepare_healthy(make())
    run_stages([training(setup)], setup, folder, True, None)
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    run_stages([training(setup)], setup, folder, True, None)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


def test_a_pool_trains_the_same_networks(make, folder, tmp_path):
    setup = prepare_healthy(make(engine="sparse"))
    run_stages([training(setup)], setup, folder, True, None)
    with (
        RunFolder.create_or_resume(tmp_path / "pool", "healthy", setup.settings.model_dump(), SCHEMA) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        run_stages([training(setup)], setup, other, True, pool)
        for replicate in range(2):
            assert_same_weights(
                load_healthy(setup, other, Task(replicate)), load_healthy(setup, folder, Task(replicate)).weights
            )


def test_given_modules_and_files_are_taken_as_they_are(make, folder, tmp_path):
    modules = models()
    files = make(models=weight_files(modules, tmp_path)).fingerprinted(None, ())
    own = make(network="model").fingerprinted(None, modules)
    assert files.models_sha256 == own.models_sha256 != make().fingerprinted(None, modules[::-1]).models_sha256
    for settings, given in ((files, ()), (own, modules)):
        setup = prepare_healthy(settings, data.load(settings.data), given)
        for subnetwork, module in zip(setup.trained, modules, strict=True):
            assert_same_weights(subnetwork, module.state_dict())
    run_stages([training(setup)], setup, folder, True, None)
    assert_same_weights(load_healthy(setup, folder, Task(1)), modules[1].state_dict())
    assert healthy_rows(folder)[1].keys() == {"replicate", "accuracy", "loss"}


def test_as_many_replicates_as_models(make, tmp_path):
    files = weight_files(models(3), tmp_path)
    given = make().model_dump(exclude={"replicates"})
    assert HealthySettings.of(**{**given, "models": files}).replicates == 3
    with pytest.raises(InputError, match="replicates must be 3 or left out"):
        make(models=files)


def test_models_that_do_not_fit_are_refused_in_one_line(make, tmp_path):
    wide, broken = build("mlp-9-5", (14, 14), 10), models(1)[0]
    with torch.no_grad():
        next(broken.parameters())[0, 0] = torch.nan
    for module, message in ((wide, r"of fc1.weight the shape is \(9, 196\)"), (broken, "NaN|finite")):
        settings = make(replicates=1, models=weight_files([module], tmp_path)).fingerprinted(None, ())
        with pytest.raises(InputError, match=message) as refused:
            prepare_healthy(settings)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="only Python can give"):
        prepare_healthy(make(network="model"))
    with pytest.raises(InputError, match=r"fc1\.weight the shape is"):
        prepare_healthy(
            make(network="model").fingerprinted(None, [broken, wide]), data.load(make().data), [broken, wide]
        )
    with pytest.raises(InputError, match=r"cannot read absent\.safetensors"):
        make(replicates=1, models=("absent.safetensors",)).fingerprinted(None, ())


def test_units_are_scored_on_what_the_replicate_was_trained_on(make):
    setup = prepare_healthy(make())
    digits = setup.data.train.x.reshape(len(setup.data.train), -1)
    for replicate in range(2):
        examples = scoring_examples(setup, replicate)
        known = {row.tobytes() for row in digits[setup.splits[replicate].train]}
        held_back = {row.tobytes() for row in digits[setup.splits[replicate].validation]} - known
        scored = {row.tobytes() for row in examples.x.reshape(len(examples), -1)}
        assert len(examples) == 150
        assert scored <= known
        assert not scored & held_back
    few = prepare_healthy(make(scoring=5000))
    assert len(scoring_examples(few, 0)) == 1000


def test_ablations(make):
    for kind in ("zero", "mean", "resample"):
        setup = prepare_healthy(make(ablation=kind))
        network = setup.initial(0, np.random.default_rng(0))
        ablation = ablation_of(setup, 0, network, setup.data.test)
        means = setup.engine.activations(network, scoring_examples(setup, 0)).activation.mean(axis=1)
        if kind == "mean":
            np.testing.assert_array_equal(ablation.means, means)
        assert (ablation.means is None) == (kind != "mean")
        assert (ablation.donors is None) == (kind != "resample")
        if ablation.donors is not None:
            assert sorted(ablation.donors) == list(range(300))


def test_the_shapley_values_of_the_evidence_sum_to_what_all_units_are_worth(make):
    setup = prepare_healthy(make())
    network = setup.initial(0, np.random.default_rng(0))
    known = evidence(setup, 0, network)
    nothing = setup.engine.remove_in_order(network, np.arange(13)[None], known.examples).loss[0, -1]
    assert known.shapley().sum() == pytest.approx(nothing - known.knock_out().loss[0])


@pytest.mark.parametrize(
    ("criterion", "message"), [("in-degree", "tells no units of fc1 apart"), ("class-selectivity", None)]
)
def test_criteria_are_tried_before_anything_is_trained(make, criterion, message):
    setup = prepare_healthy(make())
    if message is None:
        try_criteria(setup, [criterion])
        return
    with pytest.raises(InputError, match=message):
        try_criteria(setup, [criterion])
