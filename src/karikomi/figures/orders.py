"""How orders of lesions are told apart: a panel and a colour per criterion, a dash and a mark by what goes first."""

import itertools
import math
from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from karikomi.figures import theme

CONTROLS = {"random": "#B0B0B0", "layer-matched": "#555555"}
NULLS = {"shuffled": "#B8A46A", "rewired": "#A58BC4", "untrained": "#7FA99B"}
"""Orders by the scores of null networks."""
DASHES = {
    "highest first": [1, 0],
    "lowest first": [5, 3],
    "highest first, adaptive": [9, 2, 2, 2],
    "lowest first, adaptive": [2, 2],
}
SHAPES = dict(zip(DASHES, ("circle", "triangle-down", "square", "diamond"), strict=True))

PANEL_WIDTH, PANEL_HEIGHT, MOST_BESIDE = 200, 140, 4
HEADER = alt.Header(labelFontSize=12, labelPadding=4)


def criteria_of(table: pd.DataFrame) -> list[str]:
    """The criteria of a table; orders that serve all of them have none."""
    return [name for name in table["criterion"].unique() if name]


def first_words(rows: pd.DataFrame) -> pd.Series:
    """What goes first, as the keys of ``DASHES``; orders without scores are drawn like the highest."""
    adaptive = rows["timing"].map({"adaptive": ", adaptive"}).fillna("")
    return rows["direction"].where(rows["direction"] != "", "high") + "est first" + adaptive


def names(rows: pd.DataFrame) -> pd.Series:
    """What goes first, with the criterion: lowest taylor."""
    adaptive = rows["timing"].map({"adaptive": "adaptive "}).fillna("")
    return rows["direction"] + "est " + adaptive + rows["criterion"]


def in_panels(rows: pd.DataFrame, criteria: Sequence[str]) -> pd.DataFrame:
    """The rows of every criterion, with the field ``panel``; those of orders that serve all criteria are in each."""
    return pd.concat([rows[rows["criterion"].isin(("", name))].assign(panel=name) for name in criteria])


def panels(
    marks: alt.Chart | alt.LayerChart | alt.FacetChart, shown: pd.DataFrame, order: Sequence[str]
) -> alt.FacetChart:
    """A panel for every value of the field ``panel``, in as few rows as four beside one another allow."""
    panel = marks.properties(width=PANEL_WIDTH, height=PANEL_HEIGHT)
    facet = alt.Facet("panel:N", sort=list(order), title=None, header=HEADER)
    columns = math.ceil(len(order) / math.ceil(len(order) / MOST_BESIDE))
    return panel.facet(facet, columns=columns, data=theme.inline(shown)).resolve_axis(x="independent")


def colour_of(criteria: Sequence[str], controls: Mapping[str, str], legend: alt.Legend | None) -> alt.Color:
    """The colour encoding by the field ``kind``, a criterion or a control; the panels' titles name the criteria."""
    # With more criteria colours come again: every criterion has its own panel.
    by_criterion = dict(zip(criteria, itertools.cycle(theme.COLOURS), strict=False))
    return alt.Color("kind:N", scale=theme.scale({**by_criterion, **controls}), legend=legend)
