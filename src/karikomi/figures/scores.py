"""Figures of the scores of units: against what their loss costs, against each other, and by rank."""

import json
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.units import LAYER_COLOURS, MILLINATS, diverging, layer_colour, one_replicate, rise_axis

PLAIN = ".3~r"  # 0.0015 and 30, where "g" would write 3e+1
RANKS_DRAWN = 65

# Panels with axes of their own stand in line only if the axes do not count for their size.
FLUSH = {"row": 54, "column": 44}


def scatter(table: pd.DataFrame, associations: pd.DataFrame) -> alt.TopLevelMixin:
    """Each score against the rise in loss when the unit alone is gone, in replicate 0, a panel per score.

    What to see: a score that predicts unit importance rises from the lower left to the upper right within a colour;
    where only the colours are apart, it predicts layers.

    Args:
        table: a row per unit, with columns replicate, layer, loss_rise (nats) and one per score.
        associations: with columns criterion and rho; panels in this order.
    """
    shown = one_replicate(table)
    names, rhos = list(associations["criterion"]), associations["rho"]
    titles = {name: f"{name}: ρ = {rho:.2f}".replace("-0", "−0") for name, rho in zip(names, rhos, strict=True)}
    rows = shown[["layer", *names]].assign(loss_rise=1000 * shown["loss_rise"])
    base = alt.Chart().mark_point(filled=True, size=11, opacity=1, fillOpacity=0.55)
    points = base.encode(
        x=alt.X("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format=PLAIN)),
        y=alt.Y("loss_rise:Q", **rise_axis(shown["loss_rise"])),
        color=layer_colour(shown["layer"]),
        tooltip=["layer:N", "score:Q", alt.Tooltip("loss_rise:Q", title=MILLINATS)],
    ).properties(width=140, height=110)
    header = alt.Header(labelExpr=f"({json.dumps(titles, ensure_ascii=False)})[datum.value]")
    return (
        alt.layer(points, data=theme.inline(rows))
        .transform_fold(names, as_=["criterion", "score"])
        .facet(
            alt.Facet("criterion:N", sort=names, title=None, header=header), columns=4, spacing=FLUSH, bounds="flush"
        )
        .resolve_scale(x="independent")
    )


def associations(found: pd.DataFrame, given: Sequence[str]) -> alt.TopLevelMixin:
    """How well each score predicts unit importance, with 95 % intervals; in grey, with scores held constant.

    What to see: a score whose interval leaves 0 predicts something; one whose grey interval does so too, something
    that the scores held constant do not.

    Args:
        found: with columns criterion, rho, low, high, partial_rho, partial_low, partial_high.
        given: the scores held constant; without any there is nothing grey.
    """
    whole = found[["criterion", "rho", "low", "high"]].assign(kind="alone")
    part = found[["criterion", "partial_rho", "partial_low", "partial_high"]].set_axis(whole.columns[:4], axis=1)
    held = f"with {' and '.join(given)} held constant"
    rows = pd.concat([whole, part.assign(kind=held)] if given else [whole]).dropna(subset=["rho"])
    kinds = ["alone", held] if given else ["alone"]
    base = alt.Chart(theme.inline(rows)).encode(
        y=alt.Y("criterion:N", sort=list(found["criterion"]), title=None, axis=alt.Axis(labelLimit=200)),
        yOffset=alt.YOffset("kind:N", sort=kinds, scale=alt.Scale(paddingOuter=0.5)),
        color=alt.Color(
            "kind:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=[LAYER_COLOURS[0], "#999999"]),
            legend=alt.Legend(symbolType="circle", labelLimit=400) if given else None,
        ),
    )
    x = alt.X("rho:Q", title="Spearman's ρ with the rise in loss, within layers")
    tooltip = ["criterion:N", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("rho", "low", "high"))]
    return alt.layer(
        alt.Chart(theme.inline(pd.DataFrame({"rho": [0.0]}))).mark_rule(color="#888888").encode(x=x),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=x["title"]), x2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(x=x, tooltip=tooltip),
    ).properties(width=theme.WIDTH, height=24 * len(found))


def correlations(matrix: pd.DataFrame) -> alt.TopLevelMixin:
    """How scores go together: Spearman's ρ of every one with every other, within layers.

    What to see: blocks of one colour are scores that say the same; the first row is how they predict importance.

    Args:
        matrix: ρ, a row and a column per score, in the order of the figure.
    """
    names = list(matrix.columns)
    rows = matrix.rename_axis("score").reset_index().melt("score", var_name="other", value_name="rho")
    base = alt.Chart(theme.inline(rows.dropna())).encode(
        x=alt.X("other:N", sort=names, title=None, axis=alt.Axis(labelAngle=-45, labelLimit=200)),
        y=alt.Y("score:N", sort=names, title=None, axis=alt.Axis(labelLimit=200)),
        tooltip=["score:N", "other:N", alt.Tooltip("rho:Q", format=".2f")],
    )
    return alt.layer(
        base.mark_rect().encode(color=diverging("rho:Q", "Spearman's ρ", 1)),
        base.mark_text(fontSize=8.5).encode(
            text=alt.Text("rho:Q", format=".2f"),
            color=alt.condition("abs(datum.rho) > 0.65", alt.value("white"), alt.value(theme.INK)),
        ),
    ).properties(width=alt.Step(28), height=alt.Step(20))


def ranks(table: pd.DataFrame, criteria: Sequence[str]) -> alt.TopLevelMixin:
    """The rank curve of each score in each layer, mean over replicates: units from the highest to the lowest.

    What to see: a steep beginning is a score that few units hold; a flat line one that hardly tells units apart.

    Args:
        table: a row per unit, with columns replicate, layer, and one per score.
        criteria: the scores, a panel each in this order.
    """
    frames = []
    for (layer, _), units in table.groupby(["layer", "replicate"], sort=False):
        places = np.linspace(0, len(units) - 1, min(RANKS_DRAWN, len(units)))
        for name in criteria:
            descending = np.sort(units[name].to_numpy(float))[::-1]
            curve = np.interp(places, np.arange(len(units)), descending)
            frames.append(pd.DataFrame({"layer": layer, "criterion": name, "rank": 1 + places, "score": curve}))
    means = pd.concat(frames).groupby(["layer", "criterion", "rank"], sort=False, as_index=False).mean()
    base = alt.Chart(theme.inline(means)).mark_line(strokeWidth=1.8)
    lines = base.encode(
        x=alt.X("rank:Q", title="rank", axis=alt.Axis(tickCount=4, grid=False)),
        y=alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format=PLAIN)),
        color=layer_colour(table["layer"]),
        tooltip=["layer:N", "rank:Q", "score:Q"],
    ).properties(width=140, height=90)
    panels = alt.Facet("criterion:N", sort=list(criteria), title=None)
    return lines.facet(panels, columns=4, spacing=FLUSH, bounds="flush").resolve_scale(y="independent")
