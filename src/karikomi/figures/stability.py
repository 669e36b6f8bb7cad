"""The figures of the stability study: loss and error on the line between twins, and the barriers."""

from typing import Literal

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.lottery import links_left
from karikomi.statistics.frames import intervals

TITLES = {"error": ("test error (%)", 100), "loss": ("test loss (nats)", 1)}
PAIRS = {"twins": "twins", "neighbours": "tickets of neighbouring rounds"}


def along(lines: pd.DataFrame, measure: Literal["error", "loss"]) -> alt.TopLevelMixin:
    """Error or loss on the line between twins, a panel per K, a colour per density; bands are 95 % intervals.

    What to see: a flat line is a stable network, both orders led to one minimum; a hill between the ends is a barrier.

    Args:
        lines: a row per pair and point, with columns replicate, after, round, density, pair, position (0 … 1), error
            (0 … 1), loss (nats).
    """
    title, factor = TITLES[measure]
    twins = lines[lines["pair"] == "twins"]
    key = ["after", "round", "position"]
    means = intervals(twins.assign(value=factor * twins[measure]), key, ["value"])
    density = twins.groupby("round")["density"].mean().map(theme.percent)
    panels = {after: f"K = {after:,}" for after in means["after"].unique()}
    shown = means.assign(left=means["round"].map(density), panel=means["after"].map(panels))
    place, y = "place on the line", {"title": title, "scale": alt.Scale(zero=False)}
    base = alt.Chart().encode(
        x=alt.X("position:Q", title=place, axis=alt.Axis(values=[0, 0.5, 1])),
        color=_colour("left", list(density), "links left"),
        tooltip=theme.tooltip(("left:N", "links left"), ("position:Q", place, ".2f"), *theme.mean(title, ".3~g")),
    )
    marks = alt.layer(
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", **y), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(y=alt.Y("mean:Q", **y)),
    ).properties(width=190, height=190)
    fields = ["panel", "left", "position", "mean", "low", "high"]
    return marks.facet(
        alt.Facet("panel:N", sort=list(panels.values()), title=None), columns=3, data=theme.inline(shown[fields])
    )


def over_iteration(means: pd.DataFrame, stable: float) -> alt.TopLevelMixin:
    """The error barrier between twins against K, a colour per density.

    What to see: from which K on the line lies below the dashed one.

    Args:
        means: the summary, with columns after, round, pair, density (0 … 1), measure, mean, low, high.
        stable: the barrier below which a network is stable, 0 … 1.
    """
    rows = means.query("pair == 'twins'")
    density = rows.groupby("round")["density"].mean().map(theme.percent)
    axis = alt.Axis(values=sorted(rows["after"].unique()), format=",d", grid=False)
    x = alt.X(
        "after:Q", title="K, iterations before the twins part", axis=axis, scale=alt.Scale(type="symlog", constant=20)
    )
    colour = _colour("left", list(density), "links left")
    return _barriers(rows.assign(left=rows["round"].map(density)), x, colour, stable)


def over_density(means: pd.DataFrame, stable: float) -> alt.TopLevelMixin:
    """The error barrier against the links that are left, a colour per K: of twins, and of neighbouring rounds.

    Args: as in :func:`over_iteration`.
    """
    panels = {after: f"K = {after:,}" for after in means["after"].unique()}
    rows = means.assign(left=100 * means["density"], start=means["after"].map(panels), panel=means["pair"].map(PAIRS))
    return _barriers(rows, links_left(rows["left"]), _colour("start", list(panels.values()), None), stable)


def _barriers(rows: pd.DataFrame, x: alt.X, colour: alt.Color, stable: float) -> alt.TopLevelMixin:
    shown = rows[rows["measure"] == "error_barrier"].copy()
    shown[["mean", "low", "high"]] *= 100
    title = "error barrier (points)"
    fields = [name for name in ("panel", "after", "left", "start", "mean", "low", "high") if name in shown]
    base = alt.Chart().encode(x=x, color=colour, tooltip=theme.tooltip(*theme.mean(title, ".2f")))
    marks = alt.layer(
        alt.Chart().mark_rule(color="#888888", strokeDash=[4, 3]).encode(y=alt.datum(100 * stable)),
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=1.8, point=True).encode(y=alt.Y("mean:Q", title=title)),
    )
    data = theme.inline(shown[fields])
    if "panel" not in shown:
        return marks.properties(width=theme.WIDTH, height=theme.HEIGHT, data=data)
    facet = alt.Facet("panel:N", sort=list(PAIRS.values()), title=None)
    return marks.properties(width=270, height=200).facet(facet, columns=2, data=data)


def _colour(field: str, names: list[str], title: str | None) -> alt.Color:
    palette = [theme.INK, *theme.COLOURS]
    colours = {name: palette[place % len(palette)] for place, name in enumerate(names)}
    return alt.Color(f"{field}:N", title=title, scale=theme.scale(colours))
