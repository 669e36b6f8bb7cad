"""The lesion figures hold the tables' numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.figures import lesion

REPLICATES, STEPS, CLASSES = 4, 512, 3
ARMS = [
    ("", "", "", "random"),
    ("", "", "", "layer-matched"),
    *(
        (criterion, direction, timing, "targeted")
        for criterion in ("taylor", "in-strength")
        for direction in ("high", "low")
        for timing in ("static", "adaptive")
    ),
]


@pytest.fixture(scope="module")
def curves():
    rng, frames = np.random.default_rng(0), []
    steps = np.arange(STEPS + 1)
    for replicate in range(REPLICATES):
        for criterion, direction, timing, control in ARMS:
            accuracy = 0.98 - 0.88 * (steps / STEPS) ** (2 + rng.random())
            frame = {"replicate": replicate, "criterion": criterion, "direction": direction, "timing": timing}
            frame |= {"control": control, "step": steps, "share_removed": steps / STEPS}
            frame |= {"links_left": 1000 * (1 - steps / STEPS) ** 2, "parameters_left": 1010 - 1000 * steps / STEPS}
            frame |= {"accuracy": accuracy, "loss": 2.5 - 2.4 * accuracy}
            frame |= {f"accuracy_{label}": accuracy**label for label in range(CLASSES)}
            frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def rows(chart):
    """All data of a chart."""
    return pd.concat([pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()], ignore_index=True)


@pytest.mark.parametrize(("measure", "factor"), [("accuracy", 100), ("loss", 1)])
@pytest.mark.parametrize("against", ["share_removed", "parameters_left", "links_left"])
def test_lines_are_means_over_replicates_with_t_intervals(curves, measure, factor, against):
    drawn = rows(lesion.curves(curves, measure, against))
    assert list(drawn["panel"].unique()) == ["taylor", "in-strength"]
    line = drawn[(drawn["kind"] == "taylor") & (drawn["first"] == "lowest first")]
    ours = curves[(curves["criterion"] == "taylor") & (curves["direction"] == "low") & (curves["timing"] == "static")]
    x = 100 * ours[against] / ours[against].max()
    for _, point in line.iloc[[0, 40, -1]].iterrows():
        values = factor * ours.loc[np.isclose(x, point["x"], rtol=1e-5, atol=1e-5), measure]
        half = stats.sem(values) * stats.t.ppf(0.975, REPLICATES - 1)
        expected = [values.mean(), values.mean() - half, values.mean() + half]
        np.testing.assert_allclose(point[["mean", "low", "high"]].to_numpy(float), expected, rtol=1e-5)
    assert line["x"].min() == pytest.approx(x.min(), abs=1e-4)
    assert line["x"].max() == 100


def test_random_orders_are_in_every_panel_and_every_kind_of_order_is_one_line(curves):
    drawn = rows(lesion.curves(curves))
    for _, panel in drawn.groupby("panel"):
        lines = panel.groupby(["kind", "first"])["x"]
        assert {"random", "layer-matched"} < set(panel["kind"])
        assert lines.ngroups == 2 + 4
        assert (lines.count() == lesion.CURVE_POINTS).all()
        assert not panel.duplicated(["kind", "first", "x"]).any()


def test_matched_orders_of_an_arm_stay_in_its_panel(curves):
    own = curves[curves["control"] != "layer-matched"]
    matched = own[own["control"] == "targeted"].assign(control="layer-matched")
    drawn = rows(lesion.curves(pd.concat([own, matched])))
    assert drawn.groupby(["panel", "kind"])["first"].nunique()["taylor", "layer-matched"] == 4


def test_one_replicate_has_lines_without_bands(curves):
    drawn = rows(lesion.curves(curves[curves["replicate"] == 0], "loss"))
    assert drawn["low"].isna().all()
    assert drawn["mean"].notna().all()


def test_differences_are_those_of_the_table_in_order_of_size():
    table = pd.DataFrame(
        {
            "criterion": ["taylor", "taylor", "in-strength"] * 2,
            "direction": ["high", "low", "high"] * 2,
            "timing": ["static", "static", "adaptive"] * 2,
            "measure": "robustness",
            "against": ["layer-matched"] * 3 + ["random"] * 3,
            "mean": [-0.1, 0.05, -0.3, -0.2, 0.1, -0.4],
            "p_holm": [0.2, 0.01, 0.001, 0.05, np.nan, 0.001],
        }
    ).assign(low=lambda t: t["mean"] - 0.02, high=lambda t: t["mean"] + 0.02)
    chart = lesion.differences(pd.concat([table, table.assign(measure="loss_rise", mean=9.0)]))
    drawn = rows(chart)
    drawn = drawn[drawn["order"].notna()] if "order" in drawn else drawn
    assert drawn["mean"].tolist() == table["mean"].tolist()
    assert drawn["shown"].tolist() == [False, True, True, False, False, True]
    encodings = [layer["encoding"] for layer in chart.to_dict()["spec"]["layer"] if "y" in layer["encoding"]]
    for encoding in encodings:
        assert encoding["y"]["sort"] == ["highest adaptive in-strength", "highest taylor", "lowest taylor"]


def test_cliffs_show_every_targeted_and_matched_order():
    table = pd.DataFrame(ARMS, columns=["criterion", "direction", "timing", "control"])
    table = table.assign(drop=np.linspace(0.01, 0.1, len(table)), drop_at=np.linspace(0.5, 1, len(table)))
    drawn = rows(lesion.cliffs(table))
    assert set(drawn["kind"]) == {"taylor", "in-strength", "layer-matched"}
    for criterion, panel in drawn.groupby("panel"):
        expected = table[table["criterion"].isin((criterion, "")) & (table["control"] != "random")]
        np.testing.assert_allclose(panel["y"], 100 * expected["drop"], rtol=1e-5)
        np.testing.assert_allclose(panel["x"], 100 * expected["drop_at"], rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 3, 13, 512])
def test_the_heat_map_fills_the_panel_with_means(curves, steps):
    few = curves[curves["step"] <= steps].assign(share_removed=lambda t: t["step"] / steps)
    drawn = rows(lesion.class_accuracy(few, "taylor"))
    assert drawn["panel"].nunique() == 5
    for (_, label), row in drawn.groupby(["panel", "label"]):
        ordered = row.sort_values("x")
        assert ordered["x"].iloc[0] == 0
        assert ordered["x2"].iloc[-1] == pytest.approx(100, rel=1e-5)
        np.testing.assert_allclose(ordered["x"].iloc[1:], ordered["x2"].iloc[:-1], rtol=1e-5)
        assert (200 / len(row)) % 1 == 0, "columns are whole points wide"
        if label == "0":
            assert (ordered["accuracy"] == 100).all()


def test_what_is_not_there_is_named(curves):
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        lesion.curves(curves, "acuracy")
    with pytest.raises(InputError, match="did you mean 'parameters_left'"):
        lesion.curves(curves, against="parameters")
