"""When a criterion acts, how many links layers keep, and several chains of prunings in one run."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from karikomi import seeds
from karikomi.engines import population
from karikomi.errors import InputError
from karikomi.removal.allocation import erdos_renyi_kernel, lamp
from karikomi.removal.masks import remove_links
from karikomi.runs.journal import Journal
from karikomi.studies import find_study
from karikomi.studies.comparison import compare
from karikomi.studies.lottery.protocol import run_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.setup import prepare

WITHOUT_TIME = ["seconds"]


def play(settings):
    """All rounds in memory: the tickets by replicate, round and variant, and all rows."""
    setup, tickets, rows = prepare(settings), {}, []
    for number in range(settings.rounds + 1):
        for outcome in run_round(setup, number, range(settings.replicates), lambda *which: tickets[which]):
            rows.append(outcome.row)
            if outcome.ticket is not None:
                tickets[outcome.row["replicate"], number, outcome.row.get("variant", "")] = outcome.ticket
    return setup, tickets, rows


def lowest_are_gone(masks, scores):
    return all(scores[name][~mask].max() <= scores[name][mask].min() for name, mask in masks.items())


def test_snip_prunes_each_density_from_the_untrained_network(small):
    settings = small(criterion="snip", replicates=1, rounds=2)
    setup, tickets, _ = play(settings)
    dense = tickets[0, 0, ""]
    start = replace(dense.trained, weights=dense.past["initial"])
    known = seeds.stream(0, "scoring", 0).permutation(setup.splits[0].train)
    slopes = population.gradients(start, setup.data.train.take(known[:2000]))
    sensitivity = {name: np.abs(start.weights[name] * slopes[name]) for name in start.masks}
    for number in (1, 2):
        assert lowest_are_gone(tickets[0, number, ""].masks, sensitivity)
        assert tickets[0, number, ""].trained.density == pytest.approx(0.6**number, abs=0.01)


def test_a_criterion_acts_where_it_is_told(small):
    settings = small(replicates=1, rounds=1)
    _, tickets, _ = play(settings)
    initial, final = (tickets[0, 0, ""].past[state] for state in ("initial", "final"))
    _, early, _ = play(small(replicates=1, rounds=1, when=20))
    _, stopped, _ = play(small(replicates=1, rounds=1, iterations=20))
    states = {"end": final, "start": initial, 20: stopped[0, 0, ""].past["final"]}
    for when, weights in states.items():
        _, found, _ = play(small(replicates=1, rounds=1, when=when)) if when != 20 else (0, early, 0)
        ticket = found[0, 1, ""]
        assert lowest_are_gone(ticket.masks, {name: np.abs(weights[name]) for name in ticket.masks})
        for name, mask in ticket.masks.items():  # rewound to the start all the same
            assert (ticket.past["initial"][name][mask] == initial[name][mask]).all()


def test_synflow_prunes_a_hundred_times_without_training_between(small):
    settings = small(criterion="synflow", replicates=1, rounds=1, rate=0.9, scope="global")
    calls, real = [], population.synaptic_flow

    def counted(network, shape, **more):
        calls.append(network.links)
        return real(network, shape, **more)

    with mock.patch.object(population, "synaptic_flow", counted):
        play(settings)
        assert len(calls) == 100
        np.testing.assert_allclose(np.divide(calls[1:], calls[:-1]), 0.1 ** (1 / 100), rtol=0.02)
        calls.clear()
        play(settings.changed(prunings=3))
    assert len(calls) == 3


def test_a_rewound_network_trains_the_iterations_that_are_left(small):
    """T − k of them (Frankle et al. 2020), counted from the start of the dense network's training."""
    settings = small(rewind=25, rounds=1, replicates=1, validate_every=10)
    setup = prepare(settings)
    with mock.patch.object(setup.engine, "train", side_effect=setup.engine.train) as train:
        tickets, curves = {}, []
        for number in (0, 1):
            [outcome, *_] = run_round(setup, number, [0], lambda *which: tickets[which])
            tickets[0, number, ""] = outcome.ticket
            curves.append(outcome.curve["iteration"])
    assert [call.args[2].iterations for call in train.call_args_list] == [60, 35]
    assert curves == [[10, 20, 30, 40, 50, 60], [35, 45, 55, 60]]
    assert outcome.row["early_stop_iteration"] in curves[1]


