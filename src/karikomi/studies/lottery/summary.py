"""From the table to the answer: means with intervals, paired differences, a verdict per density."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from karikomi.statistics import holm, one_sided
from karikomi.statistics.frames import Question, differences, intervals
from karikomi.studies.lottery import answer, variants
from karikomi.studies.lottery.anatomy_answer import EXPLANATION, anatomy_tables, in_words
from karikomi.studies.lottery.anatomy_summary import Anatomy, summarize_anatomy
from karikomi.studies.lottery.answer import ACCURACY_MARGIN
from karikomi.studies.lottery.conditions import ONCE, TRANSFERRED
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.show import Answer, DisplayTable
from karikomi.studies.words import check_margin

MEASURES = (
    "early_stop_iteration",
    "initial_test_accuracy",
    "test_accuracy",
    "test_loss",
    "final_test_accuracy",
    "train_accuracy",
    "validation_loss",
)
ARM = ["arm", "round"]
COMPARED = ("early_stop_iteration", "initial_test_accuracy", "test_accuracy", "final_test_accuracy")
"""Runs of earlier versions have no ``initial_test_accuracy``."""


@dataclass(frozen=True, repr=False)
class LotterySummary(Answer):
    """What a lottery run says. Of several variants all but ``comparison`` have a row for each, and a column variant.

    Attributes:
        arms: per arm, round and measure the mean and 95 % interval over replicates (re-initializations of one ticket
            are averaged first): arm, round, density, links, measure, mean, low, high, replicates. The supermask is in
            round 0, with the dense network.
        differences: paired by replicate, per arm, round, measure and ``against`` (dense, reinit; of tickets every other
            arm; of transferred tickets also this run's own and their controls): mean, low, high, p (paired t-test,
            two-sided) and p_holm (Holm over the rounds of the same comparison and measure).
        verdicts: per round the ticket's verdict against the dense network, with the p-values of winning and of lost
            (twice the one-sided ones, so that they say what a 95 % interval says), and Holm's.
        comparison: tickets of each variant minus those of the first one, per round and measure: variant, against,
            round, measure, mean, low, high, p, p_holm (Holm over variants and rounds); empty where there is one alone.
        cut_off: arm, round, layers that no path leads through, and of how many replicates; empty where there are none.
        anatomy: what the tickets of the first variant are made of; None where none has been taken apart.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    verdicts: pd.DataFrame
    comparison: pd.DataFrame
    cut_off: pd.DataFrame
    anatomy: Anatomy | None


def summarize(
    tables: Mapping[str, pd.DataFrame], settings: LotterySettings, *, accuracy_margin: float = ACCURACY_MARGIN
) -> LotterySummary:
    """Summarize the tables of a lottery.

    A ticket is *winning* if it is shown to be no slower and no less accurate than the dense network: both paired
    differences lie within the margins, by one-sided t-tests. It is *lost* if it is shown to be slower or less accurate
    by more than the margin. Holm-corrected over the rounds. Else, *not shown*. Variants are compared with the first.
    """
    check_margin(accuracy_margin)
    networks, cut = by_replicate(tables).reset_index(), _cut_off(tables["table"])
    chains = {label: _chain(part, accuracy_margin) for label, part in _by_variant(networks).items()}
    compared = _comparison(networks)
    arms, found, verdicts = (_joined({label: chain[k] for label, chain in chains.items()}) for k in range(3))
    several = len(chains) > 1
    main, details = list[DisplayTable](), list[DisplayTable]()
    for label, chain in chains.items():
        cells = chain.arms.set_index(["arm", "round", "measure"])
        own = answer.main_tables(cells, chain.differences, chain.verdicts, settings, accuracy_margin)
        more = answer.detail_tables(cells, chain.differences, settings)
        (details if several else main).extend(answer.titled(own, label))
        details += answer.titled(more, label)
    if several:
        main.append(variants.comparison_table(arms, compared))
    if len(cut):
        main.insert(0, variants.cut_off_table(cut))
    explanation = answer.explanation(accuracy_margin) + (variants.EXPLANATION if several else "")
    if anatomy := summarize_anatomy(tables):
        details += answer.titled(anatomy_tables(anatomy), next(iter(chains)))
        explanation += f"\n\n{in_words(anatomy)} {EXPLANATION}"
    return LotterySummary(
        headline=variants.in_a_sentence(compared) if len(compared) else answer.in_a_sentence(verdicts, found, arms),
        explanation=explanation,
        tables=main,
        details=details,
        arms=arms,
        differences=found,
        verdicts=verdicts,
        comparison=compared,
        cut_off=cut,
        anatomy=anatomy,
    )


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by (variant,) arm, round and replicate; re-initializations of one ticket are averaged."""
    names = [name for name in ("variant", *ARM, "replicate") if name in tables["table"]]
    return tables["table"].groupby(names, sort=False)[["density", "links", *_known(MEASURES, tables["table"])]].mean()


def comparisons(result: Result) -> pd.DataFrame:
    """The paired differences, by the links that are left; those between variants' tickets are one family."""
    found: LotterySummary = result.summary()
    density = found.arms.groupby(["arm", "round"])["density"].mean().map(answer.percent)
    own, variants = found.differences, found.comparison
    pairs = own["arm"] + " minus " + own["against"]
    if "variant" in own:
        pairs += " (" + own["variant"] + ")"
    at = [density[key] for key in zip(own["arm"], own["round"], strict=True)]
    own = own.assign(comparison=pairs, family=pairs, at=at)
    pairs = variants["variant"] + " minus " + variants["against"]
    at = [density["ticket", number] for number in variants["round"]]
    variants = variants.assign(comparison=pairs, family="variants", at=at)
    return pd.concat([part for part in (own, variants) if len(part)] or [own])


