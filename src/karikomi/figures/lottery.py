"""The lottery study's curves."""

from collections.abc import Iterable, Mapping

import altair as alt
import numpy as np
import pandas as pd

from karikomi.errors import InputError
from karikomi.figures import theme
from karikomi.statistics import Interval
from karikomi.statistics.frames import intervals

# More validations than this in one curve cannot be seen in a panel of 160 points.
CURVE_POINTS = 100


def accuracy(arms: pd.DataFrame, measure: str = "test_accuracy") -> alt.TopLevelMixin:
    """Accuracy against the links that are left.

    What to see: a winning ticket stays on or above the dashed line of the dense network while its links vanish to
    the right; the same mask with other initial weights falls away from it. Bands are 95 % intervals over replicates.

    Args:
        arms: the summary, with columns arm, density (0 … 1), measure, mean, low, high, replicates; accuracies are
            0 … 1 and are drawn in percent.
        measure: ``test_accuracy``, ``final_test_accuracy``, ``train_accuracy`` or ``initial_test_accuracy``, before
            training.

    Raises:
        InputError: where the table has no row of that measure.
    """
    return against_density(arms, measure)


def early_stop(arms: pd.DataFrame) -> alt.TopLevelMixin:
    """The iteration of minimum validation loss against the links that are left; the table is that of ``accuracy``.

    What to see: a winning ticket learns faster than the dense network (below the dashed line) until too few links
    are left. A curve that is flat at the last iteration is a lower bound: the network was still learning.
    """
    return against_density(arms, "early_stop_iteration")


def variants(arms: pd.DataFrame, measure: str = "test_accuracy") -> alt.TopLevelMixin:
    """Accuracy of the tickets of several variants against the links that are left.

    What to see: which criterion, rewinding or allocation keeps its accuracy longest.

    Args:
        arms: the table of :func:`accuracy` with a column variant.
        measure: what is drawn.

    Raises:
        InputError: where the table has no row of that measure.
    """
    dense, tickets = (arms[arms["arm"] == arm] for arm in ("dense", "ticket"))
    shown = pd.concat([dense.drop_duplicates("measure"), tickets.assign(arm=tickets["variant"])])
    return against_density(shown, measure, theme.arms_of(tickets["variant"].unique()))


def against_density(arms: pd.DataFrame, measure: str, known: Mapping[str, theme.Arm] = theme.ARMS) -> alt.TopLevelMixin:
    """Any measure of the summary against the links that are left, the dense network as a line across."""
    rows = arms.loc[arms["measure"] == measure]
    if rows.empty:
        raise InputError(f"the table has no rows of {measure}; it has {', '.join(arms['measure'].unique())}")
    drawn = theme.MEASURES[measure]
    shown = pd.DataFrame(
        {"arm": theme.labels(rows["arm"], known), "left": 100 * rows["density"], "replicates": rows["replicates"]}
        | {column: drawn.factor * rows[column] for column in ("mean", "low", "high")}
    )
    is_dense = rows["arm"] == "dense"
    lit, colour = theme.highlight(), theme.colour_of(rows["arm"], known)
    y = alt.Y("mean:Q", title=drawn.label, scale=alt.Scale(zero=False))
    x = links_left(shown["left"])
    means = theme.mean(drawn.label, drawn.format)
    left = ("left:Q", "links left (%)", ".2~f")
    tooltip = theme.tooltip(("arm:N", "arm"), left, *means, ("replicates:Q", "replicates"))
    dense = alt.Chart(theme.inline(shown.loc[is_dense])).encode(y=y, color=colour, tooltip=tooltip)
    others = alt.Chart(theme.inline(shown.loc[~is_dense])).encode(x=x, y=y, color=colour, tooltip=tooltip)
    faint = alt.when(lit).then(alt.value(0.16)).otherwise(alt.value(0.03))
    full = alt.when(lit).then(alt.value(1)).otherwise(alt.value(0.15))
    return alt.layer(
        dense.mark_rect().encode(y=alt.Y("low:Q"), y2="high:Q", opacity=faint),
        others.mark_area().encode(y=alt.Y("low:Q"), y2="high:Q", opacity=faint),
        dense.mark_rule(strokeDash=[6, 3], strokeWidth=1.5).encode(opacity=full),
        others.mark_line(strokeWidth=2).encode(opacity=full),
        others.mark_point(filled=True, size=45)
        .encode(shape=theme.shape_of(rows["arm"], known), opacity=full)
        .add_params(lit),
    ).properties(width=theme.WIDTH, height=theme.HEIGHT)


def links_left(percents: Iterable[float]) -> alt.X:
    """Links left on a log axis, the whole network at the left, ticks at the densities themselves."""
    ticks = sorted({round(percent, 6) for percent in percents}, reverse=True)
    axis = alt.Axis(values=ticks, labelExpr=theme.PERCENT_LABEL, labelOverlap="parity", labelSeparation=6, grid=False)
    scale = alt.Scale(type="log", domain=[ticks[-1], 100], reverse=True, nice=False, padding=6)
    return alt.X("left:Q", title="links left (%)", axis=axis, scale=scale)


