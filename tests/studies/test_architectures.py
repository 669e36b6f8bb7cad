"""The study of architectures: widths, effects against closed forms, and what a run measures against plain passes."""

from itertools import pairwise
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from karikomi import seeds
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.removal.orders import in_proportion, random_order
from karikomi.runs.checkpoint import read_network
from karikomi.runs.folder import RunFolder
from karikomi.studies import find_study
from karikomi.studies.architectures import stages
from karikomi.studies.architectures.conditions import conditions, perceptron, setup_of
from karikomi.studies.architectures.effects import MEASURES, completed, main_effects, variance_shares
from karikomi.studies.architectures.settings import ArchitecturesSettings
from karikomi.studies.architectures.stages import prepare
from karikomi.studies.architectures.tables import network_file
from karikomi.studies.result import Result
from karikomi.studies.run import run


@given(st.integers(2_000, 300_000), st.integers(1, 8), st.integers(4, 900), st.integers(2, 20))
def test_a_perceptron_has_the_nearest_number_of_parameters(parameters, layers, inputs, classes):
    def size(width: int) -> int:
        widths = [inputs, *layers * [width], classes]
        return sum(a * b + b for a, b in pairwise(widths))

    if parameters < size(1):
        return
    width = int(perceptron(parameters, layers, inputs, classes).rpartition("-")[2])
    nearest = min((max(1, width - 1), width, width + 1), key=lambda w: abs(size(w) - parameters))
    assert abs(size(width) - parameters) == abs(size(nearest) - parameters)
    module = build(perceptron(parameters, layers, inputs, classes), (inputs,), classes)
    assert sum(p.numel() for p in module.parameters()) == size(width)


def test_the_notebooks_shapes_are_solved_for():
    assert [perceptron(p, layers, 784, 10) for p, layers in ((203_530, 1), (59_210, 3), (29_674, 5), (15_178, 10))] == [
        "mlp-256",
        "mlp-64-64-64",
        "mlp-32-32-32-32-32",
        "mlp" + 10 * "-16",
    ]
    with pytest.raises(InputError, match="no room for 2 hidden layers on 784 inputs"):
        perceptron(300, 2, 784, 10)


def made(effect: float = 0.1, noise: float = 0.01) -> pd.DataFrame:
    """A table of two sizes, two depths and two rates, in which four layers lower everything by ``effect``."""
    rng, rows = np.random.default_rng(0), []
    for replicate in range(5):
        for size in (100, 200):
            for layers in (1, 4):
                for rate in (0.0, 0.5):
                    value = 0.8 - effect * (layers == 4) + 0.02 * (size == 200) + noise * rng.normal()
                    row = dict.fromkeys(MEASURES, value) | {"replicate": replicate, "network": f"{size}-{layers}"}
                    rows.append(row | {"parameters": size, "layers": layers, "dropout": rate, "normalization": "none"})
    return pd.DataFrame(rows)


def test_effects_are_paired_differences_of_means_over_the_other_factors():
    table = made()
    found = main_effects(table).query("measure == 'robustness'").set_index(["factor", "at"])
    means = table.groupby(["layers", "replicate"])["robustness"].mean()
    expected = stats.ttest_rel(means[4], means[1])
    interval = expected.confidence_interval(0.95)
    row = found.loc[("layers", 0)]
    assert (row["low"], row["high"], row["p"]) == pytest.approx((interval.low, interval.high, expected.pvalue))
    small = table.query("parameters == 100").groupby(["layers", "replicate"])["robustness"].mean()
    assert found.loc[("layers", 100)]["mean"] == pytest.approx((small[4] - small[1]).mean())
    assert set(found.index) == {("parameters", 0), ("layers", 0), ("layers", 100), ("layers", 200), ("dropout", 0)}


def test_shares_of_variance_are_those_of_a_sum_of_effects():
    shares = variance_shares(made(noise=0)).set_index("factor")["robustness"]
    total = 0.1**2 + 0.02**2  # each factor of two levels contributes its squared difference, over four
    assert shares["layers"] == pytest.approx(0.1**2 / total)
    assert shares["parameters"] == pytest.approx(0.02**2 / total)
    assert shares["dropout"] == pytest.approx(0)
    assert shares["together"] == pytest.approx(0)


@pytest.fixture(scope="module")
def settings(tiny):
    given = {"parameters": (4_000,), "layers": (1, 2), "dropouts": (0.0, 0.5), "normalizations": ("none", "batch")}
    training = {"iterations": 40, "batch": 20, "validation": 200, "validate_every": 20, "replicates": 2, "orders": 2}
    ageing = {"cycles": 2, "death_rate": 0.2, "retraining": 10, "examples": 100}
    return ArchitecturesSettings.of(data=tiny, networks=("mlp-9-6",), **given, **training, **ageing)


