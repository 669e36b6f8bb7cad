"""The knock-out study's figures: what one unit's loss costs, and which scores tell."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.errors import InputError
from karikomi.figures import theme

LAYER_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#333333")
PLAIN = ".3~r"  # 0.0015 and 30, where "g" would write 3e+1
MILLINATS = "rise in loss (0.001 nats)"

# Ticks of an axis that is linear below 1 and logarithmic above.
DECADES = [0, *(sign * step * 10**power for power in range(5) for step in (1, 3) for sign in (-1, 1))]

RANKS_DRAWN = 65

# Panels with axes of their own stand in line only if the axes do not count for their size.
FLUSH = {"row": 54, "column": 44}


def scores(table: pd.DataFrame, associations: pd.DataFrame) -> alt.TopLevelMixin:
    """Each score against the rise in loss when the unit alone is gone, in replicate 0, a panel per score.

    What to see: a score that tells critical units rises from the lower left to the upper right within a colour; where
    only the colours are apart, it tells layers.

    Args:
        table: a row per unit, with columns replicate, layer, loss_rise (nats) and one per score.
        associations: with columns criterion and rho; panels in this order.
    """
    shown = _one_replicate(table)
    names, rhos = list(associations["criterion"]), associations["rho"]
    titles = {name: f"{name}: ρ = {rho:.2f}".replace("-0", "−0") for name, rho in zip(names, rhos, strict=True)}
    rows = shown[["layer", *names]].assign(loss_rise=1000 * shown["loss_rise"])
    points = (
        alt.Chart()
        .mark_point(filled=True, size=11, opacity=1, fillOpacity=0.55)
        .encode(
            x=alt.X("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format=PLAIN)),
            y=alt.Y("loss_rise:Q", **_rise(shown["loss_rise"])),
            color=layer_colour(shown["layer"]),
            tooltip=["layer:N", "score:Q", alt.Tooltip("loss_rise:Q", title=MILLINATS)],
        )
        .properties(width=140, height=110)
    )
    header = alt.Header(labelExpr=f"({json.dumps(titles, ensure_ascii=False)})[datum.value]")
    return theme.styled(
        alt.layer(points, data=theme.inline(rows))
        .transform_fold(names, as_=["criterion", "score"])
        .facet(
            alt.Facet("criterion:N", sort=names, title=None, header=header), columns=4, spacing=FLUSH, bounds="flush"
        )
        .resolve_scale(x="independent")
    )


def associations(found: pd.DataFrame, given: Sequence[str]) -> alt.TopLevelMixin:
    """How well each score tells critical units, with 95 % intervals; in grey, with scores held constant.

    What to see: a score whose interval leaves 0 tells something; one whose grey interval does so too tells something
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
    return theme.styled(
        alt.layer(
            alt.Chart(theme.inline(pd.DataFrame({"rho": [0.0]}))).mark_rule(color="#888888").encode(x=x),
            base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=x["title"]), x2="high:Q"),
            base.mark_point(filled=True, size=50, opacity=1).encode(x=x, tooltip=tooltip),
        ).properties(width=theme.WIDTH, height=24 * len(found))
    )


