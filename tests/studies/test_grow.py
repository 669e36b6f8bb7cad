"""The study of growing networks: what the arms share, what they do not, and the answer."""

import json
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from karikomi.errors import InputError
from karikomi.runs.checkpoint import read_network
from karikomi.studies import find_study
from karikomi.studies.grow import protocol, summary, tickets
from karikomi.studies.grow.settings import GrowSettings
from karikomi.studies.grow.stages import prepare
from karikomi.studies.result import Result
from karikomi.studies.run import run

SMALL = {"network": "mlp-24-12", "iterations": 60, "batch": 20, "validation": 200, "validate_every": 20}
SMALL |= {"densities": (0.3, 0.1), "every": 10, "replicates": 2, "ticket_rate": 0.5, "observations": 3}


@pytest.fixture(scope="module")
def small(tiny):
    return lambda **changes: GrowSettings.of(data=tiny, **{**SMALL, **changes})


@pytest.fixture(scope="module")
def result(small, tmp_path_factory):
    with mock.patch.object(Result, "draw"):
        return run(find_study("grow"), small(), out=tmp_path_factory.mktemp("grow") / "run", quiet=True)


def networks(result, density, replicate=0):
    saved = {tuple(one.where.values()): one.path for one in result.study.saved(result.folder)}
    arms = result.table.loc[result.table["density"] == density, "arm"].unique()
    return {arm: read_network(saved[replicate, arm, density]).trained for arm in arms}


def test_every_arm_is_there_once_with_as_many_links_in_every_layer(result):
    assert len(result.table) == 2 * (1 + 2 * 6)
    for density in (0.3, 0.1):
        sparse = networks(result, density)
        whole = sparse.pop("dense-matched")
        assert whole.density == 1
        counts = {arm: [mask.sum() for mask in network.masks.values()] for arm, network in sparse.items()}
        assert all(count == counts["static"] for count in counts.values())
        assert sparse["static"].density == pytest.approx(density, abs=1e-3)


def test_what_stays_has_its_start_and_what_grows_leaves_it(result, small):
    new = result.table.set_index(["density", "arm"])["new"].groupby(level=["density", "arm"]).mean()
    assert (new.xs("static", level="arm") == 0).all()
    assert (new.xs("ticket", level="arm") == 0).all()
    assert (new[new.index.get_level_values("arm").isin(["set", "rigl", "cht"])] > 0.1).all()
    setup = prepare(small())
    for entry in protocol.entries_at(setup, 0.3, 1, None):
        whole = protocol.dense_network(setup, 1)
        if entry.arm in ("static", "set", "rigl", "cht"):
            static = networks(result, 0.3, replicate=1)["static"]
            for name, mask in entry.network.masks.items():
                assert (mask == static.masks[name]).all(), "one start for all"
                assert (entry.network.weights[name][mask] == whole.weights[name][mask]).all()


def test_the_ways_to_the_tickets_are_pruned_by_magnitude_round_by_round(result, small):
    setup = prepare(small())
    rounds = tickets.rounds_of(setup)
    totals = [sum(links.values()) for links in rounds]
    shares = np.divide(totals[1:], totals[:-1])
    assert (shares > 0.49).all()
    assert (shares < 1).all()
    for density, number in tickets.last_rounds(setup).items():
        assert rounds[number] == protocol.links_of(setup)[density]
    dense = networks(result, 1.0)["dense"]
    masks = tickets.pruned(setup, 0, 1, dense)
    for name, mask in masks.items():
        sizes = np.abs(dense.weights[name])
        assert mask.all() or sizes[~mask].max() <= sizes[mask].min()


def test_dense_networks_are_trained_where_they_are_asked_for(small, tmp_path):
    with mock.patch.object(Result, "draw"):
        found = run(find_study("grow"), small(arms=("static", "rigl")), out=tmp_path / "run", quiet=True)
    assert set(found.table["arm"]) == {"static", "rigl"}
    assert found.summary().headline.startswith("Static") or "static" in found.summary().headline
    assert "dense" in small(arms=("ticket",)).arms


def test_budgets(small):
    steps, arithmetic = small(), small(budget="arithmetic", arms=("static",))
    assert protocol.steps_of(steps, "rigl", 0.1) == 60
    assert protocol.steps_of(steps, "dense-matched", 0.1) == 6
    assert protocol.steps_of(arithmetic, "static", 0.1) == 600
    assert protocol.steps_of(arithmetic, "dense", 1.0) == 60