def test_learning_rate_rewinding_starts_the_schedule_again_and_fine_tuning_does_not(small):
    settings = small(rewind=["none", "lr"], rounds=1, replicates=1, learning_rate_schedule="cosine")
    setup, tickets, _ = play(settings)
    trained = tickets[0, 0, ""].past["final"]
    for label in ("rewind none", "rewind lr"):
        ticket = tickets[0, 1, label]
        assert all((ticket.past["initial"][n][m] == trained[n][m]).all() for n, m in ticket.masks.items())
    rates = []
    with mock.patch.object(setup.engine, "train", side_effect=setup.engine.train) as train:
        run_round(setup, 1, [0], lambda *which: tickets[which])
        rates = [call.args[2].rates for call in train.call_args_list]
    dense = settings.recipe().rates
    np.testing.assert_array_equal(rates[0], np.full(60, dense[-1]))
    np.testing.assert_array_equal(rates[1], dense)
    with pytest.raises(InputError, match="rewind names 20 twice"):
        small(rewind=[20, 20])


@pytest.mark.parametrize("allocation", ["uniform", "erk", "lamp", "global", "layer"])
def test_allocations(small, allocation):
    _, tickets, _ = play(small(replicates=1, rounds=2, allocation=allocation))
    dense, ticket = tickets[0, 0, ""], tickets[0, 2, ""]
    counts = {name: int(mask.sum()) for name, mask in ticket.masks.items()}
    total = round(0.6**2 * dense.trained.links)
    assert sum(counts.values()) == pytest.approx(total, abs=1 if allocation == "layer" else 0)
    before = tickets[0, 1, ""]
    size = {name: np.abs(before.past["final"][name]) for name in ticket.masks}
    if allocation in ("uniform", "erk", "layer"):
        share = erdos_renyi_kernel(dense.masks, total) if allocation == "erk" else None
        for name, mask in ticket.masks.items():
            assert counts[name] == (share[name] if share else pytest.approx(0.36 * mask.size, abs=1))
    else:
        competing = lamp(before.masks, size) if allocation == "lamp" else size
        expected = remove_links(before.masks, competing, total, np.random.default_rng(0))
        assert all((expected[name] == mask).all() for name, mask in ticket.masks.items())


def test_densities_by_layer_are_those_of_the_last_round(small):
    _, tickets, _ = play(small(replicates=1, rounds=2, layer_densities=[0.01, 0.25, 1], arms=("ticket", "shuffled")))
    for number, share in ((1, 0.5), (2, 1.0)):
        for density, mask in zip((0.01, 0.25, 1), tickets[0, number, ""].masks.values(), strict=True):
            assert mask.sum() == round(mask.size * density**share)


def test_a_variant_in_company_is_the_run_alone_to_the_bit(small):
    """The sparse engine trains every network by itself, and all streams go by replicate and round alone."""
    common = {"engine": "sparse", "rounds": 2, "arms": ("ticket", "reinit", "shuffled", "random")}
    variants = {"criteria": ["magnitude", "snip"], "rewind": [0, 20, "lr"], "allocations": ["layer", "erk"]}
    _, together, rows = play(small(**common, **variants))
    settings = small(**common, **variants)
    assert [variant.label for variant in settings.variants][:4] == [
        "magnitude, rewind 0, layer",
        "magnitude, rewind 0, erk",
        "magnitude, rewind 20, layer",
        "magnitude, rewind 20, erk",
    ]
    for criterion, rewind, allocation, label in settings.variants:
        _, alone, own = play(small(**common, criterion=criterion, rewind=rewind, allocation=allocation))
        for (replicate, number, _), ticket in alone.items():
            beside = together[replicate, number, label if number else ""]
            for name, weights in ticket.trained.weights.items():
                assert (beside.trained.weights[name] == weights).all()
        shared = [row for row in rows if row["variant"] in ("", label)]
        assert [without(row) for row in own] == [without(row) for row in shared]


def without(row):
    return {key: value for key, value in row.items() if key not in ("variant", "seconds")}


def test_dense_networks_are_trained_once(small):
    _, _, rows = play(small(criteria=["magnitude", "random", "movement"], rewind=[0, 20], rounds=1))
    assert [row["variant"] for row in rows if row["arm"] == "dense"] == ["", ""]
    assert len({row["variant"] for row in rows}) == 1 + 6


