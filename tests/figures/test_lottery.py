from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.figures import lottery
from karikomi.figures.fitted import drawn as laid_out
from karikomi.figures.theme import styled
from karikomi.studies.lottery import pictures
from karikomi.studies.result import Result


def rows(chart) -> pd.DataFrame:
    """All data of a chart."""
    return pd.concat([pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()], ignore_index=True)


@pytest.mark.parametrize(
    ("measure", "factor"),
    [("test_accuracy", 100), ("train_accuracy", 100), ("early_stop_iteration", 1), ("test_loss", 1)],
)
def test_the_chart_holds_the_tables_numbers(arms, measure, factor):
    drawn = rows(lottery.against_density(arms, measure))
    table = arms[arms["measure"] == measure]
    assert len(drawn) == len(table)
    by = ["arm", "left"]
    table = table.assign(
        left=100 * table["density"],
        arm=table["arm"].map(
            {
                "dense": "dense network",
                "ticket": "ticket",
                "reinit": "re-initialized",
                "shuffled": "shuffled mask",
                "random": "random removal",
                "signed-reinit": "re-initialized, signs kept",
                "constant": "signed constants",
                "reshuffled-weights": "weights reshuffled",
                "inverted": "highest removed",
                "frozen": "removed weights frozen",
                "layerwise-random": "random in each layer",
                "supermask": "supermask",
                "noise-0.5": "noise of 0.5 σ",
                "noise-1": "noise of 1 σ",
                "noise-2": "noise of 2 σ",
                "noise-3": "noise of 3 σ",
                "transferred": "transferred ticket",
                "transferred-reinit": "transferred, re-initialized",
                "transferred-random": "transferred, random mask",
            }
        ),
    )
    drawn, table = drawn.sort_values(by), table.sort_values(by)
    assert list(drawn["arm"]) == list(table["arm"])
    np.testing.assert_allclose(drawn["left"], table["left"], rtol=1e-5)
    for column in ("mean", "low", "high"):
        np.testing.assert_allclose(drawn[column].astype(float), factor * table[column], rtol=1e-5)


def test_density_falls_to_the_right_with_ticks_where_the_networks_are(arms):
    layers = lottery.accuracy(arms).to_dict()["layer"]
    x = next(layer["encoding"]["x"] for layer in layers if "x" in layer["encoding"])
    assert x["scale"]["type"] == "log"
    assert x["scale"]["reverse"]
    np.testing.assert_allclose(x["axis"]["values"], 100 * np.sort(arms["density"].unique())[::-1], rtol=1e-6)


def test_the_dense_network_spans_the_whole_width(arms):
    """Without an x, Vega-Lite draws a rule and a rectangle from edge to edge."""
    layers = lottery.accuracy(arms).to_dict()["layer"]
    marks = {layer["mark"]["type"]: layer for layer in layers}
    assert "x" not in marks["rule"]["encoding"]
    assert "x" not in marks["rect"]["encoding"]
    assert "x" in marks["line"]["encoding"]


def test_without_intervals_there_are_nulls_and_no_band(arms):
    one = arms.assign(low=np.nan, high=np.nan, replicates=1)
    drawn = rows(lottery.accuracy(one))
    assert drawn["low"].isna().all()
    assert drawn["mean"].notna().all()


def test_a_measure_that_is_not_there_is_named(arms):
    with pytest.raises(InputError, match="no rows of test_loss"):
        lottery.against_density(arms[arms["measure"] != "test_loss"], "test_loss")


def test_learning_curves_are_means_over_replicates_with_t_intervals(curves):
    drawn = rows(lottery.learning_curves(curves[curves["round"].isin((0, 4))]))
    for arm, label, number in (("ticket", "ticket", 4), ("reinit", "re-initialized", 4), ("dense", "dense network", 0)):
        chosen = curves[(curves["arm"] == arm) & (curves["round"] == number) & (curves["iteration"] == 1500)]
        values = chosen.groupby("replicate")["validation_accuracy"].mean().to_numpy() * 100
        half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
        point = drawn[(drawn["arm"] == label) & (drawn["iteration"] == 1500)]
        assert len(point) == 1
        expected = [values.mean(), values.mean() - half, values.mean() + half]
        found = point[["accuracy", "accuracy_low", "accuracy_high"]].to_numpy(float)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_every_panel_of_learning_curves_has_the_dense_network(curves):
    drawn = rows(lottery.learning_curves(curves))
    assert list(drawn["panel"].unique()) == [f"{left} % of links left" for left in ("80", "41.1", "21.1", "10.8")]
    assert set(drawn[drawn["arm"] == "dense network"]["panel"]) == set(drawn["panel"])


def test_long_curves_are_thinned_and_keep_the_last_validation(curves):
    stretched = pd.concat(
        [curves[curves["replicate"] == 0].assign(iteration=lambda t, k=k: 10 * t["iteration"] + k) for k in range(7)]
    )
    drawn = rows(lottery.learning_curves(stretched[stretched["round"] < 2]))
    dense = drawn[drawn["arm"] == "dense network"]
    assert len(dense) <= lottery.CURVE_POINTS
    assert dense["iteration"].max() == stretched["iteration"].max()


def test_one_replicate_has_curves_without_bands(curves):
    drawn = rows(lottery.learning_curves(curves.query("replicate == 0 and round < 2")))
    assert drawn["loss_low"].isna().all()
    assert drawn["loss"].notna().all()


def test_variants_have_a_line_each_and_share_the_dense_network(arms):
    tickets = arms[arms["arm"] == "ticket"]
    dense = arms[arms["arm"] == "dense"]
    several = pd.concat([part.assign(variant=name) for name in ("snip", "grasp") for part in (dense, tickets)])
    drawn = rows(lottery.variants(several))
    assert list(drawn["arm"].unique()) == ["dense network", "snip", "grasp"]
    assert (drawn["arm"] == "dense network").sum() == 1
    expected = 100 * tickets[tickets["measure"] == "test_accuracy"]["mean"]
    np.testing.assert_allclose(drawn[drawn["arm"] == "grasp"]["mean"].astype(float), expected, rtol=1e-5)


def test_curves_of_variants_that_look_alike_are_drawn_beside_each_other(curves):
    some = curves[curves["round"].isin((0, 1, 10)) & curves["arm"].isin(("dense", "ticket"))]
    alike = pd.concat([some.assign(variant=np.where(some["arm"] == "dense", "", name)) for name in ("rewind 0", "lr")])
    run = cast(Result, SimpleNamespace(tables={"curves": alike}))
    chart = styled(pictures.learning_curves(run)).to_dict()
    names = [row["spec"]["layer"][0].get("name") for part in chart["vconcat"] for row in part["vconcat"]]
    assert chart["params"][0]["views"] == [name for name in names if name]
    assert len(set(chart["params"][0]["views"])) == 2
    svg = laid_out(chart).svg
    assert ">rewind 0<" in svg
    assert ">lr<" in svg
