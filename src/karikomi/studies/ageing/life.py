"""The life of an ageing network, cycle by cycle."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from karikomi.figures import ageing as figures
from karikomi.report.life import Curve, Life, Strand
from karikomi.studies.ageing.lives import NO_PATTERN
from karikomi.studies.ageing.lives import Life as Which
from karikomi.studies.ageing.protocol import AFTER
from karikomi.studies.ageing.schedule import UNITS
from karikomi.studies.ageing.settings import REGROWTH, SCRATCH, SHAM
from karikomi.studies.ageing.tables import drawn, life_snapshot_file, read_schedule
from karikomi.studies.healthy.viewing import healthy_snapshot
from karikomi.studies.life import frames, played
from karikomi.studies.result import Result
from karikomi.studies.snapshots import REPLICATE, read_snapshots


def life(result: Result) -> Life | None:
    """Replicate 0's network in every arm, in one group per pattern of deaths; None without snapshots."""
    healthy, record = healthy_snapshot(result.folder), drawn(result.folder)
    if healthy is None or record is None:
        return None
    seen, pixels = healthy
    steps, [first] = range(record["cycles"] + 1), frames({0: seen}) or [None]
    schedule, strands, curves = read_schedule(result.folder, REPLICATE), [], []
    table = result.table[(result.table["replicate"] == REPLICATE) & (result.table["when"] == AFTER)]
    for pattern in result.settings.drawn:
        for arm in result.settings.arms:
            which = Which(arm, NO_PATTERN if arm == SHAM else pattern)
            accuracy = _by_cycle(table, which, steps)
            shown = figures.ARMS[arm]
            curves.append(Curve(shown.label, shown.label, shown.colour, accuracy, pattern))
            if arm == SCRATCH:
                continue
            paths = {number: life_snapshot_file(result.folder, which, number) for number in steps}
            later = {number: read_snapshots(path)[0][number] for number, path in paths.items() if path.exists()}
            removed = None if arm in (SHAM, REGROWTH) else schedule[pattern].get(UNITS)
            by_class = _classes(result.tables["classes"], which, seen.class_accuracy, steps)
            whole = [first, *frames(later)] if first else []
            strands.append(Strand(shown.label, whole, accuracy, by_class, removed, group=pattern))
    return played([f"cycle {number}" for number in steps], {0: seen}, pixels, strands, curves)


def _by_cycle(table: pd.DataFrame, which: Which, steps: Sequence[int]) -> list[float]:
    own = table[(table["arm"] == which.arm) & (table["pattern"] == which.pattern)].set_index("cycle")["accuracy"]
    healthy = table[table["cycle"] == 0]["accuracy"]
    start = [] if which.arm == SCRATCH else [healthy.iloc[0]]
    return [*start, *(float(own.get(number, np.nan)) for number in steps[len(start) :])]


def _classes(table: pd.DataFrame, which: Which, healthy: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    own = table[(table["replicate"] == REPLICATE) & (table["arm"] == which.arm) & (table["pattern"] == which.pattern)]
    later = own.pivot(index="cycle", columns="class", values=AFTER).reindex(
        index=list(steps[1:]), columns=range(len(healthy))
    )
    return np.vstack([healthy, later.to_numpy()])
