"""The figures of the lottery study, drawn from a result."""

import altair as alt

from karikomi.figures import lottery, wiring
from karikomi.studies.lottery import wiring as tables
from karikomi.studies.result import Result


def accuracy(result: Result) -> alt.TopLevelMixin:
    return lottery.accuracy(result.summary().arms)


def early_stop(result: Result) -> alt.TopLevelMixin:
    return lottery.early_stop(result.summary().arms)


def final_accuracy(result: Result) -> alt.TopLevelMixin:
    return lottery.accuracy(result.summary().arms, "final_test_accuracy")


def learning_curves(result: Result) -> alt.TopLevelMixin:
    return lottery.learning_curves(result.tables["curves"])


def links_per_pixel(result: Result) -> alt.TopLevelMixin | None:
    pixels = tables.pixels(result.folder)
    return wiring.pixel_map(pixels) if len(pixels) else None


def first_layer_mask(result: Result) -> alt.TopLevelMixin | None:
    masks = tables.first_layer(result.folder)
    return wiring.mask_image(masks) if masks else None


def links_per_unit(result: Result) -> alt.TopLevelMixin:
    return wiring.unit_links(tables.units(result.folder))
