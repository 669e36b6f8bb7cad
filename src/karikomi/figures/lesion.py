"""The lesion study's figures: what is left while units go, and how orders differ from random ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.errors import unknown
from karikomi.figures import theme
from karikomi.statistics import mean_interval

# More steps than this cannot be seen in a panel.
CURVE_POINTS = 100

# Numbers of columns that whole points of a panel's width can be given to: fractions leave light seams.
HEAT_COLUMNS = (100, 50, 40, 25, 20, 10, 5, 4, 2, 1)

# Okabe & Ito's colours that stand out on white. With more criteria they come again: every criterion has its own panel.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
CONTROLS = {"random": "#B0B0B0", "layer-matched": "#555555"}
DASHES = {
    "highest first": [1, 0],
    "lowest first": [5, 3],
    "highest first, adaptive": [9, 2, 2, 2],
    "lowest first, adaptive": [2, 2],
}

Y = {"accuracy": ("test accuracy (%)", 100), "loss": ("test loss (nats)", 1)}
X = {
    "share_removed": "units removed (%)",
    "parameters_left": "parameters left (%)",
    "links_left": "links left (%)",
}
SHAPES = dict(zip(DASHES, ("circle", "triangle-down", "square", "diamond"), strict=True))
PANEL_WIDTH, PANEL_HEIGHT = 200, 140
HEADER = alt.Header(labelFontSize=12, labelPadding=4)
ARM = ["criterion", "direction", "timing"]


def curves(table: pd.DataFrame, measure: str = "accuracy", against: str = "share_removed") -> alt.TopLevelMixin:
    """What is left while units go: a panel per criterion, and random orders in every panel.

    What to see: by a criterion that finds the units that matter, accuracy falls away below the grey lines if the
    highest go first, and stays above them if the lowest do. Lines are means over replicates, bands 95 % intervals.

    Args:
        table: a row per replicate, order and step, with columns replicate, criterion (empty for orders that serve all
            criteria), direction, timing, control, step, share_removed, links_left, parameters_left, accuracy (0 … 1),
            loss (nats).
        measure: ``accuracy`` or ``loss``.
        against: ``share_removed``, ``parameters_left`` or ``links_left``.

    Raises:
        InputError: for another measure or axis.
    """
    if measure not in Y:
        raise unknown("measure", measure, Y)
    if against not in X:
        raise unknown("axis", against, X)
    means = _means(table, measure, against)
    criteria = _criteria(table)
    shown = pd.concat([means[means["criterion"].isin(("", name))].assign(panel=name) for name in criteria])
    title, y = Y[measure][0], _y_axis(shown, measure)
    dashes = [name for name in DASHES if name in set(shown["first"])]
    controls = {name: CONTROLS[name] for name in CONTROLS if name in set(shown["kind"])}
    legend = alt.Legend(title=None, symbolType="stroke", symbolSize=250)
    grey = alt.Legend(title=None, symbolType="stroke", symbolSize=250, values=list(controls))
    base = alt.Chart().encode(
        x=alt.X("x:Q", title=X[against], scale=alt.Scale(domain=[0, 100], reverse=against != "share_removed")),
        color=_colour(criteria, controls, grey),
        strokeDash=alt.StrokeDash(
            "first:N", scale=alt.Scale(domain=dashes, range=[DASHES[name] for name in dashes]), legend=legend
        ),
        detail=["kind:N", "first:N"],
        tooltip=[
            alt.Tooltip("kind:N", title="order"),
            alt.Tooltip("first:N", title="first"),
            alt.Tooltip("x:Q", title=X[against], format=".1f"),
            alt.Tooltip("mean:Q", title=title, format=".3~f"),
        ],
    )
    band = base.mark_area(clip=True, opacity=0.15).encode(y=alt.Y("low:Q", title=title, **y), y2="high:Q")
    line = base.mark_line(clip=True, strokeWidth=1.6).encode(y=alt.Y("mean:Q", title=title, **y))
    fields = ["panel", "kind", "first", "x", "mean", "low", "high"]
    return theme.styled(_panels(alt.layer(band, line), shown[fields], criteria))


def _y_axis(shown: pd.DataFrame, measure: str) -> dict[str, Any]:
    if measure == "accuracy":
        return {"scale": alt.Scale(domain=[0, 100]), "axis": alt.Axis(tickCount=5)}
    # An interval may reach below 0, which no log axis can show: the lowest mean is the bound there.
    bottom, top = float(np.nanmin(shown["mean"])), float(np.nanmax(shown[["mean", "high"]]))
    ticks = [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)]
    axis = alt.Axis(values=[tick for tick in ticks if bottom <= tick <= top], format="~g")
    return {"scale": alt.Scale(type="log", domain=[bottom, top], nice=False), "axis": axis}


def differences(table: pd.DataFrame) -> alt.TopLevelMixin:
    """How robustness along each order differs from random orders: targeted minus random, with 95 % intervals.

    What to see: orders to the left of 0 take the network down sooner than chance, orders to the right later. Filled
    marks are shown to differ (p < 0.05, Holm-corrected).

    Args:
        table: a row per targeted order and ``against``, with columns criterion, direction, timing, measure, against,
            mean, low, high, p_holm.
    """
    rows = table[table["measure"] == "robustness"]
    shown = rows.assign(
        kind=rows["criterion"],
        order=_names(rows),
        against="minus " + rows["against"],
        shown=rows["p_holm"] < 0.05,
    )
    criteria, panels = _criteria(rows), list(shown["against"].unique())
    ranked = shown[shown["against"] == panels[0]].sort_values("mean")["order"].tolist()
    colour, title = _colour(criteria, {}, None), "difference in robustness R"
    base = alt.Chart().encode(
        y=alt.Y("order:N", sort=ranked, title=None, axis=alt.Axis(grid=True, labelLimit=300)),
        color=colour,
        tooltip=[
            alt.Tooltip("order:N", title="first"),
            alt.Tooltip("mean:Q", title=title, format="+.3f"),
            alt.Tooltip("low:Q", title="95 % interval from", format="+.3f"),
            alt.Tooltip("high:Q", title="to", format="+.3f"),
            alt.Tooltip("p_holm:Q", title="p (Holm)", format=".2~g"),
        ],
    )
    marks = alt.layer(
        alt.Chart().mark_rule(color="#888888").encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=1.5).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(size=50, strokeWidth=1.5, opacity=1).encode(
            x=alt.X("mean:Q", title=title), fill=alt.condition("datum.shown", colour, alt.value("white"))
        ),
    ).properties(width=260, height=16 * len(ranked))
    fields = ["order", "against", "kind", "mean", "low", "high", "p_holm", "shown"]
    facet = alt.Facet("against:N", sort=panels, title=None, header=HEADER)
    return theme.styled(marks.facet(facet, columns=2, data=theme.inline(shown[fields])).resolve_axis(x="independent"))


def cliffs(table: pd.DataFrame) -> alt.TopLevelMixin:
    """The largest drop of accuracy by a single unit in every order: how large, and when.

    What to see: a cliff is a coloured mark above the grey cloud, the largest drops of layer-matched random orders.

    Args:
        table: a row per order, with columns criterion, direction, timing, control, drop, drop_at (both 0 … 1).
    """
    criteria = _criteria(table)
    rows = table[table["control"] != "random"]
    points = rows.assign(
        kind=rows["criterion"].where(rows["control"] == "targeted", "layer-matched"),
        first=_first(rows),
        x=100 * rows["drop_at"],
        y=100 * rows["drop"],
    )
    shown = pd.concat([points[points["criterion"].isin(("", name))].assign(panel=name) for name in criteria])
    shapes = {name: SHAPES[name] for name in SHAPES if name in set(shown["first"])}
    grey = {"layer-matched": CONTROLS["random"]}
    shape = alt.Shape("first:N", title=None, scale=alt.Scale(domain=list(shapes), range=list(shapes.values())))
    base = alt.Chart().encode(
        x=alt.X("x:Q", title="units removed (%)", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y("y:Q", title="largest drop (points)"),
        color=_colour(criteria, grey, alt.Legend(title=None, values=list(grey))),
        tooltip=[
            alt.Tooltip("kind:N", title="order"),
            alt.Tooltip("first:N", title="first"),
            alt.Tooltip("x:Q", title="units removed (%)", format=".1f"),
            alt.Tooltip("y:Q", title="largest drop (points)", format=".2f"),
        ],
    )
    is_random = "datum.kind === 'layer-matched'"
    marks = alt.layer(
        base.transform_filter(is_random).mark_point(filled=True, size=10, opacity=0.8),
        base.transform_filter(f"!({is_random})").mark_point(size=45, strokeWidth=1.6, opacity=1).encode(shape=shape),
    )
    return theme.styled(_panels(marks, shown[["panel", "kind", "first", "x", "y"]], criteria))


def class_accuracy(table: pd.DataFrame, criterion: str) -> alt.TopLevelMixin:
    """Accuracy of each class while units go, along the orders of one criterion and along random ones.

    What to see: whether classes go together, or some long before others; classes that are left at the end are those
    that the output biases prefer. Means over replicates.

    Args:
        table: that of :func:`curves`, with a column accuracy_<class> per class.
        criterion: one that the table has.

    Raises:
        InputError: for a criterion that the table lacks.
    """
    if criterion not in _criteria(table):
        raise unknown("criterion", criterion, _criteria(table))
    classes = [name for name in table if str(name).startswith("accuracy_")]
    rows = table[table["criterion"].isin(("", criterion)) & (table["control"] != "layer-matched")]
    columns = next(columns for columns in HEAT_COLUMNS if columns <= rows["step"].max())
    column = (columns * rows["share_removed"]).astype(int).clip(upper=columns - 1)
    panel = (_names(rows) + " first").where(rows["control"] == "targeted", "random")
    means = rows.groupby([panel.rename("panel"), column.rename("column")], sort=False)[classes].mean().mul(100)
    long = means.reset_index().melt(["panel", "column"], classes, "label", "accuracy")
    shown = long.assign(
        label=long["label"].str.removeprefix("accuracy_"),
        x=100 / columns * long["column"],
        x2=100 / columns * (long["column"] + 1),
    )
    marks = (
        alt.Chart()
        .mark_rect(clip=True)
        .encode(
            x=alt.X("x:Q", title="units removed (%)", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(grid=False)),
            x2="x2:Q",
            y=alt.Y("label:O", title="class", sort=[name.removeprefix("accuracy_") for name in classes]),
            color=alt.Color("accuracy:Q", title="accuracy (%)", scale=alt.Scale(scheme="viridis", domain=[0, 100])),
            tooltip=[
                alt.Tooltip("label:O", title="class"),
                alt.Tooltip("x:Q", title="units removed (%)", format=".0f"),
                alt.Tooltip("accuracy:Q", title="accuracy (%)", format=".1f"),
            ],
        )
    )
    return theme.styled(_panels(marks, shown.drop(columns="column"), list(shown["panel"].unique())))


def _panels(marks: alt.Chart | alt.LayerChart, shown: pd.DataFrame, panels: Sequence[str]) -> alt.FacetChart:
    panel = marks.properties(width=PANEL_WIDTH, height=PANEL_HEIGHT)
    facet = alt.Facet("panel:N", sort=list(panels), title=None, header=HEADER)
    return panel.facet(facet, columns=3, data=theme.inline(shown)).resolve_axis(x="independent")


def _colour(criteria: Sequence[str], controls: Mapping[str, str], legend: alt.Legend | None) -> alt.Color:
    """The colour encoding by the field ``kind``, a criterion or a control; the panels' titles name the criteria."""
    criterion_colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(criteria)}
    colours = {**criterion_colours, **controls}
    return alt.Color("kind:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=legend)


def _means(table: pd.DataFrame, measure: str, against: str) -> pd.DataFrame:
    """Means and intervals over replicates of every kind of order at some steps; x and accuracies in percent."""
    intact = table.groupby("replicate")[against].transform("max")
    rows = _thinned(table.assign(x=100 * table[against] / intact), CURVE_POINTS)
    key = [*ARM, "control", "step"]
    values = rows.pivot_table(index=key, columns="replicate", values=measure, sort=False) * Y[measure][1]
    intervals = [mean_interval(row[np.isfinite(row)]) for row in values.to_numpy()]
    means = pd.DataFrame(intervals, index=values.index).join(rows.groupby(key)["x"].mean()).reset_index()
    kind = means["criterion"].where(means["control"] == "targeted", means["control"])
    return means.assign(kind=kind, first=_first(means))


def _thinned(table: pd.DataFrame, points: int) -> pd.DataFrame:
    steps = np.sort(table["step"].unique())
    kept = steps[np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))]
    return table[table["step"].isin(kept)]


def _first(rows: pd.DataFrame) -> pd.Series:
    """What goes first, in words; orders without scores are drawn like the highest."""
    adaptive = rows["timing"].map({"adaptive": ", adaptive"}).fillna("")
    return rows["direction"].where(rows["direction"] != "", "high") + "est first" + adaptive


def _names(rows: pd.DataFrame) -> pd.Series:
    adaptive = rows["timing"].map({"adaptive": "adaptive "}).fillna("")
    return rows["direction"] + "est " + adaptive + rows["criterion"]


def _criteria(table: pd.DataFrame) -> list[str]:
    return [name for name in table["criterion"].unique() if name]
