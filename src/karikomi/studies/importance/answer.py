"""Which scores predict unit importance: the verdicts, and the answer in words and tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.healthy.settings import nulls_in_words
from karikomi.studies.importance.associations import IMPORTANCE, difference
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.show import DisplayTable
from karikomi.studies.verdict import NOT_SHOWN, Verdict, signed
from karikomi.studies.words import headline, listed, number, p_holm, p_value, plus_minus

Frames = Mapping[str, pd.DataFrame]

PREDICTS, REVERSED = Verdict("predicts", "good"), Verdict("reversed", "bad")

# What is measured by removing units, or not at all, is no rival of the scores that are to predict without that.
NO_RIVALS = ("knock-out", "shapley", "random")

LISTED = 10


def verdict(row: pd.Series) -> Verdict:
    """Whether a score is shown to be high, or low, where units are important."""
    return signed(row["rho"], row["q"], REVERSED, PREDICTS)


def in_a_sentence(found: Frames) -> str:
    """The best of the scores that predict importance without removing units."""
    scores = found["associations"][~found["associations"]["criterion"].isin(NO_RIVALS)]
    if scores.empty:
        return "No score here could predict unit importance without removing units."
    predicting = scores[scores.apply(verdict, axis=1) == PREDICTS]
    if predicting.empty:
        highest = scores.iloc[0]
        return (
            f"No score is shown to predict unit importance; highest: {highest['criterion']}, ρ = {interval(highest)}."
        )
    names, rhos = predicting["criterion"].tolist(), predicting["rho"].map(number).tolist()
    level = _not_told_apart(found["within"], names, rhos)
    first = interval(predicting.iloc[0])
    if level == 1:
        ahead = [f"next: {names[1]}, {rhos[1]}"] if len(names) > 1 else []
        return headline([f"{names[0]} predicts unit importance best, ρ = {first} within layers", *ahead])
    others = f"{level - 1} other{'s' if level > 2 else ''} not shown to be worse"
    return headline([f"{names[0]} predicts unit importance, ρ = {first} within layers", others])


def _not_told_apart(within: pd.DataFrame, names: Sequence[str], rhos: Sequence[str]) -> int:
    """How many of the scores, the best first, the best is not shown to be ahead of, itself included."""
    level = 1
    while level < len(names) and (rhos[level] == rhos[0] or not difference(within, names[0], names[level]).low > 0):
        level += 1
    return level


def _in_detail(found: Frames, tables: Frames) -> str:
    """Every score by its verdict, and what single removals add up to."""
    scores = found["associations"].assign(verdict=lambda rows: [str(verdict(row)) for _, row in rows.iterrows()])
    kinds = {PREDICTS: "Predictors of unit importance", REVERSED: "Reversed", NOT_SHOWN: "Inconclusive"}
    parts = [
        f"{title}: {', '.join(scores.loc[scores['verdict'] == kind, 'criterion'])}."
        for kind, title in kinds.items()
        if (scores["verdict"] == kind).any()
    ]
    highest = tables["table"]["accuracy_drop"].max()
    parts.append(f"The removal of one unit costs at most {_points(highest)} points of accuracy")
    if found["redundancy"].empty:
        parts[-1] += "."
    else:
        mean = found["redundancy"].set_index("measure")["mean"]
        singles, whole = _points(mean["singles"]), _points(mean["whole"])
        parts[-1] += f"; single removals sum to {singles}, the removal of all units costs {whole}."
    return " ".join(parts)


def explanation(found: Frames, tables: Frames, settings: ImportanceSettings) -> str:
    """The findings in full, and what the numbers mean."""
    networks = tables["networks"]
    p, n, replicates = networks["accuracy"].mean(), networks["examples"].iloc[0], len(networks)
    error = np.sqrt(p * (1 - p) / n)
    over = f"over {replicates} replicates" if replicates > 1 else "over the units of this one network"
    text = f"{_in_detail(found, tables)}\n\n" + (
        "Unit importance is the rise in test loss (cross-entropy) when a unit alone is removed"
        f" (ablation: {settings.ablation}), not the drop in accuracy, which for most units is below an accuracy's"
        f" standard error, {_points(error)} points here, where whole networks have {_points(p)} %. ρ is Spearman's"
        f" within each layer, pooled over layers by Fisher's z, with its 95 % interval {over}; q is Benjamini and"
        f" Hochberg's over the scores; not shown: q from {ALPHA} on. Scores come from training examples."
    )
    if "knock-out" in settings.criteria:
        text += " knock-out is importance itself on those other examples: about the most that a score can reach."
    if settings.given:
        text += f" Partial ρ holds {listed(settings.given)} constant."
    if settings.shapley:
        text += (
            f" Shapley values are what a unit adds to the accuracy, on average over {settings.shapley} random orders"
            " of removal. Redundant units are at most at their layer's median importance alone, and in its"
            " top tenth by Shapley value: 5 % of the units, if the two were independent."
        )
    return text + nulls_in_words(settings.null)


def main_tables(found: Frames, settings: ImportanceSettings) -> list[DisplayTable]:
    """Which scores predict importance, and where important units are."""
    tables = [_associations(found["associations"], settings), _nulls(found["nulls"]), _layers(found["layers"])]
    return [table for table in tables if table.rows]


def detail_tables(found: Frames, tables: Frames, settings: ImportanceSettings) -> list[DisplayTable]:
    """Each layer's correlations, differences between layers, the most important units, redundancy and pairs."""
    shown = [
        _by_layer(found["by_layer"], found["associations"]["criterion"]),
        _layer_differences(found["layer_differences"]),
        _most_important(tables["table"], tables["classes"]),
        _redundancy(found["redundancy"]),
        _pairs(found["pairs"], settings),
    ]
    return [table for table in shown if table.rows]


