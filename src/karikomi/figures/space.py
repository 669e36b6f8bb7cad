"""A network drawn in space while it ages: the living in colour, the dead fading."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.units import layer_colour

SIDE = 190
"""Width and height of a panel, in points."""

LINKS_DRAWN = 400
FADING = 0.8
"""What is left of the opacity of the dead with every cycle, down to a trace."""

DEAD = "#666666"


def units(deaths: pd.DataFrame, cycles: Sequence[int]) -> alt.TopLevelMixin:
    """Every hidden unit at its place, a row per pattern and a panel per cycle: the dead are grey, and fade.

    What to see: whether deaths are all over the network or leave holes in it.

    Args:
        deaths: a row per unit, with columns pattern, layer, cycle (in which it dies; 0 if it lives on) and, where the
            network has a space, x and y; else its layers stand side by side.
        cycles: those to draw.
    """
    placed = deaths if "x" in deaths else _in_blocks(deaths)
    area = min(40.0, 9_000 / placed.groupby("pattern").size().max())
    dead = alt.Chart().transform_filter("datum.dead").mark_circle(size=area, color=DEAD)
    living = alt.Chart().transform_filter("!datum.dead").mark_circle(size=area, opacity=1)
    places = _places(placed["x"], placed["y"])
    marks = [
        dead.encode(**places, opacity=alt.Opacity("trace:Q", scale=None)),
        living.encode(**places, color=layer_colour(deaths["layer"]), tooltip=["layer:N"]),
    ]
    return _panels(marks, _over_time(placed, cycles)[["pattern", "at", "layer", "x", "y", "dead", "trace"]])


def links(deaths: pd.DataFrame, cycles: Sequence[int]) -> alt.TopLevelMixin:
    """The links that die in the end, a row per pattern and a panel per cycle: the dead are grey, and fade.

    What to see: long-range links cross the network, local ones stay within its groups. Of many links some are drawn.

    Args:
        deaths: a row per link, with columns pattern, cycle (in which it dies), and its ends x, y, x2, y2.
        cycles: those to draw.
    """
    placed = pd.concat([thinned(group) for _, group in deaths.groupby("pattern", sort=False)])
    dead = alt.Chart().transform_filter("datum.dead").mark_rule(color=DEAD, strokeWidth=0.7)
    living = alt.Chart().transform_filter("!datum.dead").mark_rule(color="#0072B2", strokeWidth=0.7, opacity=0.6)
    places = _places(pd.concat([placed["x"], placed["x2"]]), pd.concat([placed["y"], placed["y2"]]))
    ends = {**places, "x2": "x2:Q", "y2": "y2:Q"}
    marks = [dead.encode(**ends, opacity=alt.Opacity("trace:Q", scale=None)), living.encode(**ends)]
    return _panels(marks, _over_time(placed, cycles)[["pattern", "at", "x", "y", "x2", "y2", "dead", "trace"]])


def thinned(links: pd.DataFrame) -> pd.DataFrame:
    """As many of the links as can be drawn, spread evenly over the rows."""
    count = len(links)
    return links.iloc[np.linspace(0, count, min(count, LINKS_DRAWN), endpoint=False).astype(int)]


def _over_time(placed: pd.DataFrame, cycles: Sequence[int]) -> pd.DataFrame:
    """At each of ``cycles`` who is dead, and what trace is left of them."""
    frames = []
    for number in cycles:
        age = number - placed["cycle"]
        dead = (placed["cycle"] > 0) & (age >= 0)
        trace = (FADING ** (1 + age.clip(lower=0))).clip(lower=0.07).round(3)
        frames.append(placed.assign(at=f"after cycle {number}", dead=dead, trace=trace))
    return pd.concat(frames, ignore_index=True)


def _panels(marks: Sequence[alt.Chart], shown: pd.DataFrame) -> alt.TopLevelMixin:
    panels = alt.layer(*marks, data=theme.inline(shown))
    order = {name: list(shown[name].unique()) for name in ("pattern", "at")}
    return panels.properties(width=SIDE, height=SIDE, view=alt.ViewBackground(stroke=theme.FAINT)).facet(
        row=alt.Row("pattern:N", sort=order["pattern"], title=None, header=alt.Header(labelAngle=0)),
        column=alt.Column("at:N", sort=order["at"], title=None),
        spacing=12,
    )


def _places(x: pd.Series, y: pd.Series) -> dict[str, Any]:
    return {
        "x": alt.X("x:Q", axis=None, scale=_extent(x)),
        "y": alt.Y("y:Q", axis=None, scale=_extent(y)),
    }


def _extent(values: pd.Series) -> alt.Scale:
    margin = 0.04 * float(values.max() - values.min() or 1)
    return alt.Scale(domain=[float(values.min()) - margin, float(values.max()) + margin], nice=False)


def _in_blocks(deaths: pd.DataFrame) -> pd.DataFrame:
    """Layers from left to right, each a block of its units."""
    sizes = deaths[deaths["pattern"] == deaths["pattern"].iloc[0]].groupby("layer", sort=False).size()
    placed, left = [], 0.0
    for layer, size in sizes.items():
        columns = max(1, round(np.sqrt(size / (2 * len(sizes)))))
        row, column = np.divmod(np.arange(size), columns)
        its = deaths[deaths["layer"] == layer]
        again = len(its) // size  # once per pattern
        placed.append(its.assign(x=np.tile(left + column, again), y=np.tile((row.max() / 2 - row) * 1.0, again)))
        left += columns + 2
    return pd.concat(placed)
