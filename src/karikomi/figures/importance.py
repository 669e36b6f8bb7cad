"""The importance study's figures: what the loss of units costs, alone, together and in pairs."""

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.units import MILLINATS, diverging, layer_colour, one_replicate, rise_axis


def cost_by_layer(table: pd.DataFrame) -> alt.TopLevelMixin:
    """The rise in loss when each unit alone is removed, in every layer and replicate, with boxes of the middle half.

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
    y = alt.Y("loss_rise:Q", **rise_axis(table["loss_rise"]))
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
    return (
        alt.layer(points, box, middle, data=theme.inline(shown))
        .properties(width=width, height=theme.HEIGHT)
        .facet(column=alt.Column("layer:N", sort=order, title=None))
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
    shown = one_replicate(table.assign(redundant=redundant))
    value, error = 100 * shown["shapley_value"], 100 * shown["shapley_error"].fillna(0)
    rows = shown[["layer", "index", "redundant"]].assign(
        loss_rise=1000 * shown["loss_rise"], value=value, low=value - error, high=value + error
    )
    y = alt.Y("value:Q", title="Shapley value (points of accuracy)")
    base = alt.Chart(theme.inline(rows)).encode(x=alt.X("loss_rise:Q", **rise_axis(shown["loss_rise"])), y=y)
    return alt.layer(
        base.mark_rule(opacity=1, strokeOpacity=0.25).encode(
            y=alt.Y("low:Q"), y2="high:Q", color=layer_colour(shown["layer"])
        ),
        base.mark_point(filled=True, size=24, opacity=1, fillOpacity=0.8).encode(
            color=layer_colour(shown["layer"]),
            tooltip=["layer:N", "index:Q", alt.Tooltip("loss_rise:Q", title=MILLINATS), "value:Q"],
        ),
        base.transform_filter("datum.redundant").mark_point(size=90, color=theme.INK, strokeWidth=1.2),
    ).properties(width=theme.WIDTH, height=theme.HEIGHT)


def pairs(table: pd.DataFrame) -> alt.TopLevelMixin:
    """What the loss of two units costs beyond the sum of both alone, for the pairs of replicate 0.

    What to see: pairs above 0 are redundant, pairs below 0 synergistic.

    Args:
        table: a row per pair, with columns replicate, first_layer, first_index, second_layer, second_index,
            interaction (nats).
    """
    shown = one_replicate(table)
    first, second = (shown[f"{end}_layer"] + ":" + shown[f"{end}_index"].astype(str) for end in ("first", "second"))
    interaction = 1000 * shown["interaction"]
    order = list(dict.fromkeys([*first, *second]))
    halves = [(first, second), (second, first)]
    rows = pd.concat(pd.DataFrame({"unit": a, "other": b, "interaction": interaction}) for a, b in halves)
    # One extreme pair must not leave all others pale.
    limit = float(np.quantile(np.abs(interaction), 0.98)) or 1.0
    base = alt.Chart(theme.inline(rows)).mark_rect()
    return base.encode(
        x=alt.X("other:N", sort=order, title=None, axis=alt.Axis(labelAngle=-90)),
        y=alt.Y("unit:N", sort=order, title=None),
        color=diverging("interaction:Q", "interaction (millinats)", limit),
        tooltip=["unit:N", "other:N", alt.Tooltip("interaction:Q", format=".3g")],
    ).properties(width=alt.Step(17), height=alt.Step(17))


def _jitter(size: int) -> np.ndarray:
    """Spread over (−0.8, 0.8), the same at every call: the golden ratio's multiples are evenly spread."""
    return 1.6 * ((np.arange(size) * 0.6180339887) % 1) - 0.8
