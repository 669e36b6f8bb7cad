"""The forest plot has the numbers that it was given, and fills what is shown to differ."""

import pandas as pd
import pytest

from karikomi.figures.fitted import drawn
from karikomi.figures.forest import forest
from karikomi.figures.theme import styled

ROWS = pd.DataFrame(
    [
        ("ticket minus dense", "80 %", "accuracy (points)", 0.2, 0.1, 0.3, 0.01),
        ("ticket minus dense", "64 %", "accuracy (points)", 0.1, -0.1, 0.3, 0.2),
        ("reinit minus dense", "80 %", "early stop (iterations)", 900.0, 500.0, 1300.0, float("nan")),
    ],
    columns=["comparison", "at", "panel", "mean", "low", "high", "p_holm"],
)


@pytest.mark.parametrize("rows", [ROWS, ROWS[ROWS["at"] == "80 %"]], ids=["two conditions", "one"])
def test_every_difference_is_there_and_filled_if_it_is_shown(rows):
    chart = styled(forest(rows)).to_dict()
    [data] = chart["datasets"].values()
    assert [row.pop("shown") for row in data] == (rows["p_holm"] < 0.05).tolist()
    given = rows.astype(object).where(rows.notna(), None).to_dict("records")
    assert data == given
    assert chart["resolve"]["scale"]["x"] == "independent"
    assert chart["facet"]["sort"] == list(rows["panel"].unique())
    _, rule, point = chart["spec"]["layer"]
    assert (rule["encoding"]["x"]["field"], rule["encoding"]["x2"]["field"]) == ("low", "high")
    assert point["encoding"]["fill"]["value"] == "white"
    assert point["encoding"]["fill"]["condition"]["test"] == "datum.shown"
    svg = drawn(chart).svg
    assert all(name in svg for name in [*rows["comparison"], *rows["panel"]])
