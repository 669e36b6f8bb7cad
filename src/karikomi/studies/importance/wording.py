"""The answer in words and display tables, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.importance.associations import CRITICALITY, difference
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import listed, p_value, plus_minus

Frames = Mapping[str, pd.DataFrame]

TELLS, REVERSED, NOT_SHOWN = "tells", "reversed", "not shown"

# What is measured by taking units away, or not at all, is no rival of the scores that are to tell without that.
NO_RIVALS = ("knock-out", "shapley", "random")

CRITICAL_SHOWN = 10


def verdict(row: pd.Series) -> str:
    """Whether a score is shown to be high, or low, where units are critical."""
    if not row["q"] < ALPHA:
        return NOT_SHOWN
    return TELLS if row["rho"] > 0 else REVERSED


def headline(found: Frames, tables: Frames, settings: ImportanceSettings) -> str:
    """The answer in a few sentences."""
    return " ".join((_who_tells(found), _alone_and_together(found, tables)))


def _who_tells(found: Frames) -> str:
    all_scores = found["associations"].assign(verdict=lambda rows: rows.apply(verdict, axis=1))
    scores = all_scores[~all_scores["criterion"].isin(NO_RIVALS)]
    if scores.empty:
        return "There is no score here that could tell critical units without their removal."
    by_verdict = {name: group["criterion"].tolist() for name, group in scores.groupby("verdict")}
    tell = scores[scores["verdict"] == TELLS]
    if tell.empty:
        highest = scores.iloc[0]
        return (
            f"No score is shown to tell critical units; the highest is {highest['criterion']}, ρ = {interval(highest)}."
        )
    parts = [_best(found["within"], tell)]
    if "knock-out" in set(all_scores["criterion"]):
        reachable = all_scores.set_index("criterion").loc["knock-out", "rho"]
        parts.append(f"knock-outs on other examples reach {number(reachable)}")
    if NOT_SHOWN in by_verdict:
        parts.append(f"not shown: {listed(by_verdict[NOT_SHOWN])}")
    if REVERSED in by_verdict:
        parts.append(f"low where units are critical: {listed(by_verdict[REVERSED])}")
    return "; ".join(parts) + "."


def _best(within: pd.DataFrame, tell: pd.DataFrame) -> str:
    """The best of the scores that tell, the highest first, with those that it is not shown to be ahead of."""
    names, rhos = tell["criterion"].tolist(), tell["rho"].map(number).tolist()
    level = 1
    while level < len(names) and (rhos[level] == rhos[0] or not difference(within, names[0], names[level]).low > 0):
        level += 1
    first = interval(tell.iloc[0])
    if level > 1:
        known = f"ρ = {first} for the first, within layers; which of them is best is not shown"
        return f"{listed(names[:level])} tell critical units best, {known}"
    ahead = f", ahead of {names[1]} ({rhos[1]})" if len(names) > 1 else ""
    return f"{names[0]} tells critical units best: ρ = {first} within layers{ahead}"


def _alone_and_together(found: Frames, tables: Frames) -> str:
    highest = tables["table"]["accuracy_drop"].max()
    sentence = f"The loss of one unit costs at most {_points(highest)} points of accuracy"
    if found["redundancy"].empty:
        return sentence + "."
    mean = found["redundancy"].set_index("measure")["mean"]
    singles, whole = _points(mean["singles"]), _points(mean["whole"])
    return f"{sentence}; one by one they sum to {singles}, where all at once cost {whole}."


def explanation(tables: Frames, settings: ImportanceSettings) -> str:
    """What the numbers mean."""
    networks = tables["networks"]
    p, n, replicates = networks["accuracy"].mean(), networks["examples"].iloc[0], len(networks)
    error = np.sqrt(p * (1 - p) / n)
    over = f"over {replicates} replicates" if replicates > 1 else "over the units of this one network"
    text = (
        "Criticality is the rise in test loss (cross-entropy) when a unit alone is gone"
        f" (ablation: {settings.ablation}), not the drop in accuracy, which for most units is below an accuracy's"
        f" standard error, {_points(error)} points here, where whole networks have {_points(p)} %. ρ is Spearman's"
        f" within each layer, pooled over layers by Fisher's z, with its 95 % interval {over}; q is Benjamini and"
        f" Hochberg's over the scores; not shown: q from {ALPHA} on. Scores come from training examples."
    )
    if "knock-out" in settings.criteria:
        text += " knock-out is criticality itself on those other examples: about the most that a score can reach."
    if settings.given:
        text += f" Partial ρ holds {listed(settings.given)} constant."
    if settings.shapley:
        text += (
            f" Shapley values are what a unit adds to the accuracy, on average over {settings.shapley} random orders"
            " of removal. Units that cost little alone and much together are not above their layer's median alone, and"
            " in its top tenth by Shapley value: 5 %, if the one said nothing of the other."
        )
    return text


def main_tables(found: Frames, settings: ImportanceSettings) -> list[DisplayTable]:
    """Which scores tell, and where critical units are."""
    return [_associations(found["associations"], settings), _layers(found["layers"])]


def detail_tables(found: Frames, tables: Frames, settings: ImportanceSettings) -> list[DisplayTable]:
    """Each layer's correlations, differences between layers, the most critical units, redundancy and pairs."""
    shown = [
        _by_layer(found["by_layer"], found["associations"]["criterion"]),
        _layer_differences(found["layer_differences"]),
        _most_critical(tables["table"], tables["classes"]),
        _redundancy(found["redundancy"]),
        _pairs(found["pairs"], settings),
    ]
    return [table for table in shown if table.rows]


