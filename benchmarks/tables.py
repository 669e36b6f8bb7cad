"""Tables in Markdown, and numbers as they stand in them."""

from collections.abc import Callable, Sequence
from typing import Any


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def by_density(points: Sequence[dict], what: str, shown: Callable[[Any], str]) -> str:
    """Some figures of every network at every density, a column for each name."""
    names = list(dict.fromkeys(name for point in points for name in point[what]))
    cells = [[shown(point[what][name]) if name in point[what] else "" for name in names] for point in points]
    rows = [(point["network"], density_of(point), *row) for point, row in zip(points, cells, strict=True)]
    return table(("network", "density", *names), rows)


def density_of(row: dict) -> str:
    return f"{row['density']:.3f}".rstrip("0").rstrip(".")


def short(microseconds: float) -> str:
    return f"{microseconds:.0f}" if microseconds >= 100 else f"{microseconds:.1f}"
