"""The ageing study's curves: accuracy over a life, what training gives back, who dies, and what classes are forgotten."""

from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.statistics import mean_interval

ARMS = {
    "none": theme.Arm("no training", "#D55E00", "circle"),
    "retrain": theme.Arm("retrained", "#0072B2", "circle"),
    "sham": theme.Arm("trained, nothing dies", "#333333", "circle"),
    "homeostasis": theme.Arm("survivors scaled", "#E69F00", "circle"),
    "regrowth": theme.Arm("regrown and trained", "#009E73", "circle"),
    "scratch": theme.Arm("from scratch, same size", "#CC79A7", "circle"),
}
HEALTHY, SHAM, SCRATCH = "healthy", "sham", "scratch"
AFTER, BEFORE = "after", "before"
# Arms in which something follows on the deaths.
TREATED = ("retrain", "homeostasis", "regrowth")
MOMENTS = {AFTER: "at the end of the cycle", BEFORE: "after its deaths"}

PATTERN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
CONTROL = "scattered-"
LINKS_CONTROL = "scattered-links"

STATES = {
    "loss": ("test loss (nats)", 1),
    "cka": ("CKA with the healthy network", 1),
    "dormant": ("dormant units", 1),
    "norm": ("norm of the weights", 1),
}


def life(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy over life, a panel per pattern of deaths; dashed: before the survivors were trained.

    What to see: whether retraining keeps the blue line up where the orange one falls, how far below the dark line of
    the same training without deaths it stays, and whether networks from scratch (marks) are better or worse. Lines are
    means over replicates, bands 95 % intervals.

    Args:
        table: a row per network and measurement, with columns replicate, arm, pattern (empty where nothing dies), cycle
            (0: the healthy network), when (before, after), accuracy (0 … 1).
    """
    shown = _curves(table, "accuracy", 100)
    arms = _arms(shown["arm"])
    drawn = shown[(shown["when"] == AFTER) | shown["arm"].isin(TREATED)]
    lines = _labelled(drawn[drawn["arm"] != SCRATCH])
    marks = _labelled(drawn[drawn["arm"] == SCRATCH])
    base = alt.Chart().encode(x=_cycles(), color=_colour(arms))
    y = alt.Y("mean:Q", title="test accuracy (%)", scale=alt.Scale(zero=False))
    dash = alt.StrokeDash(
        "when:N", title=None, scale=alt.Scale(domain=list(MOMENTS.values()), range=[[1, 0], [3, 3]])
    )
    tooltip = _tooltip("arm:N", "test accuracy (%)", ".2f")
    at_end = alt.datum["when"] == MOMENTS[AFTER]
    panels = alt.layer(
        base.transform_filter(alt.datum["arm"] != ARMS[SCRATCH].label)
        .transform_filter(at_end)
        .mark_area(opacity=0.16)
        .encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.transform_filter(alt.datum["arm"] != ARMS[SCRATCH].label)
        .mark_line(strokeWidth=1.8)
        .encode(y=y, strokeDash=dash, tooltip=tooltip),
        base.transform_filter(alt.datum["arm"] == ARMS[SCRATCH].label).mark_rule().encode(y="low:Q", y2="high:Q"),
        base.transform_filter(alt.datum["arm"] == ARMS[SCRATCH].label)
        .mark_point(filled=True, size=50, opacity=1)
        .encode(y=y, tooltip=tooltip),
        data=theme.inline(pd.concat([lines, marks])),
    )
    return theme.styled(_by_pattern(panels, shown["pattern"]))


def recovery(table: pd.DataFrame) -> alt.TopLevelMixin:
    """What each cycle gives back: accuracy at its end minus accuracy after its deaths; the table is that of ``life``.

    What to see: whether what retraining gives back grows or dwindles with age, and how much of it the same training
    gives a network that has lost nothing.
    """
    keys = ["arm", "pattern", "replicate", "cycle"]
    wide = table.pivot(index=keys, columns="when", values="accuracy")
    gained = (wide[AFTER] - wide[BEFORE]).dropna().rename("accuracy").reset_index().assign(when=AFTER)
    shown = _curves(gained[gained["arm"].isin((*TREATED, SHAM))], "accuracy", 100)
    title = "recovered in the cycle (points)"
    base = alt.Chart().encode(x=_cycles(), color=_colour(_arms(shown["arm"])))
    panels = alt.layer(
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(y=alt.Y("mean:Q"), tooltip=_tooltip("arm:N", title, "+.2f")),
        data=theme.inline(_labelled(shown)),
    )
    return theme.styled(_by_pattern(panels, shown["pattern"]))