def cost_by_layer(table: pd.DataFrame) -> alt.TopLevelMixin:
    """The rise in loss when each unit alone is gone, in every layer and replicate, with boxes of the middle half.

    What to see: whether one layer's units cost more than another's in all replicates, and how far the few critical
    ones stand above the rest.

    Args:
        table: a row per unit, with columns replicate, layer, index, loss_rise (nats).
    """
    order = list(table["layer"].unique())
    shown = table[["replicate", "layer", "index"]].assign(
        loss_rise=1000 * table["loss_rise"], jitter=_jitter(len(table))
    )
    colour = layer_colour(table["layer"]).legend(None)
    base = alt.Chart().encode(x=alt.X("replicate:O", title="replicate", axis=alt.Axis(labelAngle=0)))
    y = alt.Y("loss_rise:Q", **_rise(table["loss_rise"]))
    points = base.mark_point(filled=True, size=9, opacity=1, fillOpacity=0.35).encode(
        y=y,
        xOffset=alt.XOffset("jitter:Q", scale=alt.Scale(domain=[-1, 1])),
        color=colour,
        tooltip=["layer:N", "index:Q", alt.Tooltip("loss_rise:Q", title=MILLINATS, format=".3g")],
    )
    quartiles = [f"{name}(loss_rise):Q" for name in ("q1", "median", "q3")]
    box = base.mark_bar(fillOpacity=0, stroke=theme.INK, strokeWidth=1.2, width=22).encode(
        y=alt.Y(quartiles[0], title=MILLINATS), y2=quartiles[2]
    )
    middle = base.mark_tick(color=theme.INK, thickness=2, width=22).encode(y=alt.Y(quartiles[1], title=MILLINATS))
    width = max(60, 48 * table["replicate"].nunique())
    return theme.styled(
        alt.layer(points, box, middle, data=theme.inline(shown))
        .properties(width=width, height=theme.HEIGHT)
        .facet(column=alt.Column("layer:N", sort=order, title=None))
    )


