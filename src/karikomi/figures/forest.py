"""The forest plot: differences with their intervals, a row for each."""

from typing import Any

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.statistics import ALPHA

COLOUR, WIDTH = theme.COLOURS[0], 220
ROW, LANE = 20, 7
"""Pixels of a row, and of each of several conditions in it."""


def forest(table: pd.DataFrame, columns: int = 3) -> alt.TopLevelMixin:
    """Differences with 95 % intervals, a panel per measure on its own scale; filled marks are shown to differ.

    What to see: intervals that do not reach the line at 0, and on which side of it they are. Several conditions of one
    comparison lie below one another, the first one at the top.

    Args:
        table: with columns comparison, panel, mean, low, high, p_holm, and at, the condition ("" for one alone).
        columns: panels in a row.
    """
    shown = table.assign(shown=table["p_holm"] < ALPHA)
    pairs, places = (list(shown[name].unique()) for name in ("comparison", "at"))
    axis = alt.Axis(labelLimit=320, grid=True, tickBand="extent")
    base = alt.Chart().encode(
        y=alt.Y("comparison:N", sort=pairs, title=None, axis=axis),
        tooltip=[
            alt.Tooltip("comparison:N", title="comparison"),
            alt.Tooltip("at:N", title="at"),
            *theme.mean_tooltip("difference", "+.3~g"),
            alt.Tooltip("p_holm:Q", title="p (Holm)", format=".2~g"),
        ],
    )
    colour: Any = alt.value(COLOUR)
    if len(places) > 1:
        ramp = alt.Scale(domain=places, scheme=alt.SchemeParams(name="viridis", extent=[0.85, 0]))
        legend = alt.Legend(symbolType="circle", symbolFillColor=None)
        colour = alt.Color("at:O", sort=places, title=None, scale=ramp, legend=legend)
        base = base.encode(yOffset=alt.YOffset("at:N", sort=places))
    fill = alt.condition("datum.shown", colour, alt.value("white"))
    marks = alt.layer(
        alt.Chart().mark_rule(color="#888888").encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=1.5).encode(x=alt.X("low:Q", title="difference"), x2="high:Q", color=colour),
        base.mark_point(size=50 if len(places) == 1 else 22, strokeWidth=1.5, opacity=1).encode(
            x=alt.X("mean:Q", title="difference"), color=colour, fill=fill
        ),
    ).properties(width=WIDTH, height=len(pairs) * max(ROW, LANE * len(places) + 6))
    fields = ["comparison", "at", "panel", "mean", "low", "high", "p_holm", "shown"]
    facet = alt.Facet("panel:N", sort=list(shown["panel"].unique()), title=None)
    return marks.facet(facet, columns=columns, data=theme.inline(shown[fields])).resolve_scale(x="independent")
