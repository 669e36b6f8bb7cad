"""The stability study: lines against plain passes, tickets against the lottery's, runs taken up again."""

from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from karikomi import seeds
from karikomi.engines import population, sparse
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.runs.checkpoint import read_network
from karikomi.runs.folder import RunFolder
from karikomi.studies import find_study
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.setup import prepare
from karikomi.studies.stability import stages
from karikomi.studies.stability.line import POINTS, barrier, between, distance, measure
from karikomi.studies.stability.protocol import Past, Start, Step, run_round, start
from karikomi.studies.stability.settings import StabilitySettings
from karikomi.studies.stability.summary import MEASURES, summarize
from karikomi.studies.stability.tables import start_file, ticket_file

STABILITY = find_study("stability")


def quiet(n: int, description: str | None = None) -> None:
    """Tells no progress."""


@pytest.fixture(scope="module")
def settings(tiny):
    training = {"iterations": 40, "batch": 20, "validation": 200, "replicates": 2, "learning_rate": 0.01}
    return StabilitySettings.of(data=tiny, network="mlp-12-8", after=(0, 7), rounds=2, rate=0.4, **training)


@pytest.fixture(scope="module")
def result(settings, tmp_path_factory):
    return run(STABILITY, settings, out=tmp_path_factory.mktemp("run") / "one", quiet=True)


def drawn(name: str, seed: int, shape=(14, 14), density: float = 1.0, **options) -> Subnetwork:
    network = initialize(Architecture(build(name, shape, 10, **options)), "pytorch", np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 100)
    return network.masked({name: rng.random(mask.shape) < density for name, mask in network.masks.items()})


def loaded(module: nn.Module, weights) -> nn.Module:
    module.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
    return module.eval()


@pytest.mark.parametrize("engine", [population, sparse])
def test_a_line_is_that_of_plain_passes(settings, engine):
    data = prepare(settings).data
    a, b = drawn("mlp-12-8", 0, density=0.5), drawn("mlp-12-8", 1, density=0.5)
    found = measure(engine, a, b, data.train.take(np.arange(50)), data.test)
    x, y = torch.from_numpy(data.test.x).float() * data.test.scale, torch.from_numpy(data.test.y)
    module = build("mlp-12-8", (14, 14), 10)
    for place, share in enumerate(np.linspace(0, 1, 30)):
        loaded(module, {name: (1 - share) * w + share * b.weights[name] for name, w in a.weights.items()})
        with torch.no_grad():
            outputs = module(x)
        assert found.loss[place] == pytest.approx(nn.functional.cross_entropy(outputs, y).item(), rel=1e-5)
        assert found.error[place] == pytest.approx((outputs.argmax(1) != y).double().mean().item(), abs=1e-9)


def test_the_ends_of_a_line_are_its_networks_and_links_of_either_are_on_it():
    a, b = drawn("mlp-6-5", 0, density=0.3), drawn("mlp-6-5", 1, density=0.3)
    line = between(a, b)
    for name, mask in a.masks.items():
        assert (line[0].weights[name] == a.weights[name]).all()
        assert (line[-1].weights[name] == b.weights[name]).all()
        assert (line[9].masks[name] == (mask | b.masks[name])).all()
        assert (line[9].weights[name][~line[9].masks[name]] == 0).all()
    assert distance(a, b) == pytest.approx(sum(distance(p, q) for p, q in pairwise(line)), rel=1e-5)
    assert distance(a, a) == 0


def test_the_barrier_is_the_highest_point_over_the_mean_of_the_ends():
    heights = 0.1 + 0.2 * POINTS + 0.4 * POINTS * (1 - POINTS)
    assert barrier(heights) == pytest.approx(heights.max() - 0.2)
    assert barrier([0.5, 0.5, 0.5]) == 0


