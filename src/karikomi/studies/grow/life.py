"""The life of sparse networks whose links grow, from their start to the end of training."""

import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.figures.grow import ARMS
from karikomi.report.life import Curve, Life, Strand
from karikomi.studies.grow.tables import growth_file
from karikomi.studies.life import classes, frames, played
from karikomi.studies.result import Result
from karikomi.studies.snapshots import REPLICATE, read_snapshots


def life(result: Result) -> Life | None:
    """Replicate 0's sparse networks at every density, the sparsest first; None without snapshots."""
    tables = (result.tables[name] for name in ("table", "curves"))
    rows, validation = (table[table["replicate"] == REPLICATE] for table in tables)
    last, strands, curves, seen, pixels = result.settings.observations, [], [], {}, None
    for density, arm in sorted(zip(rows["density"], rows["arm"], strict=True), key=lambda which: which[0]):
        path, group = growth_file(result.folder, arm, density), f"{theme.percent(density)} of the links"
        if not path.exists():
            continue
        seen, pixels = read_snapshots(path)
        own = validation[(validation["density"] == density) & (validation["arm"] == arm)]
        accuracy = [_at(own, iteration) for iteration in seen]
        places = {iteration: place for place, iteration in enumerate(seen)}
        shown = ARMS[arm]
        strands.append(Strand(shown.label, frames(seen, places), accuracy, classes(seen, last + 1), group=group))
        curves.append(Curve(shown.label, shown.label, shown.colour, accuracy, group))
    if not strands:
        return None
    steps = [f"{100 * step / last:.0f} % of the training" for step in range(last + 1)]
    return played(steps, seen, pixels, strands, curves, measure="validation accuracy")


def _at(curve: pd.DataFrame, iteration: int) -> float:
    """Accuracy at the last validation so far."""
    so_far = curve[curve["iteration"] <= iteration]["validation_accuracy"]
    return float(so_far.iloc[-1]) if len(so_far) else np.nan
