"""The figures of the study of architectures: accuracy under lesions, and recovery."""

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.statistics.frames import intervals

PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333", "#999999"]


def curves(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Test accuracy while units are removed at random, a line per depth or network; bands are 95 % intervals.

    What to see: which lines hold longest; whether dropout's hold up to its rate and fall behind it.

    Args:
        table: a row per condition, replicate and share, with columns replicate, network, parameters, layers, dropout,
            normalization, share_removed (0 … 1), accuracy (0 … 1).
    """
    named = table.assign(line=_lines(table), panel=_panels(table), size=_sizes(table))
    key = ["line", "panel", "size", "share_removed"]
    means = intervals(named.assign(accuracy=100 * named["accuracy"]), key, ["accuracy"])
    shown = means.assign(x=100 * means["share_removed"])[["line", "panel", "size", "x", "mean", "low", "high"]]
    removed, y = "units removed (%)", {"title": "test accuracy (%)", "scale": alt.Scale(domain=[0, 100])}
    base = alt.Chart().encode(
        x=alt.X("x:Q", title=removed),
        color=_colour("line", named["line"]),
        tooltip=theme.tooltip(("line:N", "network"), ("x:Q", removed, ".0f"), ("mean:Q", "accuracy (%)", ".1f")),
    )
    marks = alt.layer(
        base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", **y), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(y=alt.Y("mean:Q", **y)),
    ).properties(width=220, height=170)
    panels, sizes = list(named["panel"].unique()), list(named["size"].unique())
    row, column = alt.Row("size:N", sort=sizes, title=None), alt.Column("panel:N", sort=panels, title=None)
    return marks.facet(row=row, column=column, data=theme.inline(shown))


def recovery(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy after ageing, retrained against without training, a point per network.

    What to see: the distance above the diagonal is what retraining gives back.

    Args:
        table: a row per condition and replicate, with columns aged and retrained (0 … 1) beside the condition's.
    """
    named = table.assign(line=_lines(table), panel=_panels(table), x=100 * table["aged"], y=100 * table["retrained"])
    low, high = float(named[["x", "y"]].min().min()), float(named[["x", "y"]].max().max())
    scale = alt.Scale(domain=[low, high], nice=True, zero=False)
    drawn = alt.Chart(theme.inline(named[["line", "panel", "network", "parameters", "replicate", "x", "y"]]))
    accuracies = (alt.Tooltip(f"{axis}:Q", format=".2f") for axis in "xy")
    points = drawn.mark_point(filled=True, size=45, opacity=0.8).encode(
        x=alt.X("x:Q", title="aged, without training (%)", scale=scale),
        y=alt.Y("y:Q", title="aged and retrained (%)", scale=scale),
        color=_colour("line", named["line"]),
        shape=alt.Shape("panel:N", title=None, sort=list(named["panel"].unique())),
        tooltip=["network:N", "panel:N", "replicate:Q", *accuracies],
    )
    ends = pd.DataFrame({"x": [low, high], "y": [low, high]})
    diagonal = alt.Chart(theme.inline(ends)).mark_line(color="#888888", strokeDash=[4, 3]).encode(x="x:Q", y="y:Q")
    return alt.layer(diagonal, points).properties(width=theme.WIDTH, height=theme.WIDTH * 0.7)


def _colour(field: str, names: pd.Series) -> alt.Color:
    known = list(names.unique())
    palette = [PALETTE[i % len(PALETTE)] for i in range(len(known))]
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=known, range=palette))


def _lines(table: pd.DataFrame) -> pd.Series:
    """What tells lines apart: the number of hidden layers of perceptrons, the name of any other network."""
    layers = table["layers"].astype(str) + " hidden layer" + table["layers"].map(lambda n: "" if n == 1 else "s")
    return layers.where(table["parameters"] > 0, table["network"])


def _panels(table: pd.DataFrame) -> pd.Series:
    """How they were trained."""
    dropout = ("dropout " + table["dropout"].map("{:g}".format)).where(table["dropout"] > 0, "no dropout")
    normalization = (table["normalization"] + " normalization").where(table["normalization"] != "none", "")
    return (dropout + ", " + normalization).str.removesuffix(", ").where(table["parameters"] > 0, "as built")


def _sizes(table: pd.DataFrame) -> pd.Series:
    return (table["parameters"].map("{:,}".format) + " parameters").where(table["parameters"] > 0, "by name")
