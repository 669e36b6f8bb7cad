"""What charts get in the page: names that can be switched off, zoom, and a guess at their width."""

import altair as alt
import pandas as pd
import pytest

from karikomi.report.charts import arms_of, prepared, width_of

COLOURS = {"ticket": "#0072B2", "dense": "#333333"}
DATA = pd.DataFrame({"x": [1, 2], "y": [1, 2], "arm": ["ticket", "dense"], "panel": ["a", "b"]})


def lines(colours=COLOURS, **sizes) -> alt.Chart:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    chart = alt.Chart(DATA).mark_line().encode(x="x:Q", y="y:Q", color=alt.Color("arm:N", scale=scale))
    return chart.properties(width=200, **sizes)


def layered():
    return alt.layer(lines(), alt.Chart(DATA).mark_rule().encode(y=alt.datum(0)))


def test_names_and_colours_of_all_charts_come_together_in_order():
    charts = [lines().to_dict(), lines({"reinit": "#D55E00", "ticket": "#0072B2"}).to_dict()]
    assert arms_of(charts) == {"arm": {**COLOURS, "reinit": "#D55E00"}}


def test_one_name_alone_cannot_be_switched_off():
    chart = lines({"ticket": "#0072B2"}).to_dict()
    assert arms_of([chart]) == {}
    assert "transform" not in prepared(chart, {})


@pytest.mark.parametrize("chart", [lines(), layered(), lines() | lines(), lines().facet("panel:N")])
def test_what_is_off_is_filtered_wherever_there_are_data(chart):
    given = chart.to_dict()
    made = prepared(given, arms_of([given]))
    assert made["params"][0] == {"name": "off", "value": []}

    def check(view):
        if "data" in view:
            assert view["transform"][0] == {"filter": "indexof(off, datum['arm']) < 0"}
        for part in (*view.get("layer", []), *view.get("hconcat", []), *([view["spec"]] if "spec" in view else [])):
            check(part)

    check(made)
    assert given == chart.to_dict(), "the chart itself stays as it is"


def test_axes_of_numbers_zoom_and_marks_stay_inside():
    made = prepared(layered().to_dict(), {})
    [zoom] = made["layer"][0]["params"]
    assert zoom["bind"] == "scales"
    assert all(part["mark"]["clip"] for part in made["layer"])
    by_name = alt.Chart(DATA).mark_bar().encode(x="arm:N", y="y:Q").to_dict()
    assert "params" not in prepared(by_name, {})


def test_panels_with_scales_of_their_own_do_not_zoom():
    chart = layered().properties(data=DATA).facet("panel:N").resolve_scale(y="independent").to_dict()
    assert "zoom" not in str(prepared(chart, {}))


def test_a_row_of_panels_is_wider_than_one():
    one, two = lines().to_dict(), (lines() | lines()).to_dict()
    stacked = (lines() & lines()).to_dict()
    assert width_of(one) == width_of(stacked) == width_of(two) / 2
    panels = lines().facet(alt.Facet("panel:N", sort=["a", "b", "c"]), columns=2)
    assert width_of(one) < width_of(panels.to_dict()) < width_of(panels.properties(columns=3).to_dict())
    assert width_of(alt.Chart(DATA).mark_bar().encode(x="arm:N").to_dict()) == float("inf")