def _associations(associations: pd.DataFrame, settings: ImportanceSettings) -> DisplayTable:
    rows = []
    for _, row in associations.iterrows():
        partial = row[["partial_rho", "partial_low", "partial_high"]].set_axis(["rho", "low", "high"])
        held = (interval(partial), p_value(row["partial_q"])) if settings.given else ()
        rows.append((row["criterion"], interval(row), p_value(row["q"]), verdict(row), *held))
    columns = ("score", "ρ with criticality", "q", "", *(("partial ρ", "q") if settings.given else ()))
    return DisplayTable("Which scores tell critical units", columns, rows)


def _by_layer(by_layer: pd.DataFrame, criteria: Sequence[str]) -> DisplayTable:
    wide = by_layer.pivot_table(index="criterion", columns="layer", values="rho", sort=False, dropna=False)
    rows = [(criterion, *(number(rho) for rho in wide.loc[criterion])) for criterion in criteria]
    return DisplayTable("ρ with criticality in each layer", ("score", *wide.columns), rows)


def _layers(layers: pd.DataFrame) -> DisplayTable:
    wide = layers.set_index(["layer", "measure"])
    shown = (("loss_rise", 1000), ("largest_loss_rise", 1000), ("accuracy_drop", 100), ("largest_accuracy_drop", 100))
    names = layers["layer"].unique()
    rows = [(name, *(plus_minus(wide.loc[(name, measure)], factor) for measure, factor in shown)) for name in names]
    columns = ("layer", "loss, 0.001 nats: mean", "largest", "accuracy, points: mean", "largest")
    return DisplayTable("What the loss of one unit costs", columns, rows)


def _layer_differences(differences: pd.DataFrame) -> DisplayTable:
    rows = [
        (f"{row['layer']} minus {row['against']}", plus_minus(row, 1000, sign="+"), p_value(row["p_holm"]))
        for _, row in differences.iterrows()
    ]
    return DisplayTable("Mean cost of a unit by layer, paired by replicate", ("", "loss, 0.001 nats", "p"), rows)


def _most_critical(table: pd.DataFrame, classes: pd.DataFrame) -> DisplayTable:
    each = max(1, CRITICAL_SHOWN // table["replicate"].nunique())
    ranked = table.sort_values(CRITICALITY, ascending=False).groupby("replicate").head(each)
    by_class = classes.set_index(["replicate", "unit", "class"])["accuracy_drop"].sort_index()
    rows = []
    for _, unit in ranked.sort_values(["replicate", CRITICALITY], ascending=[True, False]).iterrows():
        drops = by_class.loc[(unit["replicate"], unit["unit"])]
        row = [unit["replicate"], unit["layer"], unit["index"], f"{1000 * unit[CRITICALITY]:.1f}"]
        row += [_points(unit["accuracy_drop"]), f"{drops.idxmax()}: {_points(drops.max())}"]
        if "shapley_value" in unit:
            row.append(f"{_points(unit['shapley_value'])} ± {_points(unit['shapley_error'])}")
        rows.append([str(cell) for cell in row])
    columns = ["replicate", "layer", "unit", "loss, 0.001 nats", "accuracy, points", "worst class, points"]
    columns += ["Shapley ± error"] if "shapley_value" in table else []
    return DisplayTable("The most critical units of each replicate", columns, rows)


def _redundancy(redundancy: pd.DataFrame) -> DisplayTable:
    names = {
        "singles": "accuracy lost by all units, each alone, in sum (points)",
        "whole": "accuracy lost by all units at once (points)",
        "redundant": "units that cost little alone and much together (%)",
    }
    cells = redundancy.set_index("measure")
    rows = [(text, plus_minus(cells.loc[name], 100)) for name, text in names.items() if name in cells.index]
    return DisplayTable("Redundancy", ("", "mean"), rows)


def _pairs(pairs: pd.DataFrame, settings: ImportanceSettings) -> DisplayTable:
    wide = pairs.set_index(["kind", "measure"])
    rows = [
        (kind, plus_minus(wide.loc[(kind, "interaction")], 1000, sign="+"), plus_minus(wide.loc[(kind, "share")], 100))
        for kind in pairs["kind"].unique()
    ]
    columns = ("", "interaction, 0.001 nats", "stand in for each other, %")
    return DisplayTable(f"Pairs of the {settings.pairs} most critical units", columns, rows)


def interval(row: pd.Series) -> str:
    """A correlation with its interval: 0.81 (0.78 to 0.84)."""
    ends = "" if np.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
    return number(row["rho"]) + ends


def number(rho: float) -> str:
    return "–" if np.isnan(rho) else f"{rho:.2f}"


def _points(share: float) -> str:
    return f"{100 * share:.2f}"
