"""A figure as a file for a paper: PDF, SVG or PNG, of a given width, its letters as large as captions'."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import vl_convert

from karikomi.errors import InputError
from karikomi.figures.fitted import LETTERS, MM, Layout, drawn, fitted
from karikomi.figures.fonts import set_in
from karikomi.runs.files import write_given

UNITS = {"mm": MM, "cm": 10 * MM, "in": 72.0, "pt": 1.0, "px": 0.75}
"""In points."""

WIDEST = 1000 * MM
PIXELS_PER_INCH = {"px": 96}
"""Of a PNG whose width is given in pixels, so that it has as many."""
PRINT = 300
"""Pixels per inch of any other PNG."""


def publish(chart: Mapping[str, Any], to: Path, width: str | None = None, font: str | None = None) -> None:
    """Write a chart to a file, whole or not at all.

    Args:
        chart: its ``to_dict()``.
        to: the file; its ending decides what it is.
        width: a number with its unit (mm, cm, in, pt, px), such as ``85mm``; by default that of the chart.
        font: families to set it in (see :func:`karikomi.figures.fonts.families`); by default those of the chart.

    Raises:
        InputError: for another ending, a width that is none or too small, or a folder that there is not.
    """
    write, points = check(to, width), None if width is None else _points(width)
    if font is not None:
        chart = set_in(chart, font)
    layout = drawn(chart) if points is None else fitted(chart, points / LETTERS)
    resolution = PIXELS_PER_INCH.get((width or "").strip()[-2:], PRINT)
    write_given(to, write(layout, LETTERS if points is None else points / layout.width, resolution))


def check(to: Path, width: str | None = None) -> Callable[[Layout, float, int], bytes]:
    """What writes such a file; an InputError, before anything is drawn, if something given is wrong."""
    if to.suffix.lower() not in FORMATS:
        raise InputError(f"a figure is written as {', '.join(FORMATS)}; the file is called {to.name}")
    if width is not None:
        _points(width)
    return FORMATS[to.suffix.lower()]


def _points(width: str) -> float:
    found = re.fullmatch(rf"(\d+(?:\.\d+)?) ?({'|'.join(UNITS)})", width.strip())
    points = float(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < points <= WIDEST:
        raise InputError(
            f"width should be a number with its unit ({', '.join(UNITS)}), up to 1000mm, such as 85mm; it is {width!r}"
        )
    return points


def _resized(layout: Layout, scale: float, unit: str = "") -> str:
    """The SVG with its size in points times ``scale``, or without unit in as many pixels."""
    head, rest = layout.svg.split(">", 1)
    for side, size in (("width", layout.width), ("height", layout.height)):
        head = re.sub(rf'\b{side}="[\d.]+"', f'{side}="{scale * size:.6g}{unit}"', head, count=1)
    return f"{head}>{rest}"


FORMATS: Mapping[str, Callable[[Layout, float, int], bytes]] = {
    ".pdf": lambda layout, scale, resolution: vl_convert.svg_to_pdf(_resized(layout, scale)),
    ".svg": lambda layout, scale, resolution: _resized(layout, scale, "pt").encode(),
    ".png": lambda layout, scale, resolution: vl_convert.svg_to_png(_resized(layout, scale), ppi=resolution),
}
"""By ending: from the layout, the points of one of its pixels, and pixels per inch, to the file's content."""
