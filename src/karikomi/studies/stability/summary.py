"""From the tables to the answer: barriers with intervals, and a verdict per start and round."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from karikomi.statistics import holm, one_sided
from karikomi.statistics.frames import intervals
from karikomi.studies.show import Answer
from karikomi.studies.stability import answer
from karikomi.studies.stability.settings import StabilitySettings

CONDITION = ["after", "round", "pair"]
MEASURES = ["error_barrier", "loss_barrier", "error", "highest_error", "loss", "distance"]


@dataclass(frozen=True, repr=False)
class StabilitySummary(Answer):
    """What a stability run says. Intervals are 95 %.

    Attributes:
        means: per start, round, pair and measure the mean over replicates: after, round, pair, density, measure, mean,
            low, high, replicates.
        verdicts: per start and round of the twins the p-values that the barrier is below 2 points and above them
            (twice the one-sided ones), Holm's, and the verdict.
    """

    means: pd.DataFrame
    verdicts: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: StabilitySettings) -> StabilitySummary:
    """Summarize the tables of a run."""
    table = tables["table"]
    if table.empty:
        table = pd.DataFrame(columns=["replicate", *CONDITION, "density", *MEASURES])
    density = table.groupby(CONDITION, as_index=False, sort=False)["density"].mean()
    means = density.merge(intervals(table, CONDITION, MEASURES), on=CONDITION)
    verdicts = _verdicts(table)
    cells = means.set_index([*CONDITION, "measure"]).sort_index()
    neighbours = answer.neighbours_table(cells)
    return StabilitySummary(
        headline=answer.in_a_sentence(verdicts),
        explanation=answer.explanation(settings),
        tables=[answer.main_table(cells, verdicts)],
        details=[neighbours] if neighbours.rows else [],
        means=means,
        verdicts=verdicts,
    )


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by start, round, pair and replicate."""
    return tables["table"].set_index([*CONDITION, "replicate"])[MEASURES]


def _verdicts(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (after, number), twins in table[table["pair"] == "twins"].groupby(["after", "round"], sort=False):
        sides = one_sided(twins["error_barrier"].to_numpy(float), answer.STABLE_BELOW)
        where = {"after": after, "round": number, "density": twins["density"].mean()}
        rows.append({**where, "p_stable": sides.below, "p_unstable": sides.above})
    found = pd.DataFrame(rows, columns=["after", "round", "density", "p_stable", "p_unstable"])
    for name in ("p_stable", "p_unstable"):
        found[f"{name}_holm"] = holm(found[name].to_numpy(float))
    found["verdict"] = [answer.verdict(*p) for p in found[["p_stable_holm", "p_unstable_holm"]].to_numpy()]
    return found
