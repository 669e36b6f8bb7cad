"""The forest plot: differences with their intervals, a row for each."""

from typing import Any

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.statistics import ALPHA

COLOUR, WIDTH = theme.COLOURS[0], 220
ROW, LANE = 20, 7
"""Pixels of a row, and of each of several conditions in it."""


def forest(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Differences with 95 % intervals, a panel per measure on its own scale; filled marks are shown to differ.

    What to see: intervals that do not reach the line at 0, and on which side of it they are. Several conditions of one
    comparison lie below one another, the first one at the top.

    Args:
        table: with columns comparison, panel, mean, low, high, p_holm, and at, the condition ("" for one alone).
    """
    shown = table.assign(shown=table["p_holm"] < ALPHA)
    pairs, places = (list(shown[name].unique()) for name in ("comparison", "at"))
    axis, several = alt.Axis(labelLimit=320, grid=True, tickBand="extent"), len(places) > 1
    colour: Any = alt.value(COLOUR)
    if several:
        ramp = alt.Scale(domain=places, scheme=alt.SchemeParams(name="viridis", extent=[0.85, 0]))
        legend = alt.Legend(symbolType="circle", symbolFillColor=None)
        colour = alt.Color("at:O", sort=places, title=None, scale=ramp, legend=legend)
    base = alt.Chart().encode(
        y=alt.Y("comparison:N", sort=pairs, title=None, axis=axis),
        color=colour,
        tooltip=theme.tooltip(
            *(("comparison:N", "comparison"), ("at:N", "at")),
            *theme.mean("difference", "+.3~g"),
            ("p_holm:Q", "p (Holm)", ".2~g"),
        ),
    )
    if several:
        base = base.encode(yOffset=alt.YOffset("at:N", sort=places))
    marks = theme.from_zero(base, "difference", colour, size=22 if several else 50)
    marks = marks.properties(width=WIDTH, height=len(pairs) * max(ROW, LANE * len(places) + 6))
    fields = ["comparison", "at", "panel", "mean", "low", "high", "p_holm", "shown"]
    facet = alt.Facet("panel:N", sort=list(shown["panel"].unique()), title=None)
    return marks.facet(facet, columns=3, data=theme.inline(shown[fields])).resolve_scale(x="independent")
