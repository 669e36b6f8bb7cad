"""The ageing study's curves: accuracy over a life, what training gives back, who dies, and which classes are lost."""

from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd

from karikomi.figures import theme
from karikomi.statistics import Interval
from karikomi.statistics.frames import intervals

ARMS = {
    "none": theme.Arm("no training", "#D55E00", "circle"),
    "retrain": theme.Arm("retrained", "#0072B2", "circle"),
    "sham": theme.Arm("trained, nothing dies", "#333333", "circle"),
    "homeostasis": theme.Arm("survivors scaled", "#E69F00", "circle"),
    "regrowth": theme.Arm("regrown and trained", "#009E73", "circle"),
    "scratch": theme.Arm("from scratch, same size", "#CC79A7", "circle"),
}
HEALTHY, SHAM, SCRATCH = "healthy", "sham", "scratch"
TREATED = ("retrain", "homeostasis", "regrowth")
"""Arms in which something follows on the deaths."""

AFTER, BEFORE = "after", "before"
MOMENTS = {AFTER: "at the end of a cycle", BEFORE: "after its deaths"}

CONTROL = "scattered-"

HEALTH = {
    "loss": "test loss (nats)",
    "cka": "CKA with the healthy network",
    "dormant": "dormant units",
    "norm": "norm of the weights",
}


