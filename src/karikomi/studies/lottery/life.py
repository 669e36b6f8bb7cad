"""The life of a lottery's tickets, round by round."""

import numpy as np
import pandas as pd

from karikomi.figures import theme
from karikomi.report.life import Curve, Life, Strand
from karikomi.studies.life import classes, frames, played
from karikomi.studies.lottery.tables import ticket_snapshots
from karikomi.studies.result import Result
from karikomi.studies.snapshots import REPLICATE


def life(result: Result) -> Life | None:
    """Replicate 0's tickets of every variant, and the accuracy of its networks in every arm; None without snapshots."""
    s, table = result.settings, result.table[result.table["replicate"] == REPLICATE]
    rounds, strands, curves, seen, pixels = list(range(s.rounds + 1)), [], [], {}, None
    for variant in s.variants:
        label = variant.label
        own = table[table["variant"].isin(["", label])] if "variant" in table else table
        found = {number: ticket_snapshots(result.folder, number, label) for number in rounds}
        there = {number: each for number, each in found.items() if each is not None}
        by_arm = {str(arm): _by_round(rows, rounds) for arm, rows in own.groupby("arm", sort=False)}
        if 0 in there:
            seen, pixels = {number: each[0][number] for number, each in there.items()}, there[0][1]
            accuracy = [by_arm["dense"][0], *by_arm.get("ticket", [])[1:]]
            every = classes(seen)
            strands.append(Strand(label or "ticket", frames(seen), accuracy, every, group=label))
        for arm, values in by_arm.items():
            shown = theme.ARMS[arm]
            whole = [values[0]] * len(rounds) if arm == "dense" else values
            curves.append(Curve(shown.label, shown.label, shown.colour, whole, label))
    if not strands:
        return None
    left = table.groupby("round")["density"].mean()
    steps = [f"round {number}, {theme.percent(float(left.get(number, np.nan)))} of the links" for number in rounds]
    return played(steps, seen, pixels, strands, curves, replaces=["first_layer_mask"])


def _by_round(rows: pd.DataFrame, rounds: list[int]) -> list[float]:
    """Test accuracy; of several re-initializations of a ticket the mean."""
    means = rows.groupby("round")["test_accuracy"].mean()
    return [float(means.get(number, np.nan)) for number in rounds]
