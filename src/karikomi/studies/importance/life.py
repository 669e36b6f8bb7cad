"""A network without each of its units alone, the most important ones first."""

from dataclasses import replace

import numpy as np

from karikomi.figures.theme import COLOURS
from karikomi.report.life import Curve, Life, Strand
from karikomi.studies.healthy.viewing import healthy_snapshot
from karikomi.studies.importance.tables import measured
from karikomi.studies.life import frames, played
from karikomi.studies.result import Result
from karikomi.studies.snapshots import REPLICATE


def life(result: Result) -> Life | None:
    """Replicate 0's network; None without a snapshot or before it is measured."""
    healthy, record = healthy_snapshot(result.folder), measured(result.folder).get(REPLICATE)
    if healthy is None or record is None:
        return None
    units, classes, networks = (
        result.tables[name].query("replicate == @REPLICATE") for name in ("table", "classes", "networks")
    )
    drops = classes.pivot(index="unit", columns="class", values="accuracy_drop").to_numpy()
    # The study's own measurement, with what it puts in the place of units.
    seen = replace(healthy[0], loss_rise=units["loss_rise"].to_numpy(), class_drop=drops)
    order = np.argsort(-units["loss_rise"].to_numpy(), kind="stable")
    whole = float(networks["accuracy"].iloc[0])
    accuracy = [whole, *(whole - units["accuracy_drop"].to_numpy()[order])]
    removed = np.empty(len(order), np.int32)
    removed[order] = 1 + np.arange(len(order))
    by_class = seen.class_accuracy - np.vstack([0 * drops[0], drops[order]])
    places = list(zip(units["layer"], units["index"], strict=True))
    steps = ["the whole network", *("without {}, unit {}".format(*places[unit]) for unit in order)]
    curve = Curve("without one unit", "", COLOURS[0], accuracy)
    strand = Strand("each alone", frames({0: seen}), accuracy, by_class, removed, alone=True)
    scores = {name: units[name].to_numpy() for name in record["scores"]}
    return played(steps, {0: seen}, healthy[1], [strand], [curve], scores=scores)
