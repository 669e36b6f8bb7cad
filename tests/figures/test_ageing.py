import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.figures import ageing


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Five replicates, six cycles, two patterns; arms as in a run, the shared sham and the healthy network beside."""
    rng, rows = np.random.default_rng(0), []
    lives = [(arm, pattern) for arm in ("none", "retrain") for pattern in ("regional", "scattered-regional")]
    for replicate in range(5):
        rows.append((replicate, "healthy", "", 0, "after"))
        for arm, pattern in (*lives, ("sham", "")):
            rows += [(replicate, arm, pattern, cycle, when) for cycle in range(1, 7) for when in ("before", "after")]
        rows += [(replicate, "scratch", pattern, 6, "after") for _, pattern in lives[:2]]
    frame = pd.DataFrame(rows, columns=["replicate", "arm", "pattern", "cycle", "when"])
    return frame.assign(
        **{name: rng.uniform(0.9, 0.99, len(frame)) for name in ("accuracy", "loss", "cka", "dormant", "norm")}
    )


def rows(chart) -> pd.DataFrame:
    """All data of a chart."""
    return pd.concat([pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()], ignore_index=True)


def test_life_curves_are_means_with_intervals_from_the_healthy_network_on(table):
    drawn = rows(ageing.life(table))
    assert set(drawn["pattern"]) == {"regional", "scattered-regional"}
    end = drawn[(drawn["when"] == ageing.MOMENTS["after"]) & (drawn["pattern"] == "regional")]
    its = table[table["when"] == "after"].set_index(["arm", "pattern", "cycle"]).sort_index()["accuracy"]
    sources = {
        ("none", 4): ("none", "regional", 4),
        ("sham", 4): ("sham", "", 4),
        ("retrain", 0): ("healthy", "", 0),
        ("scratch", 6): ("scratch", "regional", 6),
    }
    for (arm, cycle), source in sources.items():
        values = its.loc[source]
        low, high = stats.ttest_1samp(100 * values, 0).confidence_interval(0.95)
        (row,) = end[(end["arm"] == ageing.ARMS[arm].label) & (end["cycle"] == cycle)].to_dict("records")
        assert [row["mean"], row["low"], row["high"]] == pytest.approx([100 * values.mean(), low, high], rel=1e-5)


def test_only_what_is_treated_has_a_curve_before(table):
    drawn = rows(ageing.life(table))
    assert set(drawn.loc[drawn["when"] == ageing.MOMENTS["before"], "arm"]) == {ageing.ARMS["retrain"].label}


def test_recovery_is_after_minus_before(table):
    drawn = rows(ageing.recovery(table))
    assert set(drawn["arm"]) == {ageing.ARMS[arm].label for arm in ("retrain", "sham")}
    wide = table.query("arm == 'retrain' and pattern == 'regional' and cycle == 2").pivot(
        index="replicate", columns="when", values="accuracy"
    )
    at = drawn.query("arm == 'retrained' and pattern == 'regional' and cycle == 2")
    assert at["mean"].tolist() == pytest.approx([100 * (wide["after"] - wide["before"]).mean()], rel=1e-5)


def test_a_control_has_the_colour_of_its_pattern_and_a_dash(table):
    chart = ageing.patterns(table).to_dict()
    encoding = chart["concat"][0]["layer"][0]["encoding"]
    assert encoding["color"]["scale"]["domain"] == ["regional", "scattered-regional"]
    assert len(set(encoding["color"]["scale"]["range"])) == 1
    assert encoding["strokeDash"]["scale"]["range"][1] != [1, 0]
    assert [panel["title"] for panel in chart["concat"]] == ["no training", "retrained"]


def test_intervals_do_not_leave_the_range_of_shares(table):
    wild = table.assign(accuracy=np.where(table["replicate"] < 3, 0.05, 1.0))
    y = ageing.life(wild).to_dict()["spec"]["layer"][0]["encoding"]["y"]
    assert y["scale"]["domain"] == [0, 100]


def test_health_has_a_row_per_pattern_and_a_panel_per_measure(table):
    chart = ageing.health(table).to_dict()
    assert [row["title"]["text"] for row in chart["vconcat"]] == ["regional", "scattered-regional"]
    assert [len(row["hconcat"]) for row in chart["vconcat"]] == [4, 4]


def test_classes_are_means_over_replicates():
    keys = [(r, arm, cycle, label) for r in range(3) for arm in ("none", "sham") for cycle in (1, 2) for label in "ab"]
    frame = pd.DataFrame(keys, columns=["replicate", "arm", "cycle", "class"])
    frame = frame.assign(pattern=np.where(frame["arm"] == "sham", "", "random"), after=frame["replicate"] / 4)
    drawn = rows(ageing.classes(frame))
    assert len(drawn) == 8
    assert set(drawn["panel"]) == {"no training", "trained, nothing dies"}
    assert drawn["accuracy"].tolist() == [25.0] * 8
