"""A modular network drawn by its groups: who is where, and what passes from one to another."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.space import thinned
from karikomi.figures.units import group_colour

INPUTS, OUTPUTS = "inputs", "output"

SCALE = 200.0
"""Points to a unit of length; groups lie on a circle of diameter 1."""

LARGEST_MARK = 60.0
"""In square points."""

MARGIN = 0.12
"""Room for names round the units, in units of length."""

CELL, LEAST_CELL, HALF_PAGE = 50, 34, 310
"""Width of a heat map's cell, the least in which its number has room, and width of a map of which two are side by
side, in points."""


def space(units: pd.DataFrame, links: pd.DataFrame) -> alt.TopLevelMixin:
    """Every unit at its place in the colour of its group, inputs and outputs outside, and the long-range links.

    What to see: whether groups keep to themselves, and by which few ways a signal gets from the group beside the
    inputs to the one beside the outputs. A link has the colour of the group that it comes from. Of many some are drawn.

    Args:
        units: a row per unit, with columns layer (``inputs``, the hidden ones, ``output``), group, x, y.
        links: a row per link, with columns group (that it comes from) and its ends x, y, x2, y2.
    """
    placed, names = _disks(units)
    low, high = units[["x", "y"]].min() - MARGIN, units[["x", "y"]].max() + MARGIN
    places: dict[str, Any] = {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=[low["x"], high["x"]], nice=False)),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[low["y"], high["y"]], nice=False)),
    }
    colour = group_colour(units["group"])
    lines = alt.Chart(theme.inline(thinned(links)[["group", "x", "y", "x2", "y2"]]))
    dots, name = (alt.Chart(theme.inline(table)).encode(**places) for table in (placed, names))
    width, height = (SCALE * (high - low)).tolist()
    return alt.layer(
        lines.mark_rule(strokeWidth=0.7, opacity=0.45).encode(**places, x2="x2:Q", y2="y2:Q", color=colour),
        dots.mark_circle(opacity=1, stroke="white", strokeWidth=0.5).encode(
            color=colour, size=alt.Size("area:Q", scale=None), tooltip=["layer:N", "group:N"]
        ),
        # White beneath, so that a name can be read on top of units.
        name.mark_text(fontSize=14, fontWeight="bold", stroke="white", strokeWidth=5).encode(text="name:N"),
        name.mark_text(fontSize=14, fontWeight="bold", color=theme.INK).encode(text="name:N"),
    ).properties(width=width, height=height)


def traffic(table: pd.DataFrame) -> alt.TopLevelMixin:
    """What joins the hidden units of each group to those of each: links, and efficiency by hops.

    What to see: the diagonal, which is within groups, against the rest; and groups that few links join but many short
    ways, by way of others. In a network whose wiring knows no groups the diagonal does not stand out. A dash: from
    layer to layer nothing could lead there.

    Args:
        table: a row per ordered pair of groups, with columns from, to, links, places (how many there could be),
            efficiency (0 … 1; NaN where no way could lead).
    """
    share = 100 * table["links"] / table["places"].where(table["places"] > 0)
    counts = table["links"].map("{:,}".format).where(share.notna(), "–")
    means = table["efficiency"].map("{:.2f}".format).where(table["efficiency"].notna(), "–")
    links, near = table.assign(value=share, number=counts), table.assign(value=table["efficiency"], number=means)
    groups = table["to"].nunique()
    side = groups * max(LEAST_CELL, min(CELL, HALF_PAGE // groups))
    maps = [
        _heat_map(links, side, 100, "% of the possible ones").properties(title="links between hidden units"),
        _heat_map(near, side, 1, "mean 1 / d, d in links").properties(title="efficiency by hops"),
    ]
    columns = 2 if side <= HALF_PAGE else 1
    return alt.concat(*maps, columns=columns, spacing=40).resolve_scale(color="independent")


def _disks(units: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The units with the area of their marks, which fill their disk; and a name for every disk, with its place."""
    disk = units["layer"].where(units["layer"].isin((INPUTS, OUTPUTS)), units["group"].astype(str))
    radius = max(float(np.ptp(its["y"])) for _, its in units.groupby(disk)) / 2
    placed, names = [], []
    for name, its in units.groupby(disk, sort=False):
        placed.append(its.assign(area=min(LARGEST_MARK, 0.5 * np.pi * (SCALE * radius) ** 2 / len(its))))
        x, y = its[["x", "y"]].mean()
        # One above, one beneath, as inputs and outputs may be next to the same group.
        shift = {INPUTS: radius + MARGIN / 2, OUTPUTS: -radius - MARGIN / 2}.get(str(name), 0.0)
        names.append({"x": x, "y": y + shift, "name": "outputs" if name == OUTPUTS else name})
    return pd.concat(placed), pd.DataFrame(names)


def _heat_map(table: pd.DataFrame, side: int, most: float, unit: str) -> alt.LayerChart | alt.FacetChart:
    legend = alt.Legend(orient="bottom", gradientLength=min(side, 200), gradientThickness=10)
    colour = alt.Color("value:Q", title=unit, legend=legend).scale(scheme="blues", domain=[0, most])
    axis = alt.Axis(ticks=False, domain=False, labelAngle=0, grid=False)
    base = alt.Chart(theme.inline(table[["from", "to", "number", "value"]])).encode(
        x=alt.X("from:O", title="from group", axis=axis), y=alt.Y("to:O", title="to group", axis=axis)
    )
    ink = alt.when(alt.datum["value"] / most > 0.55).then(alt.value("white")).otherwise(alt.value(theme.INK))
    return alt.layer(
        base.mark_rect(stroke="white", strokeWidth=2).encode(color=colour),
        base.mark_text(fontSize=10).encode(text="number:N", color=ink),
    ).properties(width=side, height=side)
