"""From the table to the answer: means with intervals, paired differences, a verdict per density."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

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
        differences: paired by replicate, per arm, round, measure and ``against`` (dense, reinit): mean, low, high,
            p (paired t-test, two-sided) and p_holm (Holm over the rounds of the same comparison and measure).
        verdicts: per round the ticket's verdict against the dense network.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    verdicts: pd.DataFrame


def summarize(
    tables: Mapping[str, pd.DataFrame], settings: LotterySettings, *, accuracy_margin: float = ACCURACY_MARGIN
) -> LotterySummary:
    """Summarize the tables of a lottery.

    A ticket is *winning* if it is shown to be no slower and no less accurate than the dense network: the 95 %
    intervals of both paired differences end within the margins. It is *lost* if it is shown to be slower or less
    accurate by more than the margin. Else, *not shown*.
    """
    check_margin(accuracy_margin)
    networks = by_replicate(tables).reset_index()
    sizes = networks.groupby(["arm", "round"], as_index=False, sort=False)[["density", "links"]].mean()
    arms = sizes.round({"links": 0}).merge(intervals(networks, ["arm", "round"], MEASURES), on=["arm", "round"])
    compared = _differences(networks)
    verdicts = _verdicts(arms, compared, accuracy_margin)
    cells = arms.set_index(["arm", "round", "measure"])
    return LotterySummary(
        headline=answer.in_a_sentence(verdicts),
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
        for against in ("dense", "reinit"):
            if arm in ("dense", against) or against not in present:
                continue
            ours, theirs = wide.loc[(arm, number)], wide.loc[(against, 0 if against == "dense" else number)]
            where = {"arm": arm, "against": against, "round": number}
            questions += [Question({**where, "measure": name}, ours[name], theirs[name]) for name in COMPARED]
    return differences(questions, ["arm", "against", "round", "measure"], family=["arm", "against", "measure"])


def _verdicts(arms: pd.DataFrame, compared: pd.DataFrame, margin: float) -> pd.DataFrame:
    tickets = compared.query("arm == 'ticket' and against == 'dense'")
    density = arms.query("arm == 'ticket'").groupby("round")[["density", "links"]].first()
    dense_stop = float(arms.query("arm == 'dense' and measure == 'early_stop_iteration'")["mean"].iloc[0])
    rows = []
    for number, group in tickets.groupby("round"):
        by = group.set_index("measure")
        slower = (by.loc["early_stop_iteration", ["low", "high"]] / dense_stop).to_numpy(float)
        worse = -by.loc["test_accuracy", ["high", "low"]].to_numpy(float)
        verdict = answer.verdict(tuple(slower), tuple(worse), margin)
        rows.append({"round": number, **density.loc[number].to_dict(), "verdict": verdict})
    return pd.DataFrame(rows, columns=["round", "density", "links", "verdict"])
