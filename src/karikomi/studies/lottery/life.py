"""The life of a lottery's tickets, round by round."""

from collections.abc import Iterable

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
    table = result.table[result.table["replicate"] == REPLICATE]
    dense = ticket_snapshots(result.folder, 0)
    if dense is None:
        return None
    (whole, pixels), rounds, strands, curves = dense, range(1 + table["round"].max()), [], []
    start = frames(whole)
    for label in [variant.label for variant in result.settings.variants]:
        own = table[table["variant"].isin(["", label])] if "variant" in table else table
        by_arm = {str(arm): _by_round(rows, rounds) for arm, rows in own.groupby("arm", sort=False)}
        found = [ticket_snapshots(result.folder, number, label) for number in rounds[1:]]
        tickets = {number: seen for each in found if each is not None for number, seen in each[0].items()}
        accuracy = [by_arm["dense"][0], *by_arm.get("ticket", [])[1:]]
        by_class = classes(whole | tickets, len(rounds))
        strands.append(Strand(label or "ticket", [*start, *frames(tickets)], accuracy, by_class, group=label))
        for arm, values in by_arm.items():
            shown = theme.ARMS[arm]
            across = [values[0]] * len(rounds) if arm == "dense" else values
            curves.append(Curve(shown.label, shown.label, shown.colour, across, label))
    left = table.groupby("round")["density"].mean()
    steps = [f"round {number}, {theme.percent(left[number])} of the links" for number in rounds]
    return played(steps, whole, pixels, strands, curves, replaces=["first_layer_mask"])


def _by_round(rows: pd.DataFrame, rounds: Iterable[int]) -> list[float]:
    """Test accuracy; of several re-initializations of a ticket the mean."""
    means = rows.groupby("round")["test_accuracy"].mean()
    return [float(means.get(number, np.nan)) for number in rounds]
