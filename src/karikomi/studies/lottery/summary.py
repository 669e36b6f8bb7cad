"""From the table to the answer: means with intervals, paired differences, a verdict per density."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from karikomi.errors import InputError
from karikomi.statistics import holm, mean_interval, paired_difference
from karikomi.studies.lottery import wording
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.verdict import ACCURACY_MARGIN, verdict
from karikomi.studies.show import Answer

MEASURES = (
    "early_stop_iteration",
    "test_accuracy",
    "test_loss",
    "final_test_accuracy",
    "train_accuracy",
    "validation_loss",
)
COMPARED = ("early_stop_iteration", "test_accuracy", "final_test_accuracy")


@dataclass(frozen=True)
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
    if not 0 <= accuracy_margin < 1:
        raise InputError(f"margin must lie between 0 and 1 (0.002 is 0.2 points); it is {accuracy_margin}")
    networks = by_replicate(tables).reset_index()
    arms = _arms(networks)
    differences = _differences(networks)
    verdicts = _verdicts(arms, differences, accuracy_margin)
    cells = arms.set_index(["arm", "round", "measure"])
    return LotterySummary(
        headline=wording.headline(verdicts),
        explanation=wording.explanation(accuracy_margin),
        tables=wording.main_tables(cells, differences, verdicts, settings),
        details=wording.detail_tables(cells, differences, settings),
        arms=arms,
        differences=differences,
        verdicts=verdicts,
    )


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by arm, round and replicate; re-initializations of one ticket are averaged."""
    networks = tables["table"].groupby(["arm", "round", "replicate"], sort=False)
    return networks[["density", "links", *MEASURES]].mean()


def _arms(each: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (arm, number), group in each.groupby(["arm", "round"], sort=False):
        where = {
            "arm": arm,
            "round": number,
            "density": group["density"].mean(),
            "links": round(group["links"].mean()),
        }
        rows += [
            {**where, "measure": measure, **mean_interval(group[measure])._asdict(), "replicates": len(group)}
            for measure in MEASURES
        ]
    return pd.DataFrame(rows)


def _differences(each: pd.DataFrame) -> pd.DataFrame:
    wide = each.set_index(["arm", "round", "replicate"])[list(COMPARED)].sort_index()
    present = set(each["arm"])
    rows = []
    for arm, number in each[["arm", "round"]].drop_duplicates().itertuples(index=False):
        for against in ("dense", "reinit"):
            if arm in ("dense", against) or against not in present:
                continue
            ours, theirs = wide.loc[(arm, number)], wide.loc[(against, 0 if against == "dense" else number)]
            rows += [
                {
                    "arm": arm,
                    "against": against,
                    "round": number,
                    "measure": measure,
                    **paired_difference(ours[measure], theirs.loc[ours.index, measure])._asdict(),
                }
                for measure in COMPARED
            ]
    columns = ["arm", "against", "round", "measure", "mean", "low", "high", "p"]
    differences = pd.DataFrame(rows, columns=columns)
    families = differences.groupby(["arm", "against", "measure"], sort=False)["p"]
    differences["p_holm"] = families.transform(lambda p: holm(p.to_numpy()))
    return differences


def _verdicts(arms: pd.DataFrame, differences: pd.DataFrame, margin: float) -> pd.DataFrame:
    tickets = differences.query("arm == 'ticket' and against == 'dense'")
    density = arms.query("arm == 'ticket'").groupby("round")[["density", "links"]].first()
    dense_stop = float(arms.query("arm == 'dense' and measure == 'early_stop_iteration'")["mean"].iloc[0])
    rows = []
    for number, group in tickets.groupby("round"):
        by = group.set_index("measure")
        slower = (by.loc["early_stop_iteration", ["low", "high"]] / dense_stop).to_numpy(float)
        worse = -by.loc["test_accuracy", ["high", "low"]].to_numpy(float)
        rows.append(
            {
                "round": number,
                **density.loc[number].to_dict(),
                "verdict": verdict(tuple(slower), tuple(worse), margin),
            }
        )
    return pd.DataFrame(rows, columns=["round", "density", "links", "verdict"])
