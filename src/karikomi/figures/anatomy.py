"""The anatomy of tickets: their weights, the links that replicates share, the answers that change."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.lottery import links_left
from karikomi.statistics import ALPHA

STATES = {"initial": "initial weights (σ)", "final": "weights after training (σ)"}
GIVEN = {
    "chance": ("chance: shuffled in the layer", "#888888"),
    "chance_out_of": ("as many links out of each unit", "#E69F00"),
    "chance_into": ("as many links into each unit", "#009E73"),
}
"""What shuffled masks keep, in words, and the colour of its line."""

WHOLE, RAMP = "#BBBBBB", ("#56B4E9", "#0072B2", "#2C1F5F")
BINS = 40
"""In a panel, about."""

ENDS = 0.001
"""The share of weights that an axis may leave out at either end."""


def weights(histograms: pd.DataFrame) -> alt.TopLevelMixin:
    """Which initial weights survive, and what they become: a row per layer, a line per density, all weights in grey.

    What to see: of the initial weights near 0 few survive, so those of a sparse ticket have two peaks.

    Args:
        histograms: weights in bins, with columns replicate, round, density, layer, state (``initial``, ``final``), from
            (σ, of bins of equal width) and weights.
    """
    rounds = [0, *theme.spread(histograms["round"], 3)]
    chosen = histograms[histograms["round"].isin(rounds)]
    by = ["round", "layer", "state"]
    counts = chosen.groupby([*by, "from"], as_index=False, sort=False)[["weights", "density"]].mean()
    counts["share"] = 100 * counts["weights"] / counts.groupby(by)["weights"].transform("sum")
    counts["left"] = counts["round"].map(counts.groupby("round")["density"].mean().map(theme.percent))
    lines = list(counts.drop_duplicates("round").sort_values("round")["left"])
    colour = alt.Color("left:N", title="links left", scale=theme.scale(dict(zip(lines, (WHOLE, *RAMP), strict=False))))
    layers, rows = list(counts["layer"].unique()), []
    for layer in layers:
        panels = []
        for state, title in STATES.items():
            here = _within(counts[(counts["layer"] == layer) & (counts["state"] == state)])
            x = alt.X("from:Q", title=title if layer == layers[-1] else None, axis=alt.Axis(grid=False, tickCount=5))
            y = alt.Y("share:Q", title=f"{layer}: weights (%)" if not panels else None, axis=alt.Axis(tickCount=4))
            tooltip = theme.tooltip(("left:N", "links left"), ("share:Q", "weights (%)", ".2f"))
            drawn = alt.Chart(theme.inline(here[["from", "share", "left"]]))
            base = drawn.encode(x=x, y=y, color=colour, tooltip=tooltip)
            dense = alt.datum.left == lines[0]
            marks = alt.layer(
                base.transform_filter(dense).mark_area(interpolate="step-after", opacity=0.6),
                base.transform_filter(~dense).mark_line(interpolate="step-after", strokeWidth=1.5),
            )
            panels.append(marks.properties(width=235, height=105))
        rows.append(alt.hconcat(*panels, spacing=12))
    return alt.vconcat(*rows, spacing=8)


def _within(counts: pd.DataFrame) -> pd.DataFrame:
    """The bins about 0 between which nearly all weights of the lines lie, joined where there are very many."""
    below = counts.groupby("from")["share"].sum().sort_index().cumsum()
    below /= below.iloc[-1]
    end = max(-below.index[(below > ENDS).argmax()], below.index[(below >= 1 - ENDS).argmax()])
    near = counts[counts["from"].between(-end - 0.5, end + 0.5)]
    width = np.diff(below.index).min() * max(1, int(near["from"].nunique() / BINS))
    wider = near.assign(**{"from": width * np.floor(near["from"] / width)})
    return wider.groupby(["round", "left", "from"], as_index=False, sort=False)["share"].sum()


def links_in_common(shared: pd.DataFrame) -> alt.TopLevelMixin:
    """How many links two replicates' masks have in common, over chance, a panel per layer.

    What to see: above 1 they have more in common than masks that are shuffled in the layer; on a dashed line, as much
    as the links of the units explain.

    Args:
        shared: the summary, with columns round, density (0 … 1), layer, against (``chance``, ``chance_out_of``,
            ``chance_into``), shared, expected, mean, low, high.
    """
    by_chance = shared[shared["against"] == "chance"]
    chance = shared[["round", "layer"]].merge(by_chance, on=["round", "layer"])["expected"].to_numpy()
    nulls = shared.assign(
        mean=shared["expected"] / chance, given=shared["against"].map({n: t for n, (t, _) in GIVEN.items()})
    )
    ratios = {name: 1 + by_chance[name] / by_chance["expected"] for name in ("mean", "low", "high")}
    tickets = by_chance.assign(given=theme.ARMS["ticket"].label, **ratios)
    colours = {theme.ARMS["ticket"].label: theme.ARMS["ticket"].colour, **dict(GIVEN.values())}
    title = "links in common, times chance"
    panels = []
    for layer in shared["layer"].unique():
        seen, known = (
            rows.loc[rows["layer"] == layer, ["given", *columns]].assign(left=100 * rows["density"])
            for rows, columns in ((tickets, ["mean", "low", "high"]), (nulls, ["mean"]))
        )
        x, y = links_left(seen["left"]), alt.Y("mean:Q", title=title, scale=alt.Scale(zero=False))
        base = alt.Chart(theme.inline(seen)).encode(
            x=x, color=alt.Color("given:N", title=None, scale=theme.scale(colours), legend=alt.Legend(labelLimit=0))
        )
        marks = alt.layer(
            base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
            base.mark_line(strokeDash=[5, 3], strokeWidth=1.5).encode(y=y).properties(data=theme.inline(known)),
            base.mark_line(strokeWidth=2, point=True).encode(y=y, tooltip=theme.tooltip(*theme.mean(title, ".3f"))),
        )
        panels.append(marks.properties(width=180, height=170, title=layer))
    return alt.concat(*panels, columns=3)


def recalls(changes: pd.DataFrame) -> alt.TopLevelMixin:
    """Who pays: the change of recall from dense network to ticket by class, a panel per density.

    What to see: a filled mark is shown to differ from 0 (Holm over classes).

    Args:
        changes: the summary, with columns round, density (0 … 1), class, measure (``recall``), mean, low, high (0 … 1)
            and p_holm.
    """
    rows = changes[(changes["measure"] == "recall") & changes["round"].isin(theme.spread(changes["round"]))]
    shown = rows.assign(**{name: 100 * rows[name] for name in ("mean", "low", "high")}, label=rows["class"].astype(str))
    shown["panel"] = shown["density"].map(lambda density: f"{theme.percent(density)} of links left")
    shown["shown"] = shown["p_holm"] < ALPHA
    order = [str(label) for label in sorted(rows["class"].unique())]
    title = "change of recall (points)"
    base = alt.Chart().encode(
        y=alt.Y("label:N", title="class", sort=order, axis=alt.Axis(grid=True)),
        tooltip=theme.tooltip(("label:N", "class"), *theme.mean(title, "+.2f")),
    )
    colour = theme.ARMS["ticket"].colour
    marks = theme.from_zero(base, title, alt.value(colour), 45, color=colour)
    marks = marks.properties(width=150, height=18 * len(order))
    fields = ["panel", "label", "mean", "low", "high", "shown"]
    panels = list(shown.sort_values("round")["panel"].unique())
    facet = alt.Facet("panel:N", sort=panels, title=None)
    return marks.facet(facet, columns=4, data=theme.inline(shown[fields]))


DISAGREEING = {
    "dense": ("ticket and its dense network", "#0072B2"),
    "replicate": ("two replicates", "#E69F00"),
    "majority": ("most tickets and most dense networks", "#222222"),
}


def answers(predictions: pd.DataFrame, agreement: pd.DataFrame, exemplars: pd.DataFrame) -> alt.TopLevelMixin:
    """How many answers on the test set differ, and the calibration error, against the links that are left.

    What to see: a ticket that differs from its dense network no more than tickets of two replicates do from each other
    has learned another solution, not a worse one; images on which majorities differ are what pruning itself changes.

    Args:
        predictions: the summary, with columns round, density (0 … 1), measure (``agreement``, ``calibration_error``),
            mean, low, high (0 … 1).
        agreement: between replicates: round, density, mean, low, high.
        exemplars: round, density, share (0 … 1).
    """
    own = predictions[(predictions["measure"] == "agreement") & (predictions["round"] > 0)]
    parts = {
        "dense": own.assign(mean=1 - own["mean"], low=1 - own["high"], high=1 - own["low"]),
        "replicate": agreement.assign(mean=1 - agreement["mean"], low=1 - agreement["high"], high=1 - agreement["low"]),
        "majority": exemplars.assign(mean=exemplars["share"], low=exemplars["share"], high=exemplars["share"]),
    }
    differing = pd.concat(part.assign(arm=DISAGREEING[name][0]) for name, part in parts.items())
    errors = predictions[predictions["measure"] == "calibration_error"].assign(arm="calibration error")
    colours = dict(DISAGREEING.values())
    colour = alt.Color("arm:N", title=None, scale=theme.scale(colours), legend=alt.Legend(labelLimit=0))
    left = _bands(differing, "different answers (%)", colour)
    right = _bands(errors, "calibration error (%)", alt.value(theme.ARMS["ticket"].colour))
    return alt.hconcat(left, right, spacing=24)


def _bands(rows: pd.DataFrame, title: str, colour: Any) -> Any:
    percents = {name: 100 * rows[name] for name in ("mean", "low", "high")}
    shown = rows.assign(left=100 * rows["density"], **percents)[["left", "arm", *percents]]
    base = alt.Chart(theme.inline(shown)).encode(x=links_left(shown["left"]), color=colour)
    y = alt.Y("mean:Q", title=title)
    return alt.layer(
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=2, point=True).encode(y=y, tooltip=theme.tooltip(*theme.mean(title, ".2f"))),
    ).properties(width=255, height=200)