def _associations(associations: pd.DataFrame, settings: ImportanceSettings) -> DisplayTable:
    rows = []
    for _, row in associations.iterrows():
        partial = row[["partial_rho", "partial_low", "partial_high"]].set_axis(["rho", "low", "high"])
        held = (interval(partial), p_value(row["partial_q"], row["partial_p"])) if settings.given else ()
        rows.append((row["criterion"], interval(row), p_value(row["q"], row["p"]), verdict(row), *held))
    columns = ("score", "ρ with importance", "q", "", *(("partial ρ", "q") if settings.given else ()))
    return DisplayTable("Which scores predict unit importance", columns, rows)


def _nulls(nulls: pd.DataFrame) -> DisplayTable:
    rows = []
    for _, row in nulls.iterrows():
        cells = (number(row["rho"]), number(row["null_rho"]), plus_minus(row, sign="+"), p_holm(row))
        rows.append((row["criterion"], row["null"], *cells))
    columns = ("score", "null network", "ρ", "ρ of its scores", "difference in z", "p")
    return DisplayTable("Unit importance predicted by the scores of a null network", columns, rows)


def _by_layer(by_layer: pd.DataFrame, criteria: Sequence[str]) -> DisplayTable:
    wide = by_layer.pivot_table(index="criterion", columns="layer", values="rho", sort=False, dropna=False)
    rows = [(criterion, *(number(rho) for rho in wide.loc[criterion])) for criterion in criteria]
    return DisplayTable("ρ with unit importance in each layer", ("score", *wide.columns), rows)


def _layers(layers: pd.DataFrame) -> DisplayTable:
    wide = layers.set_index(["layer", "measure"])
    shown = (("loss_rise", 1000), ("largest_loss_rise", 1000), ("accuracy_drop", 100), ("largest_accuracy_drop", 100))
    names = layers["layer"].unique()
    rows = [(name, *(plus_minus(wide.loc[(name, measure)], factor) for measure, factor in shown)) for name in names]
    columns = ("layer", "loss, 10⁻³ nats: mean", "largest", "accuracy, points: mean", "largest")
    return DisplayTable("What the removal of one unit costs", columns, rows)


def _layer_differences(differences: pd.DataFrame) -> DisplayTable:
    rows = [
        (f"{row['layer']} minus {row['against']}", plus_minus(row, 1000, sign="+"), p_holm(row))
        for _, row in differences.iterrows()
    ]
    return DisplayTable("Mean importance by layer, paired by replicate", ("", "loss, 10⁻³ nats", "p"), rows)


def _most_important(table: pd.DataFrame, classes: pd.DataFrame) -> DisplayTable:
    each = max(1, LISTED // table["replicate"].nunique())
    ranked = table.sort_values(IMPORTANCE, ascending=False).groupby("replicate").head(each)
    by_class = classes.set_index(["replicate", "unit", "class"])["accuracy_drop"].sort_index()
    rows = []
    for _, unit in ranked.sort_values(["replicate", IMPORTANCE], ascending=[True, False]).iterrows():
        drops = by_class.loc[(unit["replicate"], unit["unit"])]
        row = [unit["replicate"], unit["layer"], unit["index"], f"{1000 * unit[IMPORTANCE]:.1f}"]
        row += [_points(unit["accuracy_drop"]), f"{drops.idxmax()}: {_points(drops.max())}"]
        if "shapley_value" in unit:
            row.append(f"{_points(unit['shapley_value'])} ± {_points(unit['shapley_error'])}")
        rows.append([str(cell) for cell in row])
    columns = ["replicate", "layer", "unit", "loss, 10⁻³ nats", "accuracy, points", "worst class, points"]
    columns += ["Shapley ± error"] if "shapley_value" in table else []
    return DisplayTable("The most important units of each replicate", columns, rows)


def _redundancy(redundancy: pd.DataFrame) -> DisplayTable:
    names = {
        "singles": "accuracy lost, single removals summed (points)",
        "whole": "accuracy lost, all units removed (points)",
        "redundant": "redundant units (%)",
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
    columns = ("", "interaction, 10⁻³ nats", "redundant pairs, %")
    return DisplayTable(f"Pairs of the {settings.pairs} most important units", columns, rows)


def interval(row: pd.Series) -> str:
    """A correlation with its interval: 0.81 (0.78 to 0.84)."""
    ends = "" if np.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
    return number(row["rho"]) + ends


def _points(share: float) -> str:
    return f"{100 * share:.2f}"
