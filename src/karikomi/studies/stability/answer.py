"""When a network is stable, and the answer of the stability study in words and tables."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from karikomi.figures.theme import percent
from karikomi.statistics import ALPHA
from karikomi.studies.publications import LENET_STABLE
from karikomi.studies.show import DisplayTable
from karikomi.studies.stability.settings import StabilitySettings
from karikomi.studies.verdict import NOT_SHOWN, Verdict, by_text
from karikomi.studies.words import headline, p_value, plus_minus

STABLE_BELOW = 0.02
"""The error barrier below which a network is stable (Frankle et al. 2020): 2 points."""

STABLE, UNSTABLE = Verdict("stable", "good"), Verdict("unstable", "bad")
VERDICTS = by_text((STABLE, UNSTABLE))


def verdict(p_stable: float, p_unstable: float) -> Verdict:
    """The verdict from the corrected p-values of both; a NaN shows nothing.

    >>> [str(verdict(*p)) for p in ((0.01, 1), (0.2, 1), (1, 0.01))]
    ['stable', 'not shown', 'unstable']
    """
    return STABLE if p_stable < ALPHA else UNSTABLE if p_unstable < ALPHA else NOT_SHOWN


def in_a_sentence(verdicts: pd.DataFrame) -> str:
    """From which iteration on the dense network is stable, and down to which density its tickets are."""
    if verdicts.empty:
        return "No twins have been trained yet."
    dense, parts = verdicts[verdicts["round"] == 0], []
    stable = dense[dense["verdict"] == STABLE]["after"]
    if len(stable):
        parts.append(f"the dense network is stable from iteration {stable.min()}")
    else:
        known = "unstable" if (dense["verdict"] == UNSTABLE).all() else "not shown to be stable"
        parts.append(f"the dense network is {known} up to iteration {dense['after'].max()}")
    for after, tickets in verdicts[verdicts["round"] > 0].groupby("after"):
        held = tickets[tickets["verdict"] == STABLE]["density"]
        known = f"are stable at {percent(held.max())} to {percent(held.min())} of the links"
        none = "are not shown to be stable at any density"
        parts.append(f"tickets rewound to {after} {known if len(held) else none}")
    return headline(parts)


def explanation(settings: StabilitySettings) -> str:
    """What the numbers mean."""
    return (
        "Twins: two copies of the network after K iterations, optimizer state included, trained to the end under two"
        " minibatch orders (and draws of dropout and augmentation). Error barrier: the highest test error at 30 points"
        " on the straight line between them minus the mean of the two ends (Frankle et al. 2020); loss barrier: the"
        f" same of the loss. Stable: a barrier below {100 * STABLE_BELOW:g} points; unstable: above; else not shown"
        f" ({LENET_STABLE})."
        " One-sided t-tests over replicates; p is two-sided, so that p < 0.05 says that a 95 % interval ends before 2"
        " points, Holm-corrected over all rows. ± is half a 95 % interval. Tickets are found by magnitude in a third"
        " network from the same start, and rewound to K. Neighbours: that network of a round and of the round before."
        " Running statistics of batch normalization are estimated anew at every point, on 2,000 training examples."
    )


def main_table(means: pd.DataFrame, verdicts: pd.DataFrame) -> DisplayTable:
    """Barriers between twins, with verdicts."""
    rows = []
    for row in verdicts.to_dict("records"):
        cells = means.loc[(row["after"], row["round"], "twins")]
        tests = [p_value(row[f"{name}_holm"], row[name]) for name in ("p_stable", "p_unstable")]
        rows.append((f"{row['after']:,}", percent(row["density"]), *_cells(cells), *tests, VERDICTS[row["verdict"]]))
    columns = ("K", "links left", *WRITTEN.values(), "p stable", "p unstable", "verdict")
    return DisplayTable("Between twins that part after K iterations", columns, rows)


def neighbours_table(means: pd.DataFrame) -> DisplayTable:
    """Barriers between tickets of neighbouring rounds."""
    found = means[means.index.get_level_values("pair") == "neighbours"]
    rows = [
        (f"{after:,}", percent(cells["density"].iloc[0]), *_cells(cells.droplevel(["after", "round", "pair"])))
        for (after, _, _), cells in found.groupby(level=["after", "round", "pair"], sort=False)
    ]
    title = "Between the tickets of a round and of the one before, trained under one order"
    return DisplayTable(title, ("K", "links left", *WRITTEN.values()), rows)


WRITTEN: Mapping[str, str] = {
    "error_barrier": "error barrier, points",
    "loss_barrier": "loss barrier, nats",
    "error": "error at the ends, %",
    "distance": "distance",
}


def _cells(by_measure: pd.DataFrame) -> list[str]:
    factors: dict[str, tuple[Any, int]] = {"error_barrier": (100, 2), "loss_barrier": (1, 4), "error": (100, 2)}
    return [plus_minus(by_measure.loc[name], *factors.get(name, (1, 1))) for name in WRITTEN]
