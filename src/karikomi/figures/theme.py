"""The look that all figures share: one colour, one mark and one name per arm, fonts, sizes, and data in a chart."""

from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from karikomi.language import DEFAULT, Language

WIDTH, HEIGHT = 500, 285
INK, FAINT = "#222222", "#e4e4e4"
LATIN = "Helvetica Neue, Helvetica, Arial, sans-serif"
JAPANESE = "Hiragino Sans, Yu Gothic, Meiryo, Noto Sans CJK JP, Noto Sans JP, IPAexGothic, IPAGothic, TakaoGothic"
FONTS: Mapping[Language, str] = {"en": LATIN, "ja": f"{JAPANESE}, {LATIN}"}
"""Families by language; the first that is there counts."""

# Okabe & Ito's colours that stand out on white, and a brown.
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")


class Arm(NamedTuple):
    """How an arm is called and drawn."""

    label: str
    colour: str
    shape: str


# SVG paths of marks that Vega does not know, in a square from -1 to 1.
HEXAGON, HOURGLASS = "M1,0L.5,.87L-.5,.87L-1,0L-.5,-.87L.5,-.87Z", "M-1,-1L1,-1L-1,1L1,1Z"
BOW, STAR = "M-1,-1L-1,1L1,-1L1,1Z", "M0,-1L.3,-.3L1,0L.3,.3L0,1L-.3,.3L-1,0L-.3,-.3Z"
SALTIRE = "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z"

# Okabe & Ito's palette and more, told apart with every common kind of colour blindness; the marks differ for print in
# grey.
ARMS = {
    "dense": Arm("dense network", "#333333", "stroke"),
    "ticket": Arm("ticket", "#0072B2", "circle"),
    "reinit": Arm("re-initialized", "#D55E00", "square"),
    "shuffled": Arm("shuffled mask", "#009E73", "triangle-up"),
    "random": Arm("random removal", "#CC79A7", "diamond"),
    "signed-reinit": Arm("re-initialized, signs kept", "#FFA5B4", "cross"),
    "constant": Arm("signed constants", "#87D278", HEXAGON),
    "reshuffled-weights": Arm("weights reshuffled", "#5A5AD2", "arrow"),
    "inverted": Arm("highest removed", "#4B0F87", "wedge"),
    "frozen": Arm("removed weights frozen", "#2DA5FF", HOURGLASS),
    "layerwise-random": Arm("random in each layer", "#2D3C0F", BOW),
    "supermask": Arm("supermask", "#3C2D5A", STAR),
    "noise-0.5": Arm("noise of 0.5 σ", "#190348", SALTIRE),
    "noise-1": Arm("noise of 1 σ", "#2309BC", SALTIRE),
    "noise-2": Arm("noise of 2 σ", "#4B52F5", SALTIRE),
    "noise-3": Arm("noise of 3 σ", "#C0D7FB", SALTIRE),
    "transferred": Arm("transferred ticket", "#56B4E9", "triangle-down"),
    "transferred-reinit": Arm("transferred, re-initialized", "#E69F00", "triangle-left"),
    "transferred-random": Arm("transferred, random mask", "#8C6D31", "triangle-right"),
}


class Measure(NamedTuple):
    """How a measure is called (with its unit), what its numbers are multiplied by, and their format."""

    label: str
    factor: float
    format: str


MEASURES = {
    "early_stop_iteration": Measure("early stop (iteration)", 1, ",.0f"),
    "initial_test_accuracy": Measure("test accuracy before training (%)", 100, ".2f"),
    "test_accuracy": Measure("test accuracy at early stop (%)", 100, ".2f"),
    "final_test_accuracy": Measure("test accuracy after all iterations (%)", 100, ".2f"),
    "train_accuracy": Measure("training accuracy after all iterations (%)", 100, ".2f"),
    "validation_loss": Measure("validation loss at early stop (nats)", 1, ".4f"),
    "test_loss": Measure("test loss at early stop (nats)", 1, ".4f"),
}


def labels(arms: pd.Series, known: Mapping[str, Arm] = ARMS) -> pd.Series:
    """The arms' human names."""
    return arms.map({name: arm.label for name, arm in known.items()})


def colour_of(arms: Iterable[str], known: Mapping[str, Arm] = ARMS) -> alt.Color:
    """The colour encoding by the field ``arm``, and the legend; the same colours whichever arms are there."""
    present = set(arms)
    return alt.Color("arm:N", title=None, scale=scale({a.label: a.colour for n, a in known.items() if n in present}))


