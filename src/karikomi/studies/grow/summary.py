"""From the tables to the answer: means, paired differences, verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from karikomi.figures.theme import percent
from karikomi.statistics.frames import Question, differences, intervals
from karikomi.studies.grow import answer
from karikomi.studies.grow.settings import GrowSettings
from karikomi.studies.result import Result
from karikomi.studies.show import Answer

MEASURES = ("final_test_accuracy", "test_accuracy", "new", "arithmetic", "early_stop_iteration", "validation_loss")
COMPARED = ("final_test_accuracy", "test_accuracy")
AGAINST = ("static", "ticket", "set", "dense-matched", "dense")


@dataclass(frozen=True, repr=False)
class GrowSummary(Answer):
    """What a run of the study of growing networks says. Intervals are 95 %.

    Attributes:
        arms: per density, arm and measure the mean over replicates: mean, low, high, replicates. ``arithmetic`` is the
            training's multiply-adds over those of the dense network.
        differences: paired by replicate, per density, arm, ``against`` and measure: mean, low, high, p (paired t-test,
            two-sided), p_holm (Holm over arms and densities of the same comparison and measure) and a verdict.
        alive: units on a path from the inputs to the outputs in the end, per density, arm and layer: mean, low, high.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    alive: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: GrowSettings) -> GrowSummary:
    """Summarize the tables of a run."""
    each = by_replicate(tables).reset_index()
    arms = intervals(each, ["density", "arm"], MEASURES)
    compared, alive = _differences(each), _alive(tables["layers"])
    details = [other for other in AGAINST if other not in answer.ASKED]
    return GrowSummary(
        headline=answer.in_a_sentence(compared),
        explanation=answer.explanation(settings),
        tables=[answer.arms_table(arms, alive), *answer.comparisons(compared, answer.ASKED)],
        details=[*answer.comparisons(compared, details)],
        arms=arms,
        differences=compared,
        alive=alive,
    )


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by density, arm and replicate."""
    return tables["table"].set_index(["density", "arm", "replicate"])[list(MEASURES)]


def comparisons(result: Result) -> pd.DataFrame:
    """The paired differences, by density; those from one arm are one family."""
    found = result.summary().differences
    pairs = found["arm"] + " minus " + found["against"]
    return found.assign(comparison=pairs, family=found["against"], at=found["density"].map(percent))


def _differences(each: pd.DataFrame) -> pd.DataFrame:
    wide, questions = each.set_index(["density", "arm", "replicate"]).sort_index(), []
    pairs = each[["density", "arm"]].drop_duplicates().itertuples(index=False, name=None)
    present = set(wide.index.droplevel("replicate"))
    for density, arm in pairs:
        for against in AGAINST if density < 1 else ():
            beside = (1.0 if against == "dense" else density, against)
            if arm == against or beside not in present:
                continue
            ours, theirs = wide.loc[(density, arm)], wide.loc[beside]
            where = {"density": density, "arm": arm, "against": against}
            questions += [Question({**where, "measure": name}, ours[name], theirs[name]) for name in COMPARED]
    found = differences(questions, ["density", "arm", "against", "measure"], family=["against", "measure"])
    found["verdict"] = [answer.verdict(*row) for row in found[["mean", "p_holm"]].to_numpy()]
    return found


def _alive(layers: pd.DataFrame) -> pd.DataFrame:
    if layers.empty:
        return pd.DataFrame(columns=["density", "arm", "layer", "mean"])
    last = layers.groupby(["density", "arm"])["iteration"].transform("max")
    return intervals(layers[layers["iteration"] == last], ["density", "arm", "layer"], ["alive"])
