"""Null networks in the studies of lesions and importance: what they keep, and what the tables say of them."""

from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

import karikomi
from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.graphs.measures.strength import in_degree, in_strength, out_degree
from karikomi.networks import build
from karikomi.removal.orders import in_proportion, order
from karikomi.removal.scores import unit_criterion
from karikomi.statistics import holm
from karikomi.studies import find_study
from karikomi.studies.healthy.networks import load_healthy
from karikomi.studies.healthy.nulls import null_network
from karikomi.studies.healthy.scoring import evidence
from karikomi.studies.healthy.settings import NULLS, null_score
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.stage import Task

SCORES = ("in-strength", "out-strength", "taylor")


@pytest.fixture(scope="module")
def given(tiny):
    base = {"data": tiny, "network": "mlp-8-5", "replicates": 3, "iterations": 40, "batch": 20, "validation": 200}
    return {**base, "criteria": SCORES, "scoring": 150, "validate_every": 20, "learning_rate": 0.01}


def finished(study, settings, tmp_path_factory):
    with mock.patch.object(Result, "draw"):
        return run(find_study(study), settings, out=tmp_path_factory.mktemp("runs") / study, quiet=True)


@pytest.fixture(scope="module")
def lesion(given, tmp_path_factory):
    settings = LesionSettings.of(**given, null=tuple(NULLS), timing=("static", "adaptive"), every=4, orders=3)
    return finished("lesion", settings, tmp_path_factory)


@pytest.fixture(scope="module")
def importance(given, tmp_path_factory):
    settings = ImportanceSettings.of(**given, null=tuple(NULLS), shapley=0, pairs=0)
    return finished("importance", settings, tmp_path_factory)


@pytest.fixture(scope="module")
def trained(lesion):
    """The setup and the healthy network of replicate 1."""
    setup = lesion.study.prepare(lesion.settings)
    return setup, load_healthy(setup, lesion.folder, Task(1))


def test_shuffled_keeps_links_and_weights_of_each_layer(trained):
    setup, healthy = trained
    null = null_network(setup, 1, healthy, "shuffled")
    for name, weight in healthy.weights.items():
        if name in healthy.masks:
            assert sorted(null.weights[name].ravel()) == sorted(weight.ravel())
            assert not np.array_equal(null.weights[name], weight)
        else:
            np.testing.assert_array_equal(null.weights[name], weight)


def test_rewired_keeps_degrees_and_in_strength(trained):
    setup, healthy = trained
    rng = np.random.default_rng(0)
    sparse = healthy.masked({name: rng.random(mask.shape) < 0.4 for name, mask in healthy.masks.items()})
    null = null_network(setup, 1, sparse, "rewired")
    before, after = LayeredGraph.from_subnetwork(sparse), LayeredGraph.from_subnetwork(null)
    for kept in (in_degree, out_degree, in_strength):
        for layer, values in kept(before).items():
            np.testing.assert_allclose(kept(after)[layer], values)
    for name, mask in null.masks.items():
        assert not np.array_equal(mask, sparse.masks[name])
        assert (null.weights[name][~mask] == 0).all()
        assert null.weights[name].dtype == np.float32


def test_untrained_is_the_network_that_was_trained(trained):
    setup, healthy = trained
    initial = setup.initial(1, seeds.stream(setup.settings.seed, "init", 1))
    for name, weight in null_network(setup, 1, healthy, "untrained").weights.items():
        np.testing.assert_array_equal(weight, initial.weights[name])


def test_a_replicates_null_network_is_drawn_once(trained):
    setup, healthy = trained
    for kind in NULLS:
        first, again, other = (null_network(setup, replicate, healthy, kind).weights for replicate in (1, 1, 2))
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_orders_follow_the_scores_of_the_null_network(trained, lesion):
    setup, healthy = trained
    for kind in NULLS:
        scores = unit_criterion("out-strength").function(evidence(setup, 1, null_network(setup, 1, healthy, kind)))
        expected = in_proportion(order(scores, "high", np.random.default_rng(0)), healthy.architecture.layer_of)
        outcomes = setup.engine.remove_in_order(healthy, expected[None], setup.data.test)
        curve = lesion.tables["curves"].query(
            "replicate == 1 and criterion == 'out-strength' and direction == 'high' and timing == 'static'"
            " and control == @kind"
        )
        np.testing.assert_allclose(curve["loss"], outcomes.loss[0], rtol=1e-5)


