"""A chart laid out for a width: its panels give way, its letters do not."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import vl_convert

from karikomi.errors import InputError
from karikomi.figures.save import VEGA_LITE

MM = 72 / 25.4
LETTERS = 7 / 11
"""Points for a pixel of the chart: its labels of 11 pixels are 7 points high, its titles of 12 are 7.6."""

PARTS = ("layer", "concat", "hconcat", "vconcat")
SIZES = ("continuousWidth", "continuousHeight", "discreteWidth", "discreteHeight", "step")

COMFORTABLE, SMALLEST = 110, 40
"""The least width of a panel, in pixels, for which panels stay side by side, and for which there is a figure at all."""

LARGEST = 64
"""How many times larger a panel becomes at most."""

LEGENDS = (0, 6, 4, 3, 2, 1)
"""Columns of a legend, tried one after the other; 0: all in one row."""

TOLERANCE, TRIES = 0.01, 12
"""How near a width counts as met, as a share of it, and how often it is tried."""


class Layout(NamedTuple):
    """A chart as an SVG of ``width`` × ``height`` pixels, its panels ``scale`` times as large as they were."""

    svg: str
    width: float
    height: float
    scale: float = 1.0


def drawn(chart: Mapping[str, Any]) -> Layout:
    """A chart as it is laid out."""
    svg = vl_convert.vegalite_to_svg(dict(chart), vl_version=VEGA_LITE)
    width, height = re.findall(r'\b(?:width|height)="([\d.]+)"', svg[: svg.index(">")])
    return Layout(svg, float(width), float(height))


def fitted(chart: Mapping[str, Any], width: float) -> Layout:
    """A chart of another width: its panels are scaled, legends and rows of panels break; letters and marks stay.

    Args:
        chart: a chart's ``to_dict()``.
        width: in pixels of the chart.

    Raises:
        InputError: if the chart is not to be read at this width.
    """
    found, least = None, np.inf
    for columns in range(_side_by_side(chart), 0, -1):
        broken = _broken(chart, columns)
        panel = min(_widths(broken), default=COMFORTABLE)
        smallest = min(1.0, SMALLEST / panel)
        narrowest = drawn(_with_legend(_scaled(broken, smallest), LEGENDS[-1]))
        least = min(least, narrowest.width)
        layout = _of_width(broken, width, smallest) if narrowest.width <= width else None
        if layout and (found is None or layout.scale * panel > found.scale * panel):
            found = layout
        if layout and layout.scale * panel >= COMFORTABLE:
            break
    if found is None:
        raise InputError(f"the figure cannot be read at this width; it takes {np.ceil(least * LETTERS / MM):.0f}mm")
    return found


def _of_width(chart: Mapping[str, Any], width: float, smallest: float) -> Layout | None:
    """The chart with a legend of as many columns as the width allows."""
    for columns in LEGENDS:
        legend = _with_legend(chart, columns)
        below = drawn(_scaled(legend, smallest))._replace(scale=smallest)
        if below.width <= width:
            return _between(legend, width, below)
    return None


def _between(chart: Mapping[str, Any], width: float, below: Layout) -> Layout | None:
    """The chart of this width, with larger panels than in a narrower layout; None if panels do not decide it."""

    def at(scale: float) -> Layout:
        return drawn(_scaled(chart, scale))._replace(scale=scale)

    above = below
    while above.width < width:
        below, scale = above, max(1.0, 2 * above.scale)
        if scale > LARGEST:
            return None
        above = at(scale)
    for step in range(TRIES):
        found = min(below, above, key=lambda layout: abs(layout.width - width))
        if abs(found.width - width) <= TOLERANCE * width:
            return found
        # Where a title decides, the width stays as it is: every third step halves what is between.
        share = 0.5 if step % 3 == 2 else (width - below.width) / (above.width - below.width)
        now = at(below.scale + share * (above.scale - below.scale))
        below, above = (now, above) if now.width < width else (below, now)
    return None


def _scaled(chart: Mapping[str, Any], scale: float) -> dict[str, Any]:
    made = deepcopy(dict(chart))
    view = made.get("config", {}).get("view", {})
    view.update({name: scale * view[name] for name in SIZES if name in view})
    for part in views(made):
        sides = ("width",) if _is_rows(part) else ("width", "height")
        for side in sides:
            if isinstance(size := part.get(side), int | float):
                part[side] = scale * size
            elif isinstance(size, Mapping) and "step" in size:
                part[side] = {**size, "step": scale * size["step"]}
    return made


def _is_rows(view: Mapping[str, Any]) -> bool:
    """Whether a name stands at every height, with numbers beside it: names keep their distance."""
    units = [view, *view.get("layer", [])]
    kinds = {axis: {unit.get("encoding", {}).get(axis, {}).get("type") for unit in units} for axis in "xy"}
    return bool(kinds["y"] & {"nominal", "ordinal"}) and not kinds["x"] & {"nominal", "ordinal"}


def _side_by_side(chart: Mapping[str, Any]) -> int:
    """How many panels stand in a row at most."""
    many = [1]
    for view in views(chart):
        panels = len(view.get("hconcat", view.get("concat", ())))
        if "facet" in view:
            panels = len(view["facet"].get("sort") or ()) or view.get("columns", 1)
        many.append(min(panels, view.get("columns", panels)))
    return max(many)


def _broken(chart: Mapping[str, Any], columns: int) -> dict[str, Any]:
    """The chart with at most so many panels in a row, where they are not those of a grid."""
    made = deepcopy(dict(chart))
    for view in views(made):
        if len(view.get("hconcat", ())) > columns:
            view["concat"], view["columns"] = view.pop("hconcat"), columns
        elif "concat" in view or ("facet" in view and "field" in view["facet"]):
            view["columns"] = min(view.get("columns", columns), columns)
    return made


def _with_legend(chart: Mapping[str, Any], columns: int) -> dict[str, Any]:
    config = chart.get("config", {})
    legend = {**config.get("legend", {}), **({"columns": columns} if columns else {})}
    return {**chart, "config": {**config, "legend": legend}}


def _widths(chart: Mapping[str, Any]) -> Iterator[float]:
    yield from (view["width"] for view in views(chart) if isinstance(view.get("width"), int | float))


def views(view: Any) -> Iterator[dict[str, Any]]:
    """A chart and all charts in it, the outer ones first."""
    yield view
    for part in parts(view):
        yield from views(part)


def parts(view: Any) -> list[dict[str, Any]]:
    """The charts that a chart is put together of."""
    return [*(part for name in PARTS for part in view.get(name, [])), *([view["spec"]] if "spec" in view else [])]
