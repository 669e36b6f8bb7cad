"""What a chart gets in the page: arms that can be switched off, and zoom."""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

from karikomi.figures.fitted import parts, views

OFF = "off"
"""The charts' parameter that holds the names of what is switched off."""

CONTINUOUS = "quantitative"
AXES, GAP = 70, 20
"""Room for an axis with its title, and between panels, in pixels."""


def arms_of(charts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What the charts tell apart by colour: by field of the data the names, in order, with their colours.

    A field with one name alone has nothing to switch.
    """
    found: dict[str, dict[str, str]] = {}
    for chart in charts:
        for field, colours in _scales(chart):
            found.setdefault(field, {}).update({k: v for k, v in colours.items() if k not in found.get(field, {})})
    return {field: colours for field, colours in found.items() if len(colours) > 1}


def prepared(chart: Mapping[str, Any], arms: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The chart with the parameter ``off``, a list of names of ``arms`` that it leaves out, and with zoom."""
    made = deepcopy(dict(chart))
    made["config"] = {**made.get("config", {}), "background": "transparent"}  # the page's ground shows
    fields = [field for field in dict.fromkeys(field for field, _ in _scales(chart)) if field in arms]
    if fields:
        made["params"] = [{"name": OFF, "value": []}, *made.get("params", [])]
        gone = " && ".join(f"indexof({OFF}, datum['{field}']) < 0" for field in fields)
        for view in views(made):
            if "data" in view:
                view["transform"] = [{"filter": gone}, *view.get("transform", [])]
    if not _independent(made):
        numbers = count()
        for plot in _plots(made):
            _zoomable(plot.get("layer", [plot]), numbers)
    return made


def width_of(chart: Mapping[str, Any]) -> float:
    """About how wide a chart is, in pixels, axes and legends at the side included; infinite where its data say."""
    for name, together in (("hconcat", sum), ("vconcat", max)):
        if name in chart:
            return together(map(width_of, chart[name]))
    if "concat" in chart:
        columns = min(chart.get("columns", math.inf), len(chart["concat"]))
        return columns * max(map(width_of, chart["concat"]))
    if "facet" in chart:
        facet, between = chart["facet"], AXES if "scale" in chart.get("resolve", {}) else GAP
        across = facet if "field" in facet else facet.get("column", {"sort": [None]})
        columns = min(chart.get("columns", math.inf), len(across.get("sort") or ()) or math.inf)
        return AXES + (width_of(chart["spec"]) - AXES + between) * columns
    width = chart.get("width")
    at_side = any(_at_side(view) for view in views(chart))
    return (width if isinstance(width, int | float) else math.inf) + AXES * (1 + at_side)


def _at_side(view: Any) -> bool:
    legend = view.get("encoding", {}).get("color", {}).get("legend") or {}
    return legend.get("orient") == "right"


def _scales(chart: Any) -> Iterator[tuple[str, dict[str, str]]]:
    for view in views(chart):
        colour = view.get("encoding", {}).get("color", {})
        scale = colour.get("scale") or {}
        if colour.get("type") == "nominal" and {"domain", "range"} <= scale.keys():
            yield colour["field"], dict(zip(map(str, scale["domain"]), scale["range"], strict=False))


def _independent(chart: Any) -> bool:
    """Whether panels of a facet have scales of their own, which Vega-Lite cannot bind to one selection."""
    return any("scale" in view.get("resolve", {}) and "facet" in view for view in views(chart))


def _plots(view: Any) -> Iterator[dict[str, Any]]:
    """The unit and layered views of a chart."""
    if "mark" in view or "layer" in view:
        yield view
    else:
        for part in parts(view):
            yield from _plots(part)


def _zoomable(units: list[dict[str, Any]], numbers: Iterator[int]) -> None:
    """Bind a selection to the axes of a plot, given by its layers, if both are continuous."""
    for unit in units:
        axes = [unit.get("encoding", {}).get(axis, {}) for axis in "xy"]
        if all(axis.get("type") == CONTINUOUS and "field" in axis and not axis.get("bin") for axis in axes):
            # Without Ctrl the wheel scrolls the page; a pinch on a trackpad comes as a wheel with Ctrl.
            select = {"type": "interval", "zoom": "wheel![event.ctrlKey || event.metaKey]"}
            unit.setdefault("params", []).append({"name": f"zoom_{next(numbers)}", "select": select, "bind": "scales"})
            for drawn in units:
                if (mark := drawn.get("mark")) is not None:
                    drawn["mark"] = {**(mark if isinstance(mark, dict) else {"type": mark}), "clip": True}
            return