@pytest.mark.parametrize("examples", [300, 1200])
def test_statistics_of_normalization_are_those_that_pytorch_estimates_anew(settings, examples):
    network = drawn("mlp-12-8", 0, normalization="batch", dropout=0.3)
    seen = prepare(settings).data.train.take(np.arange(examples))
    [found] = population.reestimated([network], seen)
    module = loaded(build("mlp-12-8", (14, 14), 10, normalization="batch"), network.weights)
    update_bn((torch.from_numpy(seen.x).float() * seen.scale).split(500), module)
    for name, value in module.state_dict().items():
        np.testing.assert_allclose(found.weights[name], value.numpy(), rtol=1e-5, atol=1e-6)


def test_networks_without_statistics_stay_as_they_are(settings):
    networks = [drawn("mlp-6-5", 0)]
    assert population.reestimated(networks, prepare(settings).data.train) is networks


def test_tickets_from_the_start_are_those_of_the_lottery(settings, result, small, tmp_path):
    same = {"network": "mlp-12-8", "iterations": 40, "learning_rate": 0.01, "rounds": 2, "arms": ("ticket",)}
    lottery = find_study("lottery")
    with mock.patch.object(Result, "draw"):
        other = run(lottery, small(**same, engine="auto"), out=tmp_path / "lottery", quiet=True)
    for replicate in range(2):
        for number in range(3):
            ours = result.network(replicate, arm="after-0", round=number)
            theirs = other.network(replicate, round=number)
            assert all((ours.masks[name] == mask).all() for name, mask in theirs.masks.items())
            for name, initial in theirs.past["initial"].items():
                assert (ours.past["initial"][name] == initial).all()
                assert (ours.trained.weights[name] == theirs.past["final"][name]).all()


def test_tickets_are_rewound_to_the_weights_after_k_iterations(settings, result):
    setup = prepare(settings)
    for replicate in range(2):
        network = setup.initial(replicate, seeds.stream(settings.seed, "init", replicate))
        recipe = replace(settings.recipe(), iterations=7, validate_every=7)
        [trained] = setup.engine.train([setup.trial(network, replicate)], setup.data, recipe)
        begun = read_network(start_file(result.folder, replicate, 7)).trained
        ticket = read_network(ticket_file(result.folder, replicate, 7, 2))
        for name, weight in trained.final.weights.items():
            assert (begun.weights[name] == weight).all()
            mask = ticket.masks.get(name, np.ones(weight.shape, bool))
            assert (ticket.past["initial"][name] == np.where(mask, weight, 0)).all()
        assert ticket.trained.density == pytest.approx(0.6**2, abs=0.01)


def test_no_order_no_barrier(settings):
    """Where a minibatch is the whole training set all orders are one, and the twins are the same but for rounding."""
    whole = settings.changed(batch=1000, iterations=8, rounds=0, optimizer="sgd", learning_rate=0.05)
    setup = prepare(whole)
    for after in (0, 3):
        begun = start(setup, quiet, after, {0: None})
        [one] = run_round(setup, quiet, Step(after, 0), {0: Past(begun[0], None)})
        assert one.rows[0]["distance"] < 1e-4
        assert one.rows[0]["error_barrier"] < 0.01
    assert one.parent is None


def test_networks_of_two_initializations_have_a_barrier(settings):
    """The positive control: twins of one start do not, trained alike."""
    setup = prepare(settings.changed(iterations=300, rounds=0, after=(0,)))
    initial = [setup.initial(0, seeds.stream(0, "init", k)) for k in (0, 1)]
    recipe = setup.settings.recipe()
    apart = setup.engine.train([setup.trial(network, 0) for network in initial], setup.data, recipe)
    line = measure(setup.engine, apart[0].final, apart[1].final, setup.data.train, setup.data.test)
    [twins] = run_round(setup, quiet, Step(0, 0), {0: Past(Start(initial[0], None), None)})
    assert barrier(line.error) > 0.1 > twins.rows[0]["error_barrier"]
    assert distance(apart[0].final, apart[1].final) > twins.rows[0]["distance"]


