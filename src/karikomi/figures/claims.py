"""The figure of published claims."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme

OURS, THEIRS, HOLDS = "#0072B2", "#D55E00", "#009E73"
COLUMNS, WIDTH, HEIGHT = 2, 300, 26
NUMBER = ",.4~g"
AXIS = alt.Axis(tickCount=5, grid=False)
MARGIN = 0.12
"""Of a strip's width, on either side of what is in it."""


def forest(claims: pd.DataFrame) -> alt.TopLevelMixin:
    """A strip per claim, each on its own scale: our mean with its interval, their number, and where the claim holds.

    What to see: intervals wholly inside the shaded part; their number inside ours.

    Args:
        claims: with columns name, unit, verdict, mean, low, high, published (NaN where there is no number), above and
            below (the ends of where the claim holds; NaN where it has no end).
    """
    strips = [_strip(row) for row in claims.to_dict("records")]
    return alt.concat(*strips, columns=COLUMNS, spacing={"row": 14, "column": 30})


def _strip(row: Mapping[str, Any]) -> alt.LayerChart | alt.FacetChart:
    known = [row[name] for name in ("mean", "low", "high", "published", "above", "below") if np.isfinite(row[name])]
    room = MARGIN * (max(known) - min(known)) or 1.0
    low, high = min(known) - room, max(known) + room
    x = alt.X("x:Q", title=None, scale=alt.Scale(domain=[low, high], nice=False), axis=AXIS)
    holds = {
        "x": row["above"] if np.isfinite(row["above"]) else low,
        "x2": row["below"] if np.isfinite(row["below"]) else high,
    }
    ours = {"x": row["mean"], "low": row["low"], "high": row["high"]}
    layers = [
        _chart(holds).mark_rect(color=HOLDS, opacity=0.15).encode(x=x, x2="x2:Q"),
        _chart({"x": row["low"], "x2": row["high"]}).mark_rule(color=OURS, strokeWidth=2).encode(x=x, x2="x2:Q"),
        _chart(ours)
        .mark_point(color=OURS, filled=True, size=60, opacity=1)
        .encode(x=x, tooltip=theme.tooltip(*theme.mean("ours", NUMBER, "x:Q"))),
        _chart({"x": row["published"]})
        .mark_point(color=THEIRS, shape="diamond", size=70, strokeWidth=2, opacity=1)
        .encode(x=x, tooltip=alt.Tooltip("x:Q", title="theirs", format=NUMBER)),
    ]
    unit = f", {row['unit']}" if row["unit"] else ""
    title = alt.Title(f"{row['name']}{unit}: {row['verdict']}", anchor="start", frame="group", offset=4)
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)


def _chart(row: Mapping[str, float]) -> alt.Chart:
    return alt.Chart(theme.inline(pd.DataFrame([row])))