def life(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy over life, a panel per pattern of deaths.

    What to see: whether the survivors' line (blue) stays up where that without training falls, how far it stays below
    that of the same training without deaths (dark), and how it compares with networks from scratch (marks with bars).
    Dashed: after a cycle's deaths, before training. Lines are means over replicates, bands 95 % intervals.

    Args:
        table: a row per network and measurement, with columns replicate, arm, pattern (empty where nothing dies), cycle
            (0: the healthy network), when (before, after), accuracy (0 … 1).
    """
    shown = _curves(table, ["arm", "when"], accuracy=100)
    shown = shown[(shown["when"] == AFTER) | shown["arm"].isin(TREATED)]
    moments = theme.scale(dict(zip(MOMENTS.values(), ([1, 0], [3, 3]), strict=True)))
    dash = alt.StrokeDash("when:N", title=None, scale=moments, legend=alt.Legend(symbolType="stroke", orient="bottom"))
    at_end, scratch = alt.datum["when"] == MOMENTS[AFTER], alt.datum["arm"] == ARMS[SCRATCH].label
    base = alt.Chart().encode(x=_cycle(), color=theme.colour_of(shown["arm"], ARMS))
    mean, low, tooltip = _y("test accuracy (%)", "arm", _percent(shown))
    marks = [
        base.transform_filter(at_end & ~scratch).mark_area(opacity=0.16, clip=True).encode(y=low, y2="high:Q"),
        base.transform_filter(~scratch).mark_line(strokeWidth=1.8).encode(y=mean, strokeDash=dash, tooltip=tooltip),
        base.transform_filter(scratch).mark_rule(clip=True).encode(y=low, y2="high:Q"),
        base.transform_filter(scratch).mark_point(filled=True, size=50, opacity=1).encode(y=mean, tooltip=tooltip),
    ]
    return _side_by_side(marks, _in_words(shown), "pattern", shown["pattern"])


def recovery(table: pd.DataFrame) -> alt.TopLevelMixin:
    """What each cycle gives back: accuracy at its end minus accuracy after its deaths; the table is that of ``life``.

    What to see: whether it grows or dwindles with age, and how much of it the same training gives a network that has
    lost nothing.
    """
    wide = table.pivot(index=["arm", "pattern", "replicate", "cycle"], columns="when", values="accuracy")
    gained = (wide[AFTER] - wide[BEFORE]).rename("gained").reset_index()
    shown = _curves(gained[gained["arm"].isin((*TREATED, SHAM))], ["arm"], gained=100)
    base = alt.Chart().encode(x=_cycle(), color=theme.colour_of(shown["arm"], ARMS))
    marks = _bands(base, "recovered in a cycle (points)", "arm")
    return _side_by_side(marks, _in_words(shown), "pattern", shown["pattern"])


def patterns(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy over life by pattern of deaths, a panel per arm; the table is that of ``life``.

    What to see: whether a pattern (full) and its scattered control (dashed, of the same colour) come apart, and whether
    training closes the gap.
    """
    shown = _curves(table[(table["when"] == AFTER) & ~table["arm"].isin((SHAM, SCRATCH))], ["arm"], accuracy=100)
    names = list(shown["pattern"].unique())
    own = [name for name in names if name.removeprefix(CONTROL) not in names or not name.startswith(CONTROL)]
    colours = dict(zip(own, theme.COLOURS, strict=False))
    colours |= {name: colours[name.removeprefix(CONTROL)] for name in names if name not in own}
    dashes = {name: [4, 3] if name.startswith(CONTROL) else [1, 0] for name in names}
    ordered, legend = {name: colours[name] for name in names}, alt.Legend(symbolType="stroke")
    base = alt.Chart().encode(
        x=_cycle(),
        color=alt.Color("pattern:N", title=None, legend=legend, scale=theme.scale(ordered)),
        strokeDash=alt.StrokeDash("pattern:N", title=None, scale=theme.scale(dashes)),
    )
    panels = []
    for arm, group in shown.groupby("arm", sort=False):
        marks = _bands(base, "test accuracy (%)", "pattern", _percent(group))
        panel = alt.layer(*marks, data=theme.inline(_in_words(group)))
        panels.append(panel.properties(width=260, height=180, title=ARMS[str(arm)].label))
    return alt.concat(*panels, columns=2)


def health(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Loss, likeness to the healthy network, dormant units and norms over life, at the end of every cycle.

    What to see: whether a network that keeps its accuracy also keeps its representations, and whether units fall
    dormant and weights grow as it is trained on and on, which goes with losing the ability to learn.

    Args:
        table: as that of ``life``, with loss (nats), cka (0 … 1), dormant (units), norm (√Σ w²).
    """
    ends = table[(table["when"] == AFTER) & (table["arm"] != SCRATCH)]
    shown = _curves(ends, ["arm"], **dict.fromkeys(HEALTH, 1))
    rows = []
    for pattern, group in shown.groupby("pattern", sort=False):
        panels = []
        for measure, title in HEALTH.items():
            data = theme.inline(_in_words(group[group["measure"] == measure]))
            base = alt.Chart().encode(x=_cycle(), color=theme.colour_of(shown["arm"], ARMS))
            panels.append(alt.layer(*_bands(base, title, "arm"), data=data).properties(width=165, height=130))
        rows.append(alt.hconcat(*panels, title=alt.Title(str(pattern), anchor="middle")))
    return alt.vconcat(*rows)


def classes(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy of each class over life, mean over replicates: a panel per arm and pattern.

    What to see: whether all classes fade together or some are forgotten first, and whether training brings them back.

    Args:
        table: a row per class, with columns replicate, arm, pattern, cycle, class, after (0 … 1).
    """
    chosen = table[table["arm"] != SCRATCH]
    means = chosen.groupby(["arm", "pattern", "cycle", "class"], as_index=False)[AFTER].mean()
    means["panel"] = _panel_names(means)
    order = [name for arm in ARMS for name in means.loc[means["arm"] == arm, "panel"].unique()]
    rows = means.assign(accuracy=100 * means[AFTER])[["panel", "cycle", "class", "accuracy"]]
    legend = alt.Legend(orient="right", gradientLength=140)
    colour = alt.Color("accuracy:Q", title=["test accuracy", "of the class (%)"], legend=legend)
    chart = alt.Chart().mark_rect()
    base = chart.encode(
        x=alt.X("cycle:O", title="cycle", axis=alt.Axis(labelOverlap="greedy", labelAngle=0, ticks=False)),
        y=alt.Y("class:O", title="class", axis=alt.Axis(ticks=False)),
        color=colour.scale(scheme="viridis", zero=False),
        tooltip=["cycle:O", "class:O", alt.Tooltip("accuracy:Q", format=".1f")],
    )
    # A facet would draw axes of panels that are not there.
    maps = [
        base.properties(data=theme.inline(rows[rows["panel"] == name]), title=name, width=230, height=130)
        for name in order
    ]
    return alt.concat(*maps, columns=3)


def _curves(table: pd.DataFrame, by: Sequence[str], **factors: float) -> pd.DataFrame:
    """Mean and interval over replicates by pattern, ``by`` and cycle, for every measure: mean, low, high.

    The healthy network begins every curve, and what nothing dies in is in every pattern.
    """
    known = [name for name in table["pattern"].unique() if name]
    arms = [arm for arm in table["arm"].unique() if arm not in (HEALTHY, SCRATCH)]
    healthy = [table[table["arm"] == HEALTHY].assign(arm=arm) for arm in arms]
    whole = pd.concat([table[table["arm"] != HEALTHY], *healthy])
    shared = whole[whole["pattern"] == ""]
    every = pd.concat(
        [whole[whole["pattern"] != ""], *(shared.assign(pattern=name) for name in known or ["no deaths"])]
    )
    frame = intervals(every, ["pattern", *by, "cycle"], list(factors))
    frame[[*Interval._fields]] = frame[[*Interval._fields]].mul(frame["measure"].map(factors), axis=0)
    order = {arm: place for place, arm in enumerate(ARMS)}
    return frame.sort_values(["arm", "cycle"], key=lambda c: c.map(order) if c.name == "arm" else c, kind="stable")


def _in_words(shown: pd.DataFrame) -> pd.DataFrame:
    named = shown.assign(arm=theme.labels(shown["arm"], ARMS))
    return named.assign(when=named["when"].map(MOMENTS)) if "when" in named else named


def _panel_names(table: pd.DataFrame) -> pd.Series:
    several = table.loc[table["pattern"] != "", "pattern"].nunique() > 1
    return theme.labels(table["arm"], ARMS) + (", " + table["pattern"]).where(several & (table["pattern"] != ""), "")


def _bands(base: alt.Chart, title: str, by: str, scale: alt.Scale | None = None) -> list[alt.Chart]:
    mean, low, tooltip = _y(title, by, scale or alt.Scale(zero=False))
    return [
        base.mark_area(opacity=0.16, clip=True).encode(y=low, y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(y=mean, tooltip=tooltip),
    ]


def _percent(shown: pd.DataFrame) -> alt.Scale:
    """A range for shares, which an interval may leave and they cannot."""
    low, high = shown[["mean", "low"]].min().min(), shown[["mean", "high"]].max().max()
    return alt.Scale(domain=[max(0.0, float(low)), min(100.0, float(high))], zero=False)


def _y(title: str, by: str, scale: alt.Scale) -> tuple[alt.Y, alt.Y, list[alt.Tooltip]]:
    """The mean, the interval's lower end, and a tooltip."""
    tooltip = [alt.Tooltip(f"{by}:N"), alt.Tooltip("cycle:Q"), *theme.tooltip(*theme.mean(title, ".4~g"))]
    return alt.Y("mean:Q", title=title, scale=scale), alt.Y("low:Q", title=title, scale=scale), tooltip


def _cycle() -> alt.X:
    return alt.X("cycle:Q", title="cycle", axis=alt.Axis(grid=False, tickMinStep=1))


def _side_by_side(marks: Sequence[alt.Chart], data: pd.DataFrame, by: str, names: Iterable[str]) -> alt.TopLevelMixin:
    order, panels = list(dict.fromkeys(names)), alt.layer(*marks, data=theme.inline(data))
    if len(order) == 1:
        return panels.properties(width=theme.WIDTH, height=theme.HEIGHT)
    sized = panels.properties(width=260, height=180)
    columns = 2 if len(order) in (2, 4) else 3
    return sized.facet(alt.Facet(f"{by}:N", sort=order, title=None), columns=columns)