@pytest.fixture(scope="module")
def result(settings, tmp_path_factory):
    return run(find_study("architectures"), settings, out=tmp_path_factory.mktemp("run") / "one", quiet=True)


def test_every_condition_has_a_row_per_replicate(settings, result):
    setup = prepare(settings)
    table = result.table
    assert len(conditions(setup)) == 9
    assert len(table) == 18
    assert table[["accuracy", "robustness", "drop", "aged", "retrained"]].notna().all(axis=None)
    sizes = table[table["parameters"] > 0]["size"]
    assert (abs(sizes - 4_000) / 4_000 < 0.08).all()
    assert set(result.tables["curves"].groupby(["network", "dropout", "normalization", "replicate"]).size()) == {21}


def test_robustness_is_that_of_plain_passes_without_the_units(settings, result):
    setup = prepare(settings)
    for condition in conditions(setup):
        own = setup_of(setup, condition)
        module = read_network(network_file(result.folder, 1, condition), own.architecture).module().eval()
        layer_of, rng = own.architecture.layer_of, seeds.stream(settings.seed, "lesions", 1)
        orders = [in_proportion(random_order(len(layer_of), rng), layer_of) for _ in range(2)]
        test = own.data.test
        some = test.take(seeds.stream(settings.seed, "probe").permutation(len(test))[:100])
        x, y = torch.from_numpy(some.x).float() * some.scale, torch.from_numpy(some.y)
        found = []
        for order in orders:
            accuracy = [_accuracy(module, x, y, layer_of, order[:gone]) for gone in range(len(order) + 1)]
            found.append(np.mean([(a - 0.1) / (accuracy[0] - 0.1) for a in accuracy[1:]]))
        row = result.table.query("replicate == 1 and network == @condition.network")
        row = row[(row["dropout"] == condition.dropout) & (row["normalization"] == condition.normalization)]
        assert row["robustness"].item() == pytest.approx(np.mean(found), abs=1e-9)


def _accuracy(module: nn.Module, x: Tensor, y: Tensor, layer_of: np.ndarray, gone: np.ndarray) -> float:
    """Of a plain pass in which the units behind each ReLU are set to 0."""
    left = torch.ones(len(layer_of))
    left[gone.copy()] = 0
    bends = [part for part in module.modules() if isinstance(part, nn.ReLU)]
    hooks = [
        bend.register_forward_hook(lambda *call, keep=left[layer_of == number]: call[2] * keep)
        for number, bend in enumerate(bends)
    ]
    with torch.no_grad():
        right = (module(x).argmax(1) == y).double().mean()
    for hook in hooks:
        hook.remove()
    return float(right)


def test_wherever_a_run_is_stopped_it_goes_on_to_the_same_bits(assert_same_run, settings, result, tmp_path):
    compute, study = stages.measure, find_study("architectures")
    for number in (0, 1, 4):
        left = iter(range(number))

        def stop(*given, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return compute(*given)

        with mock.patch.object(stages, "measure", stop), pytest.raises(KeyboardInterrupt):
            run(study, settings, out=tmp_path, quiet=True)
        half = Result(study, RunFolder.open(tmp_path))
        assert half.summary().headline
    assert len(half.table) == 2 * (0 + 1 + 4)
    with mock.patch.object(Result, "draw"):
        whole = run(study, settings, out=tmp_path, quiet=True)
    assert_same_run(whole.folder, result.folder)


def test_the_answer_and_the_figures(result):
    summary = result.summary()
    assert summary.headline.endswith(".")
    assert set(summary.effects["factor"]) == {"layers", "dropout", "normalization"}
    assert "mlp-9-6" in str(summary)
    assert all(result.figure(name) is not None for name in result.figures)
    assert completed(result.table)["recovered"].notna().all()
    assert result.network(0, arm="mlp-9-6").trained.architecture.units == 15


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"parameters": ()}, "nothing to compare"),
        ({"networks": ("mlpp-3",)}, "mlpp-3"),
        ({"dropouts": (1.0,)}, "between 0 and 1"),
        ({"layers": (0,)}, "whole numbers from 1"),
    ],
)
def test_bad_settings_cost_a_line(given, message):
    with pytest.raises(InputError, match=message):
        ArchitecturesSettings.of(**given)


def test_what_is_done_to_the_data_is_done_once(settings):
    setup = prepare(settings.changed(label_noise=0.3, standardize=True))
    for condition in conditions(setup)[:2]:
        own = setup_of(setup, condition).data
        assert (own.train.y == setup.data.train.y).all()
        assert (own.train.x == setup.data.train.x).all()


def test_robustness_is_that_up_to_the_rate_of_dropout_and_beyond(settings, result):
    table = result.table
    units = table["units"]
    within = (units * 0.5).astype(int)  # removals up to half of the units
    together = within * table["within_rate"] + (units - within) * table["beyond_rate"]
    assert (together / units).to_numpy() == pytest.approx(table["robustness"].to_numpy())
