"""The figures of the study of growing networks, drawn from a result."""

import altair as alt

from karikomi.figures import grow
from karikomi.studies.comparisons import comparisons as comparisons
from karikomi.studies.grow import tables
from karikomi.studies.result import Result


def accuracy(result: Result) -> alt.TopLevelMixin:
    return grow.accuracy(result.summary().arms)


def units_alive(result: Result) -> alt.TopLevelMixin | None:
    layers = result.tables["layers"]
    return grow.units_alive(layers) if len(layers) else None


def new_links(result: Result) -> alt.TopLevelMixin | None:
    graphs = result.tables["graphs"]
    return grow.new_links(graphs) if graphs["arm"].isin(grow.GROWING).any() else None


def strengths(result: Result) -> alt.TopLevelMixin | None:
    layers = result.tables["layers"]
    return grow.strengths(layers) if len(layers) else None


def links_per_pixel(result: Result) -> alt.TopLevelMixin | None:
    pixels = tables.pixels(result.folder)
    return grow.pixel_maps(pixels) if len(pixels) else None
