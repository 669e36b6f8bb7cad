"""From the tables to the answer: which scores predict unit importance, where important units are, and redundancy."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from karikomi.statistics.frames import Question, differences, intervals
from karikomi.studies.importance import answer
from karikomi.studies.importance.associations import IMPORTANCE, against_nulls, by_layer, pooled, within_layers
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.result import Result
from karikomi.studies.show import Answer

COSTS = ("loss_rise", "largest_loss_rise", "accuracy_drop", "largest_accuracy_drop")
LARGE = 0.9
"""The quantile of a layer's Shapley values from which a redundant unit's must be; alone it costs the median or less."""


@dataclass(frozen=True, repr=False)
class ImportanceSummary(Answer):
    """What an importance run says. Intervals are 95 %, over replicates.

    Attributes:
        within: Spearman's ρ of each score with unit importance per replicate and layer: replicate, layer, units,
            criterion, rho, partial.
        associations: the same over layers and replicates: criterion, rho, low, high, p, q (Benjamini–Hochberg over the
            criteria), and partial_rho … partial_q, with the scores of the setting ``given`` held constant.
        nulls: per null network and criterion rho and null_rho, the correlation of the trained and of the null network's
            scores with unit importance, and mean, low, high, p, p_holm of the difference in Fisher's z, paired by
            replicate; empty without null networks.
        by_layer: criterion, layer, rho, low, high, p.
        layers: per layer and measure (loss_rise, largest_loss_rise: nats; accuracy_drop, largest_accuracy_drop: 0 … 1)
            mean, low, high.
        layer_differences: mean loss_rise of a layer minus that of another, paired by replicate: layer, against, mean,
            low, high, p, p_holm.
        redundancy: per measure mean, low, high: ``redundant``, the share of redundant units; ``singles``, the sum of
            all accuracy drops alone; ``whole``, what the accuracy loses without all units. Empty without Shapley
            values.
        pairs: per kind of pair and measure mean, low, high: ``interaction`` (nats) and ``share``, of pairs whose
            interaction is above 0, which are redundant.
    """

    within: pd.DataFrame
    associations: pd.DataFrame
    nulls: pd.DataFrame
    by_layer: pd.DataFrame
    layers: pd.DataFrame
    layer_differences: pd.DataFrame
    redundancy: pd.DataFrame
    pairs: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: ImportanceSettings) -> ImportanceSummary:
    """Summarize the tables of an importance run."""
    table = tables["table"]
    within = within_layers(table, settings.criteria, settings.given)
    found = {
        "within": within,
        "associations": pooled(within, held=len(settings.given)),
        "nulls": against_nulls(table, settings.criteria, settings.null),
        "by_layer": by_layer(within),
        "layers": intervals(by_replicate(tables).reset_index(), ["layer"], COSTS),
        "layer_differences": _layer_differences(table),
        "redundancy": _redundancy(table),
        "pairs": _pairs(tables["pairs"]),
    }
    return ImportanceSummary(
        headline=answer.in_a_sentence(found),
        explanation=answer.explanation(found, tables, settings),
        tables=answer.main_tables(found, settings),
        details=answer.detail_tables(found, tables, settings),
        **found,
    )


def redundant(table: pd.DataFrame) -> pd.Series:
    """Which units are redundant, by the ranks in their layer: bool, a row per unit.

    Alone at most the layer's median rise in loss, yet a Shapley value in the layer's top tenth.
    """
    layers = table.groupby(["replicate", "layer"], sort=False)
    alone = table[IMPORTANCE] <= layers[IMPORTANCE].transform("median")
    return alone & (table["shapley_value"] >= layers["shapley_value"].transform("quantile", LARGE))


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the loss of a unit alone costs, by layer and replicate."""
    units = tables["table"].groupby(["layer", "replicate"], sort=False)[["loss_rise", "accuracy_drop"]]
    return units.mean().join(units.max().add_prefix("largest_"))


def comparisons(result: Result) -> pd.DataFrame:
    """The differences between layers, which are one family."""
    found = result.summary().layer_differences
    pairs = found["layer"] + " minus " + found["against"]
    return found.assign(comparison=pairs, family="layers", at="", measure=IMPORTANCE)


def _layer_differences(table: pd.DataFrame) -> pd.DataFrame:
    wide = table.pivot_table(index="replicate", columns="layer", values=IMPORTANCE, sort=False)
    questions = [
        Question({"layer": layer, "against": against}, wide[layer], wide[against])
        for against, layer in combinations(wide.columns, 2)
    ]
    return differences(questions, ["layer", "against"], family=[])


def _redundancy(table: pd.DataFrame) -> pd.DataFrame:
    if "shapley_value" not in table:
        return intervals(pd.DataFrame(), [], [])
    each = table.assign(redundant=redundant(table)).groupby("replicate")
    # Shapley values sum to what is lost without all units.
    sums = {"redundant": each["redundant"].mean(), "singles": each["accuracy_drop"].sum()}
    sums["whole"] = each["shapley_value"].sum()
    return intervals(pd.DataFrame(sums), [], list(sums))


def _pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    if pairs.empty:
        return intervals(pd.DataFrame(columns=["kind"]), ["kind"], [])
    kind = np.where(
        pairs["first_layer"] == pairs["second_layer"],
        "within " + pairs["first_layer"],
        pairs["first_layer"] + " and " + pairs["second_layer"],
    )
    shown = pairs.assign(kind=kind, share=pairs["interaction"] > 0)
    each = shown.groupby(["kind", "replicate"])[["interaction", "share"]].mean()
    return intervals(each.reset_index(), ["kind"], ["interaction", "share"])
