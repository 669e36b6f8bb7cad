"""The figures of networks whose links grow: accuracy, units alive, new links, strengths, links of pixels."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.lottery import against_density
from karikomi.figures.wiring import one_pixel_map
from karikomi.statistics.frames import intervals

ARMS = {
    "dense": theme.Arm("dense network", "#333333", "stroke"),
    "dense-matched": theme.Arm("dense, equal arithmetic", "#8C6D31", "cross"),
    "ticket": theme.Arm("ticket", "#0072B2", "circle"),
    "static": theme.Arm("static", "#CC79A7", "diamond"),
    "set": theme.Arm("SET", "#E69F00", "triangle-down"),
    "rigl": theme.Arm("RigL", "#D55E00", "square"),
    "cht": theme.Arm("CHT", "#009E73", "triangle-up"),
}
GROWING = ("set", "rigl", "cht")


def accuracy(arms: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy at the end against density, an arm each; the table is that of :func:`karikomi.figures.lottery.accuracy`.

    What to see: which arms stay above the static mask, and which reach the ticket, as links become few.
    """
    return against_density(arms, "final_test_accuracy", ARMS)


def new_links(graphs: pd.DataFrame) -> alt.TopLevelMixin:
    """The share of the links that were not there at the start, a panel per density.

    What to see: how soon the wiring settles, and how much of the random start is left.

    Args:
        graphs: a row per network and observation, with columns replicate, arm, density, iteration, new (0 … 1).
    """
    shown = graphs[graphs["arm"].isin(GROWING)]
    means = _in_words(intervals(shown, ["density", "arm", "iteration"], ["new"]), percent=True)
    marks = _over_steps("mean:Q", "links that are new (%)", shown["arm"])
    panels = alt.Facet("panel:N", sort=list(means["panel"].unique()), title=None)
    return alt.layer(*marks, data=theme.inline(means)).properties(width=200, height=150).facet(panels, columns=3)


def units_alive(layers: pd.DataFrame) -> alt.TopLevelMixin:
    """Units on a path from the inputs to the outputs, a column per layer, a row per density.

    What to see: inputs that nothing reads and units that die while links grow; a static mask keeps what it has.

    Args:
        layers: a row per network, observation and layer, with columns replicate, arm, density, iteration, layer, alive.
    """
    means = _in_words(intervals(layers, ["density", "arm", "layer", "iteration"], ["alive"]))
    return _by_layer(_over_steps("mean:Q", "units alive", layers["arm"]), means, list(layers["layer"].unique()))


def strengths(layers: pd.DataFrame) -> alt.TopLevelMixin:
    """In-strength of the units of each layer behind the inputs: its median, and the band of the middle 80 %.

    What to see: a band that widens means that a few units gather the weight; one that reaches 0, units without links.

    Args:
        layers: as for :func:`units_alive`, with columns in_strength_low, in_strength_median, in_strength_high.
    """
    columns = {f"in_strength_{which}": which for which in ("low", "median", "high")}
    behind = layers[layers["layer"] != layers["layer"].iloc[0]]
    means = behind.groupby(["density", "arm", "layer", "iteration"], sort=False, as_index=False)[list(columns)].mean()
    means = _in_words(means.rename(columns=columns))
    marks = _over_steps("median:Q", "in-strength, Σ |w|", layers["arm"])
    return _by_layer(marks, means, list(behind["layer"].unique()))


def pixel_maps(pixels: pd.DataFrame) -> alt.TopLevelMixin:
    """How many first-layer links each input pixel has at the end, a row per density, a map per arm.

    What to see: links that grow leave the corners and gather where the digits are, as those of tickets do.

    Args:
        pixels: with columns density, arm, row, column, links.
    """
    rows = []
    for density, group in pixels.groupby("density", sort=False):
        maps = [one_pixel_map(its, ARMS[str(arm)].label) for arm, its in group.groupby("arm", sort=False)]
        title = alt.Title(f"{theme.percent(float(str(density)))} of the links", anchor="start")
        rows.append(alt.hconcat(*maps, spacing=12, title=title).resolve_scale(color="shared"))
    return alt.vconcat(*rows, spacing=16).resolve_scale(color="independent")


def _in_words(means: pd.DataFrame, *, percent: bool = False) -> pd.DataFrame:
    numbers = {name: 100 * means[name] for name in ("mean", "low", "high")} if percent else {}
    panels = [f"{theme.percent(density)} of the links" for density in means["density"]]
    return means.assign(arm=theme.labels(means["arm"], ARMS), panel=panels, **numbers)


def _over_steps(field: str, title: str, arms: pd.Series) -> list[alt.Chart]:
    """A line of ``field`` with a band from ``low`` to ``high``."""
    ticks = alt.Axis(labelExpr="format(datum.value, '~s')", tickCount=3, grid=False)
    y = alt.Y(field, title=title, scale=alt.Scale(zero=False))
    base = alt.Chart().encode(
        x=alt.X("iteration:Q", title="iteration", axis=ticks),
        y=y,
        color=theme.colour_of(arms, ARMS),
        tooltip=[alt.Tooltip("arm:N"), alt.Tooltip("iteration:Q", format=",d"), alt.Tooltip(field, format=".4~g")],
    )
    band = base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q", title=title), y2="high:Q")
    return [band, base.mark_line(strokeWidth=1.8)]


def _by_layer(marks: list[alt.Chart], means: pd.DataFrame, layers: Sequence[str]) -> alt.TopLevelMixin:
    """A row of panels per density, a column per layer."""
    chart = alt.layer(*marks, data=theme.inline(means)).properties(width=150, height=110)
    rows = alt.Row("panel:N", sort=list(means["panel"].unique()), title=None)
    columns = alt.Column("layer:N", sort=list(layers), title=None)
    return chart.facet(row=rows, column=columns).resolve_scale(y="independent")
