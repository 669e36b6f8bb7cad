"""The figures of the lottery study, drawn from a result; of several variants a panel for each."""

import warnings
from collections.abc import Callable
from typing import Any, cast

import altair as alt
import pandas as pd

from karikomi.figures import anatomy, lottery, wiring
from karikomi.figures import exemplars as exemplary
from karikomi.runs.files import read_arrays
from karikomi.studies.comparisons import comparisons as comparisons
from karikomi.studies.lottery import wiring as tables
from karikomi.studies.lottery.anatomy_tables import exemplars_file
from karikomi.studies.lottery.answer import BEFORE, UNTRAINED
from karikomi.studies.result import Result


def variants(result: Result) -> alt.TopLevelMixin | None:
    arms = result.summary().arms
    return lottery.variants(arms) if "variant" in arms and (arms["arm"] == "ticket").any() else None


def accuracy(result: Result) -> alt.TopLevelMixin:
    return _each(result.summary().arms, lottery.accuracy)


def initial_accuracy(result: Result) -> alt.TopLevelMixin | None:
    arms = result.summary().arms
    asked = arms["arm"].isin(UNTRAINED).any() and (arms["measure"] == BEFORE).any()
    return _each(arms, lambda arms: lottery.accuracy(arms, BEFORE)) if asked else None


def early_stop(result: Result) -> alt.TopLevelMixin:
    return _each(result.summary().arms, lottery.early_stop)


def final_accuracy(result: Result) -> alt.TopLevelMixin:
    return _each(result.summary().arms, lambda arms: lottery.accuracy(arms, "final_test_accuracy"))


def learning_curves(result: Result) -> alt.TopLevelMixin:
    return _each(result.tables["curves"], lottery.learning_curves)


def links_per_pixel(result: Result) -> alt.TopLevelMixin | None:
    pixels = tables.pixels(result.folder)
    return wiring.pixel_map(pixels) if len(pixels) else None


def first_layer_mask(result: Result) -> alt.TopLevelMixin | None:
    masks = tables.first_layer(result.folder)
    return wiring.mask_image(masks) if masks else None


def links_per_unit(result: Result) -> alt.TopLevelMixin:
    return wiring.unit_links(tables.units(result.folder))


def weights(result: Result) -> alt.TopLevelMixin | None:
    return anatomy.weights(result.tables["histograms"]) if result.summary().anatomy else None


def links_in_common(result: Result) -> alt.TopLevelMixin | None:
    found = result.summary().anatomy
    return anatomy.links_in_common(found.shared) if found and len(found.shared) else None


def answers(result: Result) -> alt.TopLevelMixin | None:
    found = result.summary().anatomy
    return found and anatomy.answers(found.predictions, found.agreement, found.exemplars)


def exemplars(result: Result) -> alt.TopLevelMixin | None:
    file = exemplars_file(result.folder)
    if not file.exists():
        return None
    kept, images = read_arrays(file)[0], result.tables["images"]
    pixels = kept["pixels"]
    if len(pixels) == 0 or not (pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[1] in (1, 3))):
        return None
    last = images[images["round"] == images["round"].max()].set_index("image", drop=False)
    return exemplary.exemplars(last.loc[kept["image"]], pixels)


def recalls(result: Result) -> alt.TopLevelMixin | None:
    found = result.summary().anatomy
    return found and anatomy.recalls(found.recalls)


def _each(table: pd.DataFrame, draw: Callable[[pd.DataFrame], Any]) -> alt.TopLevelMixin:
    labels = [label for label in table.get("variant", pd.Series(dtype=str)).unique() if label]
    if not labels:
        return draw(table)
    parts = {label: table[table["variant"].isin(["", label])].drop(columns="variant") for label in labels}
    with warnings.catch_warnings():
        # A click in one legend is to count in all panels, of which Altair warns.
        warnings.filterwarnings("ignore", "Automatically deduplicated selection parameter")
        drawn = (_named_apart(draw(part), label) for label, part in parts.items())
        return alt.vconcat(*(chart.properties(title=label) for chart, label in zip(drawn, parts, strict=True)))


def _named_apart(chart: Any, label: str) -> Any:
    """A chart whose rows of panels have names of their own.

    Altair makes names from what is drawn, not from the data, and tells rows apart in one chart, not in several.
    """
    if isinstance(chart, alt.VConcatChart):
        rows, params = cast(Any, chart.vconcat), cast(Any, chart.params)
        for view in (mark for row in rows for mark in row.spec.layer if isinstance(mark.name, str)):
            view.name = f"{view.name} {label}"
        for param in params:
            param.views = [f"{view} {label}" for view in param.views]
    return chart
