"""Where the surviving links are: the mask as an image, links per pixel, links per unit."""

import base64
import io
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from karikomi.figures import theme

# One bit each, over all rounds: about 400 kB in the page.
LINKS_DRAWN = 5_000_000
BARS = 30
"""In a histogram, at most."""

SIDES = {"into": "links into a unit of the layer", "out of": "links out of a unit before the layer"}


def mask_image(masks: Mapping[int, np.ndarray]) -> alt.TopLevelMixin:
    """A layer's mask as an image: a dark dot for every link that is left, inputs downwards, units across.

    What to see: horizontal white stripes are inputs that have lost all their links. In the page and in a notebook a
    slider goes through the rounds; a file shows the last one.

    Args:
        masks: per round (consecutive numbers) a bool array ``[units, inputs]``. Of a large layer only the last
            rounds are drawn.
    """
    units, inputs = masks[max(masks)].shape
    rounds = sorted(masks)[-max(1, LINKS_DRAWN // (units * inputs)) :]
    point = 784 / max(inputs, units)
    rows = [
        {
            "round": number,
            # One bit per link compresses to its entropy: 14 kB for 784 × 300 links at 10 %.
            "image": png_url(Image.fromarray(~masks[number].T.astype(bool))),
            "label": f"after round {number}: {theme.percent(masks[number].mean())} of the layer's links left",
        }
        for number in rounds
    ]
    control = alt.binding_range(min=rounds[0], max=rounds[-1], step=1, name="pruning round ")
    shown = alt.param(name="pruning_round", value=rounds[-1], bind=control if len(rounds) > 1 else alt.Undefined)
    base = alt.Chart(alt.InlineData(values=rows)).transform_filter("datum.round == pruning_round").add_params(shown)
    return alt.layer(
        base.mark_image(width=alt.expr("width"), height=alt.expr("height"), aspect=False, smooth=point < 1).encode(
            x=alt.XDatum(units / 2, type="quantitative", scale=_extent(units), axis=_ruler("unit")),
            y=alt.YDatum(inputs / 2, type="quantitative", scale=_extent(inputs, down=True), axis=_ruler("input")),
            url="image:N",
        ),
        base.mark_text(align="left", fontSize=12, color=theme.INK).encode(
            x=alt.value(0), y=alt.value(-12), text="label:N"
        ),
    ).properties(width=round(point * units), height=round(point * inputs))


def _extent(size: int, *, down: bool = False) -> alt.Scale:
    return alt.Scale(domain=[0, size], nice=False, reverse=down)


def _ruler(title: str) -> alt.Axis:
    return alt.Axis(title=title, grid=False, tickCount=6)


def png_url(image: Image.Image) -> str:
    """The image itself as the address of a PNG."""
    content = io.BytesIO()
    image.save(content, format="png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def pixel_map(pixels: pd.DataFrame) -> alt.TopLevelMixin:
    """How many first-layer links each input pixel has left, one map per round, each with its own colour scale.

    What to see: the corners, where no digit ever is, lose theirs first.

    Args:
        pixels: with columns round, density (0 … 1), row, column, links.
    """
    maps = [
        one_pixel_map(its, f"{theme.percent(its['density'].iloc[0])} of links left")
        for _, its in pixels.groupby("round")
    ]
    return alt.concat(*maps, columns=4, spacing=18).resolve_scale(color="independent")


def one_pixel_map(pixels: pd.DataFrame, title: str) -> alt.Chart:
    """Links of each pixel, from columns row, column and links."""
    # Whole points per pixel: fractions leave light seams between the rectangles.
    rows, columns = (1 + int(pixels[place].to_numpy().max()) for place in ("row", "column"))
    point = max(1, 150 // max(rows, columns))
    legend = alt.Legend(
        orient="bottom",
        direction="horizontal",
        gradientLength=point * columns,
        gradientThickness=8,
        offset=6,
        tickCount=4,
    )
    base = alt.Chart(theme.inline(pixels.loc[:, ["row", "column", "links"]])).mark_rect()
    return base.encode(
        x=alt.X("column:O", axis=None),
        y=alt.Y("row:O", axis=None),
        color=alt.Color("links:Q", title="links left", scale=alt.Scale(scheme="viridis", zero=True), legend=legend),
        tooltip=theme.tooltip(("row:O", "row"), ("column:O", "column"), ("links:Q", "links left", ".3~r")),
    ).properties(width=point * columns, height=point * rows, title=alt.Title(title))


def unit_links(units: pd.DataFrame) -> alt.TopLevelMixin:
    """How many links of a layer the units have left, at the last round: into its own units, out of those before it.

    What to see: the links into the units are spread evenly, one narrow peak; those out of them are not, and those
    out of the input pixels have two peaks, one of them near 0 (Frankle & Carbin 2019, appendix F.6).

    Args:
        units: with columns round, layer, side (``into`` or ``out of``), unit, links.
    """
    last = units.loc[units["round"] == units["round"].max()]
    layers = list(last["layer"].unique())
    counts = pd.concat(
        _histogram(group["links"].to_numpy()).assign(layer=layer, side=SIDES[side])
        for (layer, side), group in last.groupby(["layer", "side"], sort=False)
    )
    # Where only a few units are counted, Vega would place ticks at halves and round their labels.
    whole_numbers = alt.Axis(tickCount=3, labelExpr="datum.value % 1 ? '' : format(datum.value, ',d')")
    base = alt.Chart(theme.inline(counts)).mark_bar(color=theme.ARMS["ticket"].colour, binSpacing=0.5)
    bars = base.encode(
        x=alt.X("from:Q", bin="binned", title=None, axis=alt.Axis(grid=False, format=",d", tickMinStep=1)),
        x2="to:Q",
        y=alt.Y("units:Q", title="units", axis=whole_numbers),
        tooltip=theme.tooltip(("from:Q", "links from"), ("to:Q", "to below"), ("units:Q", "units")),
    ).properties(width=225, height=85)
    return bars.facet(
        row=alt.Row("layer:N", sort=layers, title=None, header=alt.Header(labelAngle=0, labelAlign="left")),
        column=alt.Column("side:N", sort=list(SIDES.values()), title=None, header=alt.Header(labelOrient="bottom")),
    ).resolve_scale(x="independent", y="independent")


def _histogram(links: np.ndarray) -> pd.DataFrame:
    # Bars as wide as whole links, and from 0, so that "even" and "uneven" can be told by eye.
    width = max(1, int(np.ceil((links.max() + 1) / BARS)))
    counts = np.bincount((links // width).astype(int))
    edges = width * np.arange(len(counts))
    return pd.DataFrame({"from": edges, "to": edges + width, "units": counts})
