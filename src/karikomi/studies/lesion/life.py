"""The life of a lesioned network, unit by unit along the orders of scores."""

import itertools

import numpy as np

from karikomi.figures import orders, theme
from karikomi.report.life import Curve, Life, Strand
from karikomi.runs.files import read_arrays
from karikomi.studies.healthy.viewing import healthy_snapshot
from karikomi.studies.lesion.arms import RANDOM, TARGETED, Arm, targeted_arms
from karikomi.studies.lesion.tables import LESIONS, curves_file, read_scores
from karikomi.studies.life import frames, played
from karikomi.studies.result import Result
from karikomi.studies.snapshots import REPLICATE
from karikomi.studies.stage import records


def life(result: Result) -> Life | None:
    """Replicate 0's network along every targeted order, beside the mean of random ones; None without a snapshot."""
    healthy, s, done = healthy_snapshot(result.folder), result.settings, records(result.folder, LESIONS)
    arms = [arm for arm in targeted_arms(s) if (REPLICATE, arm) in done]
    if healthy is None or not arms:
        return None
    seen, pixels = healthy
    whole, strands, curves, units = frames({0: seen}), [], [], 0
    colours = dict(zip(s.criteria, itertools.cycle(theme.COLOURS), strict=False))
    for arm in arms:
        arrays, _ = read_arrays(curves_file(result.folder, REPLICATE, arm))
        [order], accuracy = arrays[f"{TARGETED}/orders"], arrays[f"{TARGETED}/accuracy"].tolist()
        name = f"{arm.direction}est {arm.criterion}" + (", adaptive" if arm.timing == "adaptive" else "")
        units = len(order)
        removed = np.empty(units, np.int32)
        removed[order] = 1 + np.arange(units)
        by_class = arrays[f"{TARGETED}/class_accuracy"]
        strands.append(Strand(name, whole, accuracy, by_class, removed))
        curves.append(Curve(name, arm.criterion, colours[arm.criterion], accuracy, dashed=arm.direction == "low"))
    if (REPLICATE, Arm()) in done:
        by_chance = read_arrays(curves_file(result.folder, REPLICATE, Arm()))[0][f"{RANDOM}/accuracy"].tolist()
        curves.append(Curve(f"{RANDOM}, mean", RANDOM, orders.CONTROLS[RANDOM], by_chance))
    scores = read_scores(result.folder, REPLICATE)
    own = {name: scores[name] for name in s.criteria if name in scores}
    steps = [f"{step} units removed" for step in range(units + 1)]
    return played(steps, {0: seen}, pixels, strands, curves, scores=own)