def learning_curves(curves: pd.DataFrame) -> alt.TopLevelMixin:
    """Validation accuracy and loss during training, at about four rounds, the dense network in every panel.

    What to see: whether a ticket learns faster at the start, where its loss is lowest, and how it overfits after.
    Lines are means over replicates (over a replicate's re-initializations first), bands 95 % intervals. The accuracy
    axis leaves out the climb in the first tenth of training. Long curves show every k-th validation.

    Args:
        curves: one row per validation of each network, with columns replicate, arm, round, density, iteration,
            validation_loss (nats), validation_accuracy (0 … 1).
    """
    chosen = theme.spread(curves["round"])
    means = _mean_curves(_thinned(curves.loc[curves["round"].isin((0, *chosen))]))
    dense = means[means["arm"] == "dense"]
    frames = []
    for number in chosen:
        pruned = means[(means["round"] == number) & (means["arm"] != "dense")]
        left = theme.percent(float(np.mean(pruned["density"])) if len(pruned) else 1)
        frames.append(pd.concat([dense, pruned]).assign(panel=f"{left} of links left"))
    shown = pd.concat(frames)
    colour, lit = theme.colour_of(shown["arm"]), theme.highlight()
    shown["arm"] = theme.labels(shown["arm"])
    data, order = theme.inline(shown.drop(columns=["round", "density"])), list(shown["panel"].unique())
    # A format alone would give every tick the same prefix, and 0 the label "0k".
    ticks = alt.Axis(labelExpr="format(datum.value, '~s')", tickCount=4)
    base = alt.Chart().encode(x=alt.X("iteration:Q", title="iteration", axis=ticks), color=colour)
    climbed = shown.loc[shown["iteration"] >= shown["iteration"].max() / 10]
    accuracy_scale = alt.Scale(domain=_span(climbed, "accuracy"), nice=False)
    loss_scale = alt.Scale(type="log", domain=_span(shown, "loss"), nice=False)
    bands = (
        _band(base, "accuracy", "validation accuracy (%)", accuracy_scale, lit),
        _band(base, "loss", "validation loss (nats)", loss_scale, lit),
    )
    panels = [alt.layer(*marks, data=data).properties(width=155, height=125) for marks in bands]
    accuracy, loss = (panel.facet(alt.Facet("panel:N", sort=order, title=None), columns=4) for panel in panels)
    return alt.vconcat(accuracy.add_params(lit), loss)


def _thinned(curves: pd.DataFrame) -> pd.DataFrame:
    iterations = sorted(set(curves["iteration"]))
    every = -(-len(iterations) // CURVE_POINTS)
    # Counted from the end, so that the last validation stays.
    return curves.loc[curves["iteration"].isin(iterations[::-1][::every])]


def _mean_curves(curves: pd.DataFrame) -> pd.DataFrame:
    point = ["arm", "round", "iteration"]
    # Several re-initializations of a replicate become their mean.
    each = curves.groupby([*point, "replicate"], as_index=False).mean(numeric_only=True)
    means = each.groupby(point)[["density"]].mean()
    for measure, factor in (("accuracy", 100), ("loss", 1)):
        name = f"validation_{measure}"
        found = intervals(each[np.isfinite(each[name])], point, [name]).set_index(point)[[*Interval._fields]]
        means = means.join(found.set_axis([measure, f"{measure}_low", f"{measure}_high"], axis=1) * factor)
    return means.reset_index()


def _span(shown: pd.DataFrame, measure: str) -> list[float]:
    means = shown[measure].to_numpy(float)
    lowest = np.nanmin([means, shown[f"{measure}_low"]])
    highest = np.nanmax([means, shown[f"{measure}_high"]])
    # An interval may reach below 0, which no log axis can show: the lowest mean is the bound there.
    return [float(lowest if lowest > 0 else np.nanmin(means)), float(highest)]


def _band(base: alt.Chart, measure: str, title: str, scale: alt.Scale, lit: alt.Parameter) -> list[alt.Chart]:
    tooltip = theme.tooltip(("arm:N", "arm"), ("iteration:Q", "iteration", ",d"), (f"{measure}:Q", title, ".4~g"))
    # "~g" would write 80 as 8e+1 where ticks are tens apart.
    axis = alt.Axis(format="~r", tickCount=5)
    low, mean = (
        alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis, stack=None) for field in (f"{measure}_low", measure)
    )
    faint = alt.when(lit).then(alt.value(0.16)).otherwise(alt.value(0.02))
    full = alt.when(lit).then(alt.value(1)).otherwise(alt.value(0.12))
    return [
        base.mark_area(clip=True).encode(y=low, y2=f"{measure}_high:Q", opacity=faint, tooltip=tooltip),
        base.mark_line(clip=True, strokeWidth=1.5).encode(y=mean, opacity=full, tooltip=tooltip),
    ]