def test_null_orders_come_beside_the_others_and_change_nothing(lesion, given, tmp_path_factory):
    plain = finished("lesion", lesion.settings.changed(null=()), tmp_path_factory)
    for name in ("table", "curves"):
        ours = lesion.tables[name]
        ours = ours[~ours["control"].isin(NULLS)].reset_index(drop=True)
        pd.testing.assert_frame_equal(ours, plain.tables[name])
    columns = list(plain.tables["scores"])
    assert list(lesion.tables["scores"])[len(columns) :] == [null_score(n, c) for n in NULLS for c in SCORES]
    pd.testing.assert_frame_equal(lesion.tables["scores"][columns], plain.tables["scores"])


def test_the_differences_in_robustness(lesion):
    summary, table = lesion.summary(), lesion.table
    arms = ["criterion", "direction", "timing"]
    found = summary.differences[summary.differences["against"].isin(NULLS)]
    assert len(found) == len(NULLS) * 3 * 2 * 2
    for row in found.itertuples():
        its = table[(table[arms] == [row.criterion, row.direction, row.timing]).all(axis=1)]
        wide = its.pivot_table(index="replicate", columns="control", values="robustness")
        assert row.mean == pytest.approx((wide["targeted"] - wide[row.against]).mean(), abs=1e-12)
        assert not row.low > row.mean > row.high
    by = found.groupby("against")
    np.testing.assert_allclose(by["p_holm"].transform("min"), by["p"].transform(lambda p: holm(p.to_numpy()).min()))
    assert "Robustness, orders by the scores of a null network" in [shown.title for shown in summary.tables]
    static = found.query("against == 'rewired' and criterion == 'in-strength' and timing == 'static'")
    assert (static["mean"] == 0).all()  # rewiring keeps every in-strength


def fisher_z(units, name):
    most = 1 - 6 / (len(units) ** 3 - len(units))  # what a perfect correlation counts as
    return np.arctanh(np.clip(stats.spearmanr(units[name], units["loss_rise"])[0], -most, most))


def test_the_differences_in_correlation(importance):
    nulls, table = importance.summary().nulls, importance.table
    assert nulls[["null", "criterion"]].values.tolist() == [[n, c] for n in NULLS for c in SCORES]
    for row in nulls.itertuples():
        z = {}
        for name in (row.criterion, null_score(row.null, row.criterion)):
            per_layer = table.groupby(["replicate", "layer"], sort=False).apply(
                lambda units, name=name: pd.Series({"z": fisher_z(units, name), "weight": len(units) - 3})
            )
            weighed = (per_layer["z"] * per_layer["weight"]).groupby("replicate").sum()
            z[name] = weighed / per_layer["weight"].groupby("replicate").sum()
        ours, theirs = z.values()
        assert row.mean == pytest.approx((ours - theirs).mean(), abs=1e-9)
        if row.mean != 0:
            assert row.p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
        assert (row.rho, row.null_rho) == pytest.approx(tuple(np.tanh([ours.mean(), theirs.mean()])))
    kept = nulls.query("null == 'rewired' and criterion == 'in-strength'")
    assert kept["mean"].item() == pytest.approx(0)
    assert "Unit importance predicted by the scores of a null network" in [s.title for s in importance.summary().tables]


def test_without_null_networks_nothing_is_said_of_them(importance, tmp_path_factory):
    plain = finished("importance", importance.settings.changed(null=()), tmp_path_factory)
    assert plain.summary().nulls.empty
    assert "null" not in plain.summary().explanation
    assert "Null networks" in importance.summary().explanation


def test_what_has_no_null_network_is_refused():
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 1, 8, 8), np.float32), np.arange(60) % 2
    data = Dataset.from_arrays(x, y, x[:20], y[:20])
    torch.manual_seed(0)
    convolutional = [nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2)) for _ in range(2)]
    quick = {"data": data, "criteria": ["in-l2"], "orders": 2, "quiet": True}
    with pytest.raises(InputError, match="linear layers alone"):
        karikomi.lesion(models=convolutional, null=["rewired"], **quick)
    with pytest.raises(InputError, match="untrained needs networks that are trained here"):
        karikomi.lesion(models=[build("mlp-4", (1, 8, 8), 2)] * 2, null=["untrained"], **quick)