def test_the_optimizer_and_its_schedule_go_on_where_the_start_stopped(settings):
    """K iterations and the rest are as many in one go, if the order is the same: here each minibatch is everything."""
    whole = settings.changed(batch=1000, iterations=10, rounds=1, learning_rate_schedule="cosine", engine="population")
    setup = prepare(whole)
    found = {}
    for after in (0, 6):
        begun = start(setup, quiet, after, {0: None})
        assert isinstance(begun[0], Start)
        [one] = run_round(setup, quiet, Step(after, 0), {0: Past(begun[0], None)})
        assert one.parent is not None
        found[after] = one.parent.trained.weights
    for name, weight in found[0].items():
        np.testing.assert_allclose(found[6][name], weight, atol=2e-4)


def test_every_pair_has_a_row_and_its_line(settings, result):
    table, lines = result.table, result.tables["lines"]
    assert table.groupby("pair").size().to_dict() == {"twins": 12, "neighbours": 8}
    assert len(lines) == 30 * len(table)
    key = ["replicate", "after", "round", "pair"]
    for where, line in lines.groupby(key):
        row = table.set_index(key).loc[where]
        assert row["error_barrier"] == barrier(line["error"].to_numpy())
        assert row["loss_barrier"] == barrier(line["loss"].to_numpy())
        assert row["highest_error"] == line["error"].max()
    assert (table[table["pair"] == "twins"]["distance"] > 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"engine": "population", "normalization": "batch", "dropout": 0.2, "scope": "global"},
        {"network": "lenet-5", "augment": ("shift",), "rounds": 1, "iterations": 10, "after": (2,)},
    ],
    ids=["sparse", "population", "convolutions"],
)
def test_wherever_a_run_is_stopped_it_goes_on_to_the_same_bits(assert_same_run, settings, changes, tmp_path):
    given = settings.changed(**changes)
    with mock.patch.object(Result, "draw"):
        whole = run(STABILITY, given, out=tmp_path / "whole", quiet=True)
    for number in (0, 1):
        left = iter(range(number))

        def stop(*told, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return run_round(*told)

        with mock.patch.object(stages, "run_round", stop), pytest.raises(KeyboardInterrupt):
            run(STABILITY, given, out=tmp_path / "half", quiet=True)
        assert Result(STABILITY, RunFolder.open(tmp_path / "half")).summary().headline
    with mock.patch.object(Result, "draw"):
        resumed = run(STABILITY, given, out=tmp_path / "half", quiet=True)
    assert_same_run(resumed.folder, whole.folder)
    assert np.isfinite(whole.table[MEASURES]).all(axis=None)


def made(barriers) -> pd.DataFrame:
    rows = []
    for number, values in enumerate(barriers):
        for replicate, value in enumerate(values):
            where = {"replicate": replicate, "after": 100 * number, "round": 0, "pair": "twins", "density": 1.0}
            rows.append({**where, **dict.fromkeys(MEASURES, value)})
    return pd.DataFrame(rows)


def test_verdicts_ask_whether_the_interval_ends_before_two_points(settings):
    table = made([[0.001, 0.002, 0.003, 0.002], [0.01, 0.03, 0.02, 0.022], [0.2, 0.21, 0.19, 0.22]])
    found = summarize({"table": table}, settings).verdicts
    assert found["verdict"].tolist() == ["stable", "not shown", "unstable"]
    single = summarize({"table": made([[0.001]])}, settings)
    assert single.verdicts["verdict"].tolist() == ["not shown"]
    assert "not shown to be stable" in single.headline


def test_the_answer_the_figures_and_the_comparison(result, assert_comparable):
    summary = result.summary()
    assert "K" in str(summary)
    assert set(summary.means["pair"]) == {"twins", "neighbours"}
    assert all(result.figure(name) is not None for name in result.figures)
    assert_comparable(result)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"after": (0, 40), "iterations": 40}, r"after must lie between 0 and iterations \(40\), below it; it is 40"),
        ({"after": (-1,)}, "it is -1"),
        ({"after": ()}, "at least one"),
        ({"rate": 1.0}, "rate"),
    ],
)
def test_bad_settings_cost_a_line(given, message):
    with pytest.raises(InputError, match=message):
        StabilitySettings.of(**given)


def test_epochs_that_are_too_few_cost_a_line(settings):
    with pytest.raises(InputError, match=r"between 0 and iterations \(50\), below it; it is 60"):
        prepare(settings.changed(after=(60,), epochs=1))
