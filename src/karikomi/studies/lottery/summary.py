"""From the table to the answer: means with intervals, paired differences, a verdict per density."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from karikomi.statistics import holm, one_sided
from karikomi.statistics.frames import Question, differences, intervals
from karikomi.studies.lottery import answer
from karikomi.studies.lottery.answer import ACCURACY_MARGIN
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.show import Answer
from karikomi.studies.words import check_margin

MEASURES = (
    "early_stop_iteration",
    "test_accuracy",
    "test_loss",
    "final_test_accuracy",
    "train_accuracy",
    "validation_loss",
)
COMPARED = ("early_stop_iteration", "test_accuracy", "final_test_accuracy")


@dataclass(frozen=True, repr=False)
class LotterySummary(Answer):
    """What a lottery run says.

    Attributes:
        arms: per arm, round and measure the mean and 95 % interval over replicates (re-initializations of one ticket
            are averaged first): arm, round, density, links, measure, mean, low, high, replicates.
        differences: paired by replicate, per arm, round, measure and ``against`` (dense, reinit; of transferred tickets
            also this run's own and their controls): mean, low, high, p (paired t-test, two-sided) and p_holm (Holm over
            the rounds of the same comparison and measure).
        verdicts: per round the ticket's verdict against the dense network, with the p-values of winning and of lost
            (twice the one-sided ones, so that they say what a 95 % interval says), and Holm's.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    verdicts: pd.DataFrame


def summarize(
    tables: Mapping[str, pd.DataFrame], settings: LotterySettings, *, accuracy_margin: float = ACCURACY_MARGIN
) -> LotterySummary:
    """Summarize the tables of a lottery.

    A ticket is *winning* if it is shown to be no slower and no less accurate than the dense network: both paired
    differences lie within the margins, by one-sided t-tests. It is *lost* if it is shown to be slower or less accurate
    by more than the margin. Holm-corrected over the rounds. Else, *not shown*.
    """
    check_margin(accuracy_margin)
    networks = by_replicate(tables).reset_index()
    sizes = networks.groupby(["arm", "round"], as_index=False, sort=False)[["density", "links"]].mean()
    arms = sizes.round({"links": 0}).merge(intervals(networks, ["arm", "round"], MEASURES), on=["arm", "round"])
    compared = _differences(networks)
    verdicts = _verdicts(networks, accuracy_margin)
    cells = arms.set_index(["arm", "round", "measure"])
    return LotterySummary(
        headline=answer.in_a_sentence(verdicts, compared),
        explanation=answer.explanation(accuracy_margin),
        tables=answer.main_tables(cells, compared, verdicts, settings, accuracy_margin),
        details=answer.detail_tables(cells, compared, settings),
        arms=arms,
        differences=compared,
        verdicts=verdicts,
    )


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by arm, round and replicate; re-initializations of one ticket are averaged."""
    networks = tables["table"].groupby(["arm", "round", "replicate"], sort=False)
    return networks[["density", "links", *MEASURES]].mean()


def _differences(each: pd.DataFrame) -> pd.DataFrame:
    wide = each.set_index(["arm", "round", "replicate"])[list(COMPARED)].sort_index()
    present, questions = set(each["arm"]), []
    for arm, number in each[["arm", "round"]].drop_duplicates().itertuples(index=False):
        for against in ("dense", "reinit", *(answer.TRANSFER_CONTROLS if arm == "transferred" else ())):
            if arm in ("dense", against) or against not in present:
                continue
            ours, theirs = wide.loc[(arm, number)], wide.loc[(against, 0 if against == "dense" else number)]
            where = {"arm": arm, "against": against, "round": number}
            questions += [Question({**where, "measure": name}, ours[name], theirs[name]) for name in COMPARED]
    return differences(questions, ["arm", "against", "round", "measure"], family=["arm", "against", "measure"])


def _verdicts(each: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Winning: within both margins, so the larger p (Berger 1982); lost: beyond either, so the smaller."""
    wide = each.set_index(["arm", "round", "replicate"]).sort_index()
    dense, rows = wide.loc[("dense", 0)], []
    latest, sizes = answer.SLOWNESS_MARGIN * dense["early_stop_iteration"].mean(), ["density", "links"]
    for number, ticket in wide.query("arm == 'ticket'").groupby("round"):
        more = ticket.droplevel([0, 1]) - dense
        slower, worse = one_sided(more["early_stop_iteration"], latest), one_sided(-more["test_accuracy"], margin)
        p_winning = float(np.maximum(slower.below, worse.below))
        p_lost = float(np.minimum(slower.above, worse.above))
        rows.append({"round": number, **ticket[sizes].mean(), "p_winning": p_winning, "p_lost": p_lost})
    found = pd.DataFrame(rows, columns=["round", *sizes, "p_winning", "p_lost"])
    for name in ("p_winning", "p_lost"):
        found[f"{name}_holm"] = holm(found[name].to_numpy(float))
    found["verdict"] = [answer.verdict(*p) for p in found[["p_winning_holm", "p_lost_holm"]].to_numpy()]
    return found