def score_correlations(matrix: pd.DataFrame) -> alt.TopLevelMixin:
    """How scores go together: Spearman's ρ of every one with every other, within layers.

    What to see: blocks of one colour are scores that say the same; the first row is what they tell of criticality.

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
    return theme.styled(
        alt.layer(
            base.mark_rect().encode(color=_diverging("rho:Q", "Spearman's ρ", 1)),
            # ".00" to "1.0" without the sign of 0, which there is no room for.
            base.mark_text(fontSize=8.5).encode(
                text=alt.Text("rho:Q", format=".2f"),
                color=alt.condition("abs(datum.rho) > 0.65", alt.value("white"), alt.value(theme.INK)),
            ),
        ).properties(width=alt.Step(28), height=alt.Step(20))
    )


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
    return theme.styled(
        alt.Chart(theme.inline(means))
        .mark_line(strokeWidth=1.8)
        .encode(
            x=alt.X("rank:Q", title="rank", axis=alt.Axis(tickCount=4, grid=False)),
            y=alt.Y(
                "score:Q",
                title=None,
                axis=alt.Axis(tickCount=4, format=PLAIN),
                scale=alt.Scale(zero=False),
            ),
            color=layer_colour(table["layer"]),
            tooltip=["layer:N", "rank:Q", "score:Q"],
        )
        .properties(width=140, height=90)
        .facet(alt.Facet("criterion:N", sort=list(criteria), title=None), columns=4, spacing=FLUSH, bounds="flush")
        .resolve_scale(y="independent")
    )


def shapley(table: pd.DataFrame, redundant: pd.Series) -> alt.TopLevelMixin:
    """Shapley values, with a standard error to each side, against the rise in loss alone, in replicate 0.

    What to see: units high on the left cost little alone and much together with others; those that cost little in both
    ways are spare.

    Args:
        table: a row per unit, with columns replicate, layer, index, loss_rise (nats), shapley_value and shapley_error
            (accuracy, 0 … 1).
        redundant: which units are ringed, a bool per row.
    """
    shown = _one_replicate(table.assign(redundant=redundant))
    value, error = 100 * shown["shapley_value"], 100 * shown["shapley_error"].fillna(0)
    rows = shown[["layer", "index", "redundant"]].assign(
        loss_rise=1000 * shown["loss_rise"], value=value, low=value - error, high=value + error
    )
    y = alt.Y("value:Q", title="Shapley value (points of accuracy)")
    base = alt.Chart(theme.inline(rows)).encode(x=alt.X("loss_rise:Q", **_rise(shown["loss_rise"])), y=y)
    return theme.styled(
        alt.layer(
            base.mark_rule(opacity=1, strokeOpacity=0.25).encode(
                y=alt.Y("low:Q"), y2="high:Q", color=layer_colour(shown["layer"])
            ),
            base.mark_point(filled=True, size=24, opacity=1, fillOpacity=0.8).encode(
                color=layer_colour(shown["layer"]),
                tooltip=["layer:N", "index:Q", alt.Tooltip("loss_rise:Q", title=MILLINATS), "value:Q"],
            ),
            base.transform_filter("datum.redundant").mark_point(size=90, color=theme.INK, strokeWidth=1.2),
        ).properties(width=theme.WIDTH, height=theme.HEIGHT)
    )


def pairs(table: pd.DataFrame) -> alt.TopLevelMixin:
    """What the loss of two units costs beyond the sum of both alone, for the pairs of replicate 0.

    What to see: pairs above 0 stand in for each other, pairs below 0 need each other.

    Args:
        table: a row per pair, with columns replicate, first_layer, first_index, second_layer, second_index,
            interaction (nats).

    Raises:
        InputError: if there are no pairs.
    """
    if table.empty:
        raise InputError("the table has no pairs")
    shown = _one_replicate(table)
    first, second = (shown[f"{end}_layer"] + ":" + shown[f"{end}_index"].astype(str) for end in ("first", "second"))
    interaction = 1000 * shown["interaction"]
    order = list(dict.fromkeys([*first, *second]))
    halves = [(first, second), (second, first)]
    rows = pd.concat(pd.DataFrame({"unit": a, "other": b, "interaction": interaction}) for a, b in halves)
    # One extreme pair must not leave all others pale.
    limit = float(np.quantile(np.abs(interaction), 0.98)) or 1.0
    return theme.styled(
        alt.Chart(theme.inline(rows))
        .mark_rect()
        .encode(
            x=alt.X("other:N", sort=order, title=None, axis=alt.Axis(labelAngle=-90)),
            y=alt.Y("unit:N", sort=order, title=None),
            color=_diverging("interaction:Q", "interaction (0.001 nats)", limit),
            tooltip=["unit:N", "other:N", alt.Tooltip("interaction:Q", format=".3g")],
        )
        .properties(width=alt.Step(17), height=alt.Step(17))
    )


def layer_colour(names: pd.Series) -> alt.Color:
    """The colour encoding by the field ``layer``, and the legend; layers are in the order of a signal."""
    order = list(dict.fromkeys(names))
    if len(order) > len(LAYER_COLOURS):
        return alt.Color("layer:O", sort=order, title=None, scale=alt.Scale(scheme="viridis"))
    return alt.Color("layer:N", title=None, scale=alt.Scale(domain=order, range=LAYER_COLOURS[: len(order)]))


def _rise(nats: pd.Series) -> dict[str, Any]:
    """Title, scale and axis of a rise in loss in 0.001 nats: linear near 0, logarithmic beyond."""
    low, high = 1000 * nats.min(), 1000 * nats.max()
    ticks = [tick for tick in DECADES if low <= tick <= high]
    scale = alt.Scale(type="symlog", constant=1, domain=[low, high], nice=False, padding=4)
    return {"title": MILLINATS, "scale": scale, "axis": alt.Axis(values=ticks, format="~g")}


def _diverging(field: str, title: str, limit: float) -> alt.Color:
    scale = alt.Scale(scheme="blueorange", domain=[-limit, limit], domainMid=0, clamp=True)
    return alt.Color(field, title=title, scale=scale, legend=alt.Legend(orient="right", gradientLength=140))


def _one_replicate(table: pd.DataFrame) -> pd.DataFrame:
    """Units of different replicates have nothing in common but their number."""
    return table[table["replicate"] == table["replicate"].min()]


def _jitter(size: int) -> np.ndarray:
    """Spread over (−0.8, 0.8), the same at every call: the golden ratio's multiples are evenly spread."""
    return 1.6 * ((np.arange(size) * 0.6180339887) % 1) - 0.8
