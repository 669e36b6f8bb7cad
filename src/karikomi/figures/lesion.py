"""The lesion study's figures: what is left while units go, and how orders differ from random ones."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.errors import unknown
from karikomi.figures import orders, theme
from karikomi.statistics import ALPHA
from karikomi.statistics.frames import intervals

# More steps than this cannot be seen in a panel.
CURVE_POINTS = 100

# Numbers of columns that whole points of a panel's width can be given to: fractions leave light seams.
HEAT_COLUMNS = (100, 50, 40, 25, 20, 10, 5, 4, 2, 1)

Y = {"accuracy": ("test accuracy (%)", 100), "loss": ("test loss (nats)", 1)}
X = {
    "share_removed": "units removed (%)",
    "parameters_left": "parameters left (%)",
    "links_left": "links left (%)",
}
ORDER = (("kind:N", "order"), ("first:N", "first"))
"""Of a tooltip what tells orders apart."""


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
    criteria = orders.criteria_of(table)
    shown = orders.in_panels(means, criteria)
    title, y = Y[measure][0], _y_axis(shown, measure)
    dashes = {name: dash for name, dash in orders.DASHES.items() if name in set(shown["first"])}
    there = set(shown["kind"])
    controls = {name: colour for name, colour in (orders.CONTROLS | orders.NULLS).items() if name in there}
    legend = alt.Legend(title=None, symbolType="stroke", symbolSize=250)
    grey = alt.Legend(title=None, symbolType="stroke", symbolSize=250, values=list(controls))
    base = alt.Chart().encode(
        x=alt.X("x:Q", title=X[against], scale=alt.Scale(domain=[0, 100], reverse=against != "share_removed")),
        color=orders.colour_of(criteria, controls, grey),
        detail=["kind:N", "first:N"],
        tooltip=theme.tooltip(*ORDER, ("x:Q", X[against], ".1f"), ("mean:Q", title, ".3~f")),
    )
    band = base.mark_area(clip=True, opacity=0.15).encode(y=alt.Y("low:Q", title=title, **y), y2="high:Q")
    dash = alt.StrokeDash("first:N", scale=theme.scale(dashes), legend=legend)
    line = base.mark_line(clip=True, strokeWidth=1.6).encode(y=alt.Y("mean:Q", title=title, **y), strokeDash=dash)
    fields = ["panel", "kind", "first", "x", "mean", "low", "high"]
    return orders.panels(alt.layer(band, line), shown[fields], criteria)


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
        order=orders.names(rows),
        against="minus " + rows["against"],
        shown=rows["p_holm"] < ALPHA,
    )
    criteria, panels = orders.criteria_of(rows), list(shown["against"].unique())
    ranked = shown[shown["against"] == panels[0]].sort_values("mean")["order"].tolist()
    colour, title = orders.colour_of(criteria, {}, None), "difference in robustness R"
    base = alt.Chart().encode(
        y=alt.Y("order:N", sort=ranked, title=None, axis=alt.Axis(grid=True, labelLimit=300)),
        color=colour,
        tooltip=theme.tooltip(("order:N", "first"), *theme.mean(title, "+.3f"), ("p_holm:Q", "p (Holm)", ".2~g")),
    )
    marks = theme.from_zero(base, title, colour).properties(width=260, height=16 * len(ranked))
    fields = ["order", "against", "kind", "mean", "low", "high", "p_holm", "shown"]
    facet = alt.Facet("against:N", sort=panels, title=None, header=orders.HEADER)
    return marks.facet(facet, columns=2, data=theme.inline(shown[fields])).resolve_axis(x="independent")


def cliffs(table: pd.DataFrame) -> alt.TopLevelMixin:
    """The largest drop of accuracy by a single unit in every order: how large, and when.

    What to see: a cliff is a coloured mark above the grey cloud, the largest drops of layer-matched random orders.

    Args:
        table: a row per order, with columns criterion, direction, timing, control, drop, drop_at (both 0 … 1).
    """
    criteria = orders.criteria_of(table)
    rows = table[table["control"].isin(("targeted", "layer-matched"))]
    points = rows.assign(
        kind=rows["criterion"].where(rows["control"] == "targeted", "layer-matched"),
        first=orders.first_words(rows),
        x=100 * rows["drop_at"],
        y=100 * rows["drop"],
    )
    shown = orders.in_panels(points, criteria)
    shapes = {name: orders.SHAPES[name] for name in orders.SHAPES if name in set(shown["first"])}
    grey = {"layer-matched": orders.CONTROLS["random"]}
    shape, drop = alt.Shape("first:N", title=None, scale=theme.scale(shapes)), "largest drop (points)"
    base = alt.Chart().encode(
        x=alt.X("x:Q", title=X["share_removed"], scale=alt.Scale(domain=[0, 100])),
        y=alt.Y("y:Q", title=drop),
        color=orders.colour_of(criteria, grey, alt.Legend(title=None, values=list(grey))),
        tooltip=theme.tooltip(*ORDER, ("x:Q", X["share_removed"], ".1f"), ("y:Q", drop, ".2f")),
    )
    is_random = "datum.kind === 'layer-matched'"
    marks = alt.layer(
        base.transform_filter(is_random).mark_point(filled=True, size=10, opacity=0.8),
        base.transform_filter(f"!({is_random})").mark_point(size=45, strokeWidth=1.6, opacity=1).encode(shape=shape),
    )
    return orders.panels(marks, shown[["panel", "kind", "first", "x", "y"]], criteria)


def class_accuracy(table: pd.DataFrame, criterion: str) -> alt.TopLevelMixin:
    """Accuracy of each class while units go, along the orders of one criterion and along random ones.

    What to see: whether classes go together, or some long before others; classes that are left at the end are those
    that the output biases prefer. Means over replicates.

    Args:
        table: that of :func:`curves`, with a column accuracy_<class> per class.
        criterion: one that the table has.
    """
    classes = [name for name in table if str(name).startswith("accuracy_")]
    rows = table[table["criterion"].isin(("", criterion)) & table["control"].isin(("targeted", "random"))]
    columns = next(columns for columns in HEAT_COLUMNS if columns <= rows["step"].max())
    column = (columns * rows["share_removed"]).astype(int).clip(upper=columns - 1)
    panel = (orders.names(rows) + " first").where(rows["control"] == "targeted", "random")
    means = rows.groupby([panel.rename("panel"), column.rename("column")], sort=False)[classes].mean().mul(100)
    long = means.reset_index().melt(["panel", "column"], classes, "label", "accuracy")
    shown = long.assign(
        label=long["label"].str.removeprefix("accuracy_"),
        x=100 / columns * long["column"],
        x2=100 / columns * (long["column"] + 1),
    )
    removed, accuracy = X["share_removed"], "accuracy (%)"
    base = alt.Chart().mark_rect(clip=True)
    marks = base.encode(
        x=alt.X("x:Q", title=removed, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(grid=False)),
        x2="x2:Q",
        y=alt.Y("label:O", title="class", sort=[name.removeprefix("accuracy_") for name in classes]),
        color=alt.Color("accuracy:Q", title=accuracy, scale=alt.Scale(scheme="viridis", domain=[0, 100])),
        tooltip=theme.tooltip(("label:O", "class"), ("x:Q", removed, ".0f"), ("accuracy:Q", accuracy, ".1f")),
    )
    return orders.panels(marks, shown.drop(columns="column"), list(shown["panel"].unique()))


def _means(table: pd.DataFrame, measure: str, against: str) -> pd.DataFrame:
    """Means and intervals over replicates of every kind of order at some steps; x and accuracies in percent."""
    intact = table.groupby("replicate")[against].transform("max")
    rows = _thinned(table.assign(x=100 * table[against] / intact), CURVE_POINTS)
    key = ["criterion", "direction", "timing", "control", "step"]
    each = rows.groupby([*key, "replicate"], as_index=False, sort=False)[[measure, "x"]].mean()
    each = each[np.isfinite(each[measure])]
    means = intervals(each.assign(**{measure: Y[measure][1] * each[measure]}), key, [measure])
    means = means.merge(each.groupby(key, as_index=False)["x"].mean(), on=key)
    kind = means["criterion"].where(means["control"] == "targeted", means["control"])
    return means.assign(kind=kind, first=orders.first_words(means))


def _thinned(table: pd.DataFrame, points: int) -> pd.DataFrame:
    steps = np.sort(table["step"].unique())
    kept = steps[np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))]
    return table[table["step"].isin(kept)]