def shape_of(arms: Iterable[str], known: Mapping[str, Arm] = ARMS) -> alt.Shape:
    """The mark encoding by the field ``arm``; Vega-Lite joins its legend with the colours'."""
    present = set(arms)
    return alt.Shape("arm:N", title=None, scale=scale({a.label: a.shape for n, a in known.items() if n in present}))


def arms_of(names: Iterable[str]) -> dict[str, Arm]:
    """Colours and marks for any names, and those of the dense network."""
    drawn = zip(names, cycle(COLOURS), cycle(SHAPES), strict=False)
    return {"dense": ARMS["dense"], **{name: Arm(name, colour, shape) for name, colour, shape in drawn}}


def scale(shown: Mapping[str, Any]) -> alt.Scale:
    """By name a colour, a mark or a dash; the legend is in this order."""
    return alt.Scale(domain=list(shown), range=list(shown.values()))


def percent(density: float) -> str:
    """A density in percent, with digits enough to tell densities apart; the same as ``PERCENT_LABEL`` on an axis.

    >>> percent(0.8), percent(0.03568), percent(0.00944)
    ('80 %', '3.6 %', '0.94 %')
    """
    value = 100 * density
    return f"{value:.2g} %" if value < 1 else f"{round(value, 1):g} %"


PERCENT_LABEL = "format(datum.value, datum.value < 1 ? '.2~r' : '.1~f')"


def highlight() -> alt.Parameter:
    """A click on an arm in the legend highlights that arm."""
    # A name of its own: Altair numbers nameless parameters, and the same figure would differ from call to call.
    return alt.selection_point(name="highlight", fields=["arm"], bind="legend")


def spread(rounds: Iterable[int], count: int = 4) -> list[int]:
    """Up to ``count`` of the pruning rounds, spread evenly, with the first and the last; 0 is before any pruning.

    >>> spread(range(11))
    [1, 4, 7, 10]
    """
    known = sorted(set(rounds) - {0}) or [0]
    places = np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int)
    return [known[place] for place in places]


def tooltip(*shown: tuple[str, ...]) -> list[alt.Tooltip]:
    """What is shown of a mark: field, title, and of numbers a format."""
    return [alt.Tooltip(field, title=title, format=(*number, alt.Undefined)[0]) for field, title, *number in shown]


def mean(title: str, number: str, field: str = "mean:Q") -> list[tuple[str, str, str]]:
    """Of a tooltip a mean and its interval, in the format ``number``."""
    return [(field, title, number), ("low:Q", "95 % interval from", number), ("high:Q", "to", number)]


def from_zero(base: alt.Chart, title: str, fill: Any, size: int = 50, **mark: Any) -> alt.LayerChart | alt.FacetChart:
    """Differences with their intervals and a rule at 0; marks have a ``fill`` where ``shown`` to differ from it."""
    filled = alt.condition("datum.shown", fill, alt.value("white"))
    return alt.layer(
        alt.Chart().mark_rule(color="#888888").encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=1.5, **mark).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(size=size, strokeWidth=1.5, opacity=1, **mark).encode(
            x=alt.X("mean:Q", title=title), fill=filled
        ),
    )


def inline(table: pd.DataFrame) -> alt.InlineData:
    """The table's rows as a chart's data: numbers to 6 significant digits, NaN as null.

    Inline data is not subject to Altair's limit of 5,000 rows.
    """
    return alt.InlineData(values=[{k: _plain(v) for k, v in row.items()} for row in table.to_dict("records")])


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def styled(chart: alt.TopLevelMixin) -> alt.TopLevelMixin:
    """The finished figure with the common look."""
    text = {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "labelColor": INK, "titleColor": INK}
    return chart.configure(
        font=FONTS[DEFAULT],
        background="white",
        padding=8,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(gridColor=FAINT, domainColor="#888888", tickColor="#888888", titlePadding=8, **text),
        header=alt.HeaderConfig(**text),
        title=alt.TitleConfig(fontSize=11, fontWeight="normal", color=INK),
        legend=alt.LegendConfig(
            orient="top", symbolSize=70, symbolStrokeWidth=2, symbolOpacity=1, columnPadding=14, **text
        ),
    )