def _known(measures: Sequence[str], table: pd.DataFrame) -> list[str]:
    return [name for name in measures if name in table]


class _Chain(NamedTuple):
    arms: pd.DataFrame
    differences: pd.DataFrame
    verdicts: pd.DataFrame


def _chain(networks: pd.DataFrame, margin: float) -> _Chain:
    """What is said of one variant, beside its controls."""
    sizes = networks.groupby(ARM, as_index=False, sort=False)[["density", "links"]].mean()
    arms = sizes.round({"links": 0}).merge(intervals(networks, ARM, _known(MEASURES, networks)), on=ARM)
    return _Chain(arms, _differences(networks), _verdicts(networks, margin))


def _by_variant(networks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each variant with those of the dense networks, which all share."""
    if "variant" not in networks:
        return {"": networks}
    labels = [label for label in networks["variant"].unique() if label] or [""]
    shared = networks["variant"] == ""
    return {label: networks[shared | (networks["variant"] == label)].drop(columns="variant") for label in labels}


def _joined(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if list(frames) == [""]:
        return frames[""]
    return pd.concat([frame.assign(variant=label) for label, frame in frames.items()], ignore_index=True)


def _differences(each: pd.DataFrame) -> pd.DataFrame:
    compared = _known(COMPARED, each)
    wide = each.set_index([*ARM, "replicate"])[compared].sort_index()
    present, questions = dict.fromkeys(zip(each["arm"], each["round"], strict=True)), []
    own = [arm for arm in dict.fromkeys(each["arm"]) if arm not in TRANSFERRED]
    controls = {"ticket": own, "transferred": ["dense", "reinit", *answer.TRANSFER_CONTROLS]}
    for arm, number in present:
        for against in sorted(controls.get(arm, ["dense", "reinit"]), key=lambda other: other != "dense"):
            other = (against, 0 if against in ONCE else number)
            if arm in ("dense", against) or other not in present:
                continue
            ours, theirs = wide.loc[(arm, number)], wide.loc[other]
            where = {"arm": arm, "against": against, "round": number}
            questions += [Question({**where, "measure": name}, ours[name], theirs[name]) for name in compared]
    return differences(questions, ["arm", "against", "round", "measure"], family=["arm", "against", "measure"])


def _comparison(networks: pd.DataFrame) -> pd.DataFrame:
    """The tickets of every variant minus those of the first."""
    labels, questions = ["variant", "against", "round", "measure"], list[Question]()
    if "variant" in networks:
        tickets, compared = networks[networks["arm"] == "ticket"], _known(COMPARED, networks)
        wide = tickets.set_index(["variant", "round", "replicate"])[compared].sort_index()
        first, *others = tickets["variant"].unique() if len(tickets) else [""]
        for variant, number in product(others, sorted(tickets["round"].unique())):
            ours, theirs = wide.loc[(variant, number)], wide.loc[(first, number)]
            where = {"variant": variant, "against": first, "round": number}
            questions += [Question({**where, "measure": name}, ours[name], theirs[name]) for name in compared]
    return differences(questions, labels, family=["measure"])


def _cut_off(table: pd.DataFrame) -> pd.DataFrame:
    by = [name for name in ("variant", *ARM, "density") if name in table]
    if "cut_off" not in table:
        return pd.DataFrame(columns=[*by, "layers", "replicates", "of"])
    cut = table.dropna(subset="cut_off")
    names = cut.groupby(by, sort=False)["cut_off"]
    layers = names.agg(lambda found: ", ".join(dict.fromkeys(", ".join(found).split(", ")))).rename("layers")
    replicates = cut.groupby(by, sort=False)["replicate"].nunique()
    return (
        pd.concat([layers, replicates.rename("replicates")], axis=1)
        .reset_index()
        .assign(of=table["replicate"].nunique())
    )


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