def test_what_is_cut_off_is_in_the_table(small):
    _, _, rows = play(small(criterion="small-final", allocation="global", rounds=1, rate=0.995, replicates=1))
    cut = {row["arm"]: row.get("cut_off") for row in rows}
    assert cut["dense"] is None
    assert "output" in cut["ticket"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"criterion": "large-init"}, "unknown criterion 'large-init'"),
        ({"criteria": ["magnitude", "snap"]}, "unknown criterion 'snap'; did you mean 'snip'"),
        ({"criteria": ["magnitude", "large-final"]}, "criteria names magnitude twice"),
        ({"criteria": []}, "criteria needs at least one value"),
        ({"rewind": []}, "rewind needs at least one value"),
        ({"criterion": "snip", "criteria": ["random"]}, "either criterion or criteria, not both"),
        ({"allocation": "erk", "allocations": ["lamp"]}, "either allocation or allocations, not both"),
        ({"allocation": "erk", "output_rate": "half"}, "output_rate half needs scope layer and allocation layer"),
        ({"allocation": "erk", "scope": "global"}, "other allocations need scope layer"),
        ({"layer_densities": [1.2, 1, 1]}, "at most at 1, the links there are; they are 1.2 1 1"),
        ({"layer_densities": [0.1, 1, 1], "allocation": "erk"}, "give them without allocation"),
        ({"when": 60}, "when must lie between 1 and 59"),
        ({"rewind": 60}, "rewind must lie between 0 and 59"),
        ({"prunings": 4}, "prunings needs a criterion that acts before the end of training"),
    ],
)
def test_what_is_wrong_costs_one_line(small, given, message):
    with pytest.raises(InputError, match=message) as refused:
        small(**given)
    assert "\n" not in str(refused.value)


def test_what_cannot_be_measured_is_refused_before_anything_is_written(small, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Steps(nn.Linear):\n"
        "    def forward(self, x):\n        return (super().forward(x.flatten(1)) > 0).float()\n"
        "def steps():\n    return Steps(196, 10)\n"
    )
    for given, message in (
        ({"criterion": "snip", "network": f"{tmp_path}/net.py:steps"}, "has no gradient that this criterion needs"),
        ({"criterion": "wanda", "network": "gru"}, "multiplies cannot be told"),
        ({"layer_densities": [0.1, 1]}, r"one value per layer, 3 \(fc1.weight, fc2.weight, output.weight\); it has 2"),
    ):
        with pytest.raises(InputError, match=message):
            run(find_study("lottery"), small(**given), out=tmp_path / "run", quiet=True)
        assert not (tmp_path / "run").exists()


def test_lamp_with_scores_below_0_costs_one_line(small):
    with pytest.raises(InputError, match="allocation lamp needs scores from 0 up"):
        play(small(criterion="magnitude-increase", allocation="lamp", replicates=1, rounds=1))


def test_names_of_others_are_the_same_run(small):
    assert small(criterion="large-initial") == small(criterion="initial-magnitude")
    assert small(rewind=0) == small(rewind=[0]) == small()
    assert LotterySettings().model_dump()["rewind"] == 0, "as in the identity of earlier runs"


def test_a_run_of_several_is_drawn_stopped_resumed_and_compared(small, tmp_path, assert_same_run):
    settings = small(criteria=["magnitude", "synflow"], rewind=[0, 20], rounds=2, prunings=2)
    whole = run(find_study("lottery"), settings, out=tmp_path / "whole", quiet=True)
    names = {path.stem for path in (whole.folder.path / "figures").iterdir()}
    assert {"variants", "accuracy", "learning_curves", "links_per_unit"} <= names
    append = Journal.append

    def stop(journal, record):
        append(journal, record)
        raise KeyboardInterrupt

    with mock.patch.object(Journal, "append", stop):
        for _ in range(settings.rounds + 1):
            with pytest.raises(KeyboardInterrupt):
                run(find_study("lottery"), settings, out=tmp_path / "stopped", quiet=True)
    with mock.patch.object(Result, "draw"):
        resumed = run(find_study("lottery"), settings, out=tmp_path / "stopped", quiet=True)
    assert_same_run(resumed.folder, whole.folder)
    label = "synflow, rewind 20"
    assert whole.network(1, round=2, variant=label).provenance["variant"] == label
    with pytest.raises(InputError, match="several networks"):
        whole.network(1, round=2)
    assert list(whole.summary().comparison["variant"].unique())[-1] == label
    with mock.patch.object(Result, "draw"):
        alone = run(find_study("lottery"), small(rounds=2), out=tmp_path / "alone", quiet=True)
    assert (compare(whole, whole_again(whole)).differences["mean"] == 0).all()
    found = compare(whole, alone).differences
    assert set(found["variant"]) == {"", *(variant.label for variant in settings.variants)}
    assert found.query("variant == 'magnitude, rewind 0'")["mean"].abs().max() < 0.01, "but for the last bits"


def whole_again(result):
    """The same run as if it were another one."""
    folder = mock.Mock(path=result.folder.path, settings={**result.folder.settings, "seed": 1})
    return mock.Mock(study=result.study, folder=folder, tables=result.tables)


def test_figures_of_one_variant_alone_are_none(small, tmp_path):
    with mock.patch.object(Result, "draw"):
        result = run(find_study("lottery"), small(rounds=1), out=tmp_path / "run", quiet=True)
    assert result.figure("variants") is None
