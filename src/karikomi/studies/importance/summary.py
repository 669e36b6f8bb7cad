"""From the tables to the answer: which scores tell critical units, where those are, and what single losses miss."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from karikomi.statistics import holm, mean_interval, paired_difference
from karikomi.studies.importance import wording
from karikomi.studies.importance.associations import CRITICALITY, by_layer, pooled, within_layers
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.show import Answer

LARGE = 0.9
"""The quantile of a layer's Shapley values from which a redundant unit's must be; alone it costs the median or less."""


@dataclass(frozen=True)
class ImportanceSummary(Answer):
    """What a knock-out run says. Intervals are 95 %, over replicates.

    Attributes:
        within: Spearman's ρ of each score with criticality per replicate and layer: replicate, layer, units, criterion,
            rho, partial.
        associations: the same over layers and replicates: criterion, rho, low, high, p, q (Benjamini–Hochberg over the
            criteria), and partial_rho … partial_q, with the scores of the setting ``given`` held constant.
        by_layer: criterion, layer, rho, low, high, p.
        layers: per layer and measure (loss_rise, largest_loss_rise: nats; accuracy_drop, largest_accuracy_drop: 0 … 1)
            mean, low, high.
        layer_differences: mean loss_rise of a layer minus that of another, paired by replicate: layer, against, mean,
            low, high, p, p_holm.
        redundancy: per measure mean, low, high: ``redundant``, the share of units that cost little alone and much
            together; ``singles``, the sum of all accuracy drops alone; ``whole``, what the accuracy loses without all
            units. Empty without Shapley values.
        pairs: per kind of pair and measure mean, low, high: ``interaction`` (nats) and ``share``, of pairs whose
            interaction is above 0, whose units stand in for each other.
    """

    within: pd.DataFrame
    associations: pd.DataFrame
    by_layer: pd.DataFrame
    layers: pd.DataFrame
    layer_differences: pd.DataFrame
    redundancy: pd.DataFrame
    pairs: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: ImportanceSettings) -> ImportanceSummary:
    """Summarize the tables of a knock-out run."""
    table = tables["table"]
    within = within_layers(table, settings.criteria, settings.given)
    found = {
        "within": within,
        "associations": pooled(within, held=len(settings.given)),
        "by_layer": by_layer(within),
        "layers": _intervals(by_replicate(tables), "layer"),
        "layer_differences": _layer_differences(table),
        "redundancy": _redundancy(table),
        "pairs": _pairs(tables["pairs"]),
    }
    return ImportanceSummary(
        headline=wording.headline(found, tables, settings),
        explanation=wording.explanation(tables, settings),
        tables=wording.main_tables(found, settings),
        details=wording.detail_tables(found, tables, settings),
        **found,
    )


def redundant(table: pd.DataFrame) -> pd.Series:
    """Which units cost little alone and much together, by the ranks in their layer: bool, a row per unit.

    Alone at most the layer's median rise in loss, yet a Shapley value in the layer's top tenth.
    """
    layers = table.groupby(["replicate", "layer"], sort=False)
    alone = table[CRITICALITY] <= layers[CRITICALITY].transform("median")
    return alone & (table["shapley_value"] >= layers["shapley_value"].transform("quantile", LARGE))


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the loss of a unit alone costs, by layer and replicate."""
    return (
        tables["table"]
        .groupby(["layer", "replicate"], sort=False)
        .agg(
            loss_rise=("loss_rise", "mean"),
            largest_loss_rise=("loss_rise", "max"),
            accuracy_drop=("accuracy_drop", "mean"),
            largest_accuracy_drop=("accuracy_drop", "max"),
        )
    )


def _layer_differences(table: pd.DataFrame) -> pd.DataFrame:
    wide = table.pivot_table(index="replicate", columns="layer", values=CRITICALITY, sort=False)
    rows = [
        {"layer": layer, "against": against, **paired_difference(wide[layer], wide[against])._asdict()}
        for against, layer in combinations(wide.columns, 2)
    ]
    differences = pd.DataFrame(rows, columns=["layer", "against", "mean", "low", "high", "p"])
    return differences.assign(p_holm=holm(differences["p"].to_numpy()))


def _redundancy(table: pd.DataFrame) -> pd.DataFrame:
    if "shapley_value" not in table:
        return _intervals(pd.DataFrame())
    each = table.assign(redundant=redundant(table)).groupby("replicate")
    # Shapley values sum to what is lost without all units.
    sums = {"redundant": each["redundant"].mean(), "singles": each["accuracy_drop"].sum()}
    return _intervals(pd.DataFrame({**sums, "whole": each["shapley_value"].sum()}))


def _pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    if pairs.empty:
        return _intervals(pd.DataFrame(), "kind")
    kind = np.where(
        pairs["first_layer"] == pairs["second_layer"],
        "within " + pairs["first_layer"],
        pairs["first_layer"] + " and " + pairs["second_layer"],
    )
    shown = pairs.assign(kind=kind, share=pairs["interaction"] > 0)
    each = shown.groupby(["kind", "replicate"])[["interaction", "share"]].mean()
    return _intervals(each, "kind")


def _intervals(each: pd.DataFrame, by: str = "") -> pd.DataFrame:
    """Mean and interval of every column over replicates; a row per column, and per value of the index level ``by``."""
    groups = each.groupby(level=by, sort=False) if by and len(each) else [("", each)] if len(each) else []
    rows = [
        {**({by: name} if by else {}), "measure": measure, **mean_interval(group[measure])._asdict()}
        for name, group in groups
        for measure in group
    ]
    return pd.DataFrame(rows, columns=[*([by] if by else []), "measure", "mean", "low", "high"])
