"""Figures as files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from karikomi.runs.files import write_whole

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version of Vega-Lite that Altair writes and everything here reads."""

PIXELS_PER_POINT = 2
PIXELS_PER_INCH = 72


def save(spec: Mapping[str, Any], folder: Path, name: str) -> list[Path]:
    """Write ``name.png`` (2 pixels per point) and ``name.svg`` into ``folder``, each whole or not at all.

    Args:
        spec: a chart's ``to_dict()``.
        folder: where to; it must exist.
        name: without ending.
    """
    svg = vl_convert.vegalite_to_svg(dict(spec), vl_version=VEGA_LITE)
    # Drawn from the SVG: laying the chart out takes most of the time.
    png = vl_convert.svg_to_png(svg, scale=PIXELS_PER_POINT, ppi=PIXELS_PER_INCH)
    files = {folder / f"{name}.png": png, folder / f"{name}.svg": svg.encode()}
    for path, content in files.items():
        write_whole(path, content)
    return list(files)