def test_arithmetic_is_what_the_budget_says(result):
    cells = summary.by_replicate(result.tables)["arithmetic"].groupby(["density", "arm"]).mean()
    for density in (0.3, 0.1):
        assert cells[density].to_numpy() == pytest.approx(density, rel=0.01)
    assert cells[1.0, "dense"] == 1


def test_the_wiring_is_measured_on_the_way(result):
    graphs, layers = result.tables["graphs"], result.tables["layers"]
    assert set(graphs["iteration"]) == {0, 20, 40, 60}
    assert set(graphs["arm"]) == {"ticket", "static", "set", "rigl", "cht"}
    assert (graphs.query("iteration == 0")["new"] == 0).all()
    assert (layers["alive"] <= layers["units"]).all()
    last = layers.query("iteration == 60 and arm == 'rigl' and density == 0.1 and replicate == 0").set_index("layer")
    masks = list(networks(result, 0.1)["rigl"].masks.values())
    assert last.loc["output", "alive"] == masks[-1].any(axis=1).sum()
    weights = np.abs(networks(result, 0.1)["rigl"].weights["fc1.weight"]).sum(axis=1)
    assert last.loc["fc1", "in_strength_median"] == pytest.approx(np.median(weights), rel=1e-5)


def test_the_answer_compares_by_replicate_and_says_so(result, assert_comparable):
    found = result.summary()
    pairs = found.differences[["arm", "against"]].drop_duplicates()
    assert ("rigl", "static") in set(pairs.itertuples(index=False, name=None))
    assert "static" in found.headline.lower()
    wide = result.table.set_index(["density", "arm", "replicate"])["final_test_accuracy"].sort_index()
    row = found.differences.query(
        "density == 0.1 and arm == 'rigl' and against == 'static' and measure == 'final_test_accuracy'"
    ).iloc[0]
    assert row["mean"] == pytest.approx((wide[0.1, "rigl"] - wide[0.1, "static"]).mean())
    assert_comparable(result)


def test_the_headline_names_what_is_shown():
    shown = [
        ("set", "static", 0.1, 0.01, 0.001),
        ("rigl", "static", 0.1, 0.02, 0.001),
        ("cht", "static", 0.1, 0.02, 0.5),
        ("set", "static", 0.01, 0.01, 0.001),
        ("rigl", "static", 0.01, 0.02, 0.001),
        ("cht", "static", 0.01, 0.02, 0.01),
        ("set", "ticket", 0.1, -0.01, 0.01),
    ]
    columns = ["arm", "against", "density", "mean", "p_holm"]
    table = pd.DataFrame(shown, columns=columns).assign(measure="final_test_accuracy")
    table["verdict"] = [summary.answer.verdict(*row) for row in table[["mean", "p_holm"]].to_numpy()]
    told = summary.answer.in_a_sentence(table)
    assert told == "Static is beaten by set and rigl at every density, cht at 1 %; nothing is shown to beat ticket."


def test_with_equal_arithmetic_the_dense_network_is_matched_already():
    settings = GrowSettings.of(budget="arithmetic")
    assert set(GrowSettings().arms) - set(settings.arms) == {"dense-matched"}
    assert settings.changed(replicates=2).arms == settings.arms


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"densities": (1.5,)}, "densities lie between 0 and 1; they are 1.5"),
        ({"budget": "arithmetic", "arms": ("static", "dense-matched")}, "leave dense-matched out"),
        ({"layer_densities": (0.1, 0.0)}, "layer_densities lie above 0"),
    ],
)
def test_settings_that_mean_nothing_cost_one_line(small, wrong, message):
    with pytest.raises(InputError, match=message) as refused:
        small(**wrong)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"network": "modular-2-9-12-9"}, "grow begins with random wiring, and modular-2-9-12-9 has its own"),
        ({"densities": (0.0001,)}, "no link is left in"),
        ({"layer_densities": (0.1, 0.2)}, "layer_densities must be 3 numbers, one for each of fc1.weight"),
    ],
)
def test_what_does_not_fit_the_network_costs_one_line(small, wrong, message):
    with pytest.raises(InputError, match=message):
        prepare(small(**wrong))


def test_the_journal_is_json_and_the_figures_are_drawn(result):
    for record in result.folder.journal.records():
        json.dumps(record, allow_nan=False)
    drawn = {name: entry.function(result) for name, entry in result.study.figures.items()}
    assert all(chart.to_dict() for chart in drawn.values())
