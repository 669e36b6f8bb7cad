"""From what a run keeps to what the viewer of its page plays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from karikomi.graphs.layered import LayeredGraph
from karikomi.graphs.whole import alive
from karikomi.report.life import Curve, Frame, Life, Strand
from karikomi.studies.snapshots import REPLICATE, Snapshot


def frames(snapshots: Mapping[int, Snapshot], places: Mapping[int, int] | None = None) -> list[Frame]:
    """The snapshots as frames, by their times or by the steps that these stand for; without links there is none."""
    return [
        _frame(at if places is None else places[at], seen.graph, seen)
        for at, seen in snapshots.items()
        if seen.graph is not None
    ]


def played(
    steps: Sequence[str],
    snapshots: Mapping[int, Snapshot],
    pixels: tuple[int, int] | None,
    strands: Sequence[Strand],
    curves: Sequence[Curve],
    **more: Any,
) -> Life:
    """The life of networks with the layers of these snapshots."""
    graph = next((seen.graph for seen in snapshots.values() if seen.graph is not None), None)
    layers = dict(zip(graph.layers, graph.sizes, strict=True)) if graph else {}
    pairs = graph.pairs if graph else ()
    hidden = [graph.layers.index(name) for name in graph.hidden] if graph else []
    return Life(f"replicate {REPLICATE}", steps, layers, pairs, hidden, strands, curves, pixels, **more)


def classes(snapshots: Mapping[int, Snapshot], steps: int) -> np.ndarray:
    """Accuracy by class in the snapshots, one after the other, ``[steps, classes]``; NaN behind the last one."""
    found = np.array([seen.class_accuracy for seen in snapshots.values()])
    return np.vstack([found, np.full((steps - len(found), found.shape[1]), np.nan)])


def _frame(at: int, graph: LayeredGraph, seen: Snapshot) -> Frame:
    on_path = alive(graph)
    living = np.concatenate([on_path[name] for name in graph.hidden]) if graph.hidden else np.empty(0, bool)
    return Frame(at, graph.weights, graph.masks, living, seen.loss_rise, seen.class_drop)
