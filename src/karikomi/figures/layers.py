"""A network drawn in layers: every unit a mark, coloured by what its loss costs, and the strongest links."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.units import MILLINATS

TALL, STEP, BETWEEN = 420, 13.0, 95
"""Height of the tallest layer, largest distance of two units and space between layers, in points."""

NEGATIVE, POSITIVE = "#D55E00", "#0072B2"


def network(units: pd.DataFrame, links: pd.DataFrame, grids: Sequence[tuple[int, int] | None]) -> alt.TopLevelMixin:
    """The layers from left to right, each a block of its units; the highest of a hidden layer at the top.

    What to see: whether a few units carry the network, where they are, and whether the strongest links lead there.

    Args:
        units: a row per unit, with columns layer, index, value (rise in loss, millinats; NaN where nothing was
            measured) and label, a text beside the unit, or "".
        links: the links to draw, with columns gap (0 is that behind the first layer), source and target (indices in
            their layers), weight.
        grids: per layer the rows and columns of its block, its units being in row order (pixels); None for a block of
            Karikomi's choice.
    """
    blocks = [_block(layer, grid) for (_, layer), grid in zip(units.groupby("layer", sort=False), grids, strict=True)]
    lefts = np.cumsum([0, *(block["x"].max() + BETWEEN for block in blocks)])
    placed = [block.assign(x=block["x"] + left) for block, left in zip(blocks, lefts, strict=False)]
    width, height = lefts[-1] - BETWEEN, TALL + 2 * STEP
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-STEP, width + 2 * STEP], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height / 2, -height / 2], nice=False))
    ends = [_ends(placed, gap, group) for gap, group in links.groupby("gap")]
    marks = pd.concat(placed)
    measured = marks["value"].notna()
    sizes = alt.Size("area:Q", scale=None)
    dots = alt.Chart(theme.inline(marks[measured])).mark_circle(opacity=1, stroke="#999999", strokeWidth=0.4)
    plain = alt.Chart(theme.inline(marks[~measured])).mark_square(color="#c8c8c8", opacity=1)
    names = pd.DataFrame(
        {"x": [b["x"].mean() for b in placed], "layer": [b["layer"].iloc[0] for b in placed], "y": -height / 2}
    )
    text = alt.Chart(theme.inline(names)).mark_text(dy=-10, fontSize=12, color=theme.INK)
    labels = alt.Chart(theme.inline(marks[marks["label"] != ""])).mark_text(dx=10, align="left", fontSize=11)
    return (
        alt.layer(
            plain.encode(x=x, y=y, size=sizes),
            _lines(pd.concat(ends), x, y),
            dots.encode(
                x=x,
                y=y,
                size=sizes,
                color=alt.Color(
                    "value:Q",
                    title=MILLINATS,
                    scale=alt.Scale(type="sqrt", scheme="magma", reverse=True, domainMin=0, clamp=True),
                    legend=alt.Legend(orient="bottom", gradientLength=220),
                ),
                tooltip=["layer:N", "index:Q", alt.Tooltip("value:Q", title=MILLINATS, format=".3g")],
            ),
            labels.encode(x=x, y=y, text="label:N"),
            text.encode(x=x, y=y, text="layer:N"),
        )
        .resolve_scale(color="independent")
        .properties(width=float(width + 3 * STEP), height=height)
    )


def _lines(ends: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    signs = alt.Scale(domain=["positive link", "negative link"], range=[POSITIVE, NEGATIVE])
    legend = alt.Legend(orient="bottom", symbolType="stroke", columns=1)
    base = alt.Chart(theme.inline(ends)).mark_rule(strokeWidth=0.9)
    return base.encode(
        x=x,
        y=y,
        x2="x2:Q",
        y2="y2:Q",
        color=alt.Color("sign:N", title=None, scale=signs, legend=legend),
        strokeOpacity=alt.StrokeOpacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0, 0.75]), legend=None),
    )


def _ends(placed: Sequence[pd.DataFrame], gap: int, links: pd.DataFrame) -> pd.DataFrame:
    """Where the links of a gap begin and end, and their strength as a share of its strongest."""
    start = placed[gap].set_index("index").loc[links["source"], ["x", "y"]].to_numpy()
    end = placed[gap + 1].set_index("index").loc[links["target"], ["x", "y"]].to_numpy()
    strength = links["weight"].abs().to_numpy()
    sign = np.where(links["weight"] > 0, "positive link", "negative link")
    places = {"x": start[:, 0], "y": start[:, 1], "x2": end[:, 0], "y2": end[:, 1]}
    return pd.DataFrame({**places, "sign": sign, "share": strength / strength.max()})


def _block(layer: pd.DataFrame, grid: tuple[int, int] | None) -> pd.DataFrame:
    """The units of a layer with x from 0 and y around 0, and the area of their marks."""
    measured = layer["value"].notna().any()
    ordered = layer.sort_values("value", ascending=False, kind="stable") if measured else layer
    columns = max(1, round(np.sqrt(len(layer) / 4))) if measured else 1
    rows, columns = grid or (-(-len(layer) // columns), columns)
    step = min(STEP if grid is None else STEP / 2, TALL / max(rows, columns))
    if grid is None and not measured:
        step = min(2 * STEP, TALL / rows)
    row, column = np.divmod(np.arange(len(layer)), columns)
    return ordered.assign(x=step * column, y=step * (row - (rows - 1) / 2), area=(0.8 * min(step, STEP)) ** 2)
