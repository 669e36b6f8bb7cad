"""Figures as files."""

import io
from pathlib import Path

import altair as alt

from karikomi.runs.files import write_whole


def save(chart: alt.TopLevelMixin, folder: Path, name: str) -> list[Path]:
    """Write ``name.png`` (2 pixels per point) and ``name.svg`` into ``folder``, each whole or not at all."""
    png, svg = io.BytesIO(), io.StringIO()
    chart.save(png, format="png", scale_factor=2)
    chart.save(svg, format="svg")
    files = {folder / f"{name}.png": png.getvalue(), folder / f"{name}.svg": svg.getvalue().encode()}
    for path, content in files.items():
        write_whole(path, content)
    return list(files)
