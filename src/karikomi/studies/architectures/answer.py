"""The answer of the study of architectures, in words and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.architectures.settings import ArchitecturesSettings
from karikomi.studies.publications import NOTEBOOK_SHAPES, SHIN_MIZ
from karikomi.studies.show import DisplayTable
from karikomi.studies.verdict import NOT_SHOWN, Verdict
from karikomi.studies.words import headline, p_holm, plus_minus

# Name, factor to the unit and digits.
WRITTEN: Mapping[str, tuple[str, float, int]] = {
    "accuracy": ("accuracy, points", 100, 2),
    "robustness": ("R", 1, 3),
    "within_rate": ("R up to the rate of dropout", 1, 3),
    "beyond_rate": ("R beyond the rate of dropout", 1, 3),
    "f50": ("f50, % of the units", 100, 1),
    "drop": ("largest drop, points", 100, 2),
    "aged": ("aged, points", 100, 2),
    "retrained": ("aged and retrained, points", 100, 2),
    "recovered": ("recovered, points", 100, 2),
}
ASKED_TITLES = [WRITTEN[name][0] for name in ("robustness", "within_rate", "beyond_rate", "accuracy", "recovered")]


def verdict(effect: Mapping[str, Any]) -> Verdict:
    """Whether an effect is shown, and its sign; of the largest drop less is better.

    >>> effect = {"measure": "f50", "mean": -0.1, "p_holm": 0.01}
    >>> str(verdict(effect)), str(verdict({**effect, "p_holm": 0.2}))
    ('lowers', 'not shown')
    """
    if not effect["p_holm"] < ALPHA:
        return NOT_SHOWN
    raises = effect["mean"] > 0
    return Verdict("raises" if raises else "lowers", "good" if raises != (effect["measure"] == "drop") else "bad")


def in_a_sentence(effects: pd.DataFrame, named: pd.DataFrame) -> str:
    """The effects on robustness, or without a factorial the most robust network."""
    about = effects.query("measure == 'robustness' and at == 0").drop_duplicates("factor", keep="last")
    if len(about):
        parts = [f"{contrast(row)} {verdict(row)} robustness" for row in about.to_dict("records")]
        shown = [part for part in parts if str(NOT_SHOWN) not in part]
        return headline(shown or ["no effect on robustness is shown"])
    if named.empty:
        return "No network has been measured yet."
    best = named.query("measure == 'robustness'").sort_values("mean", ascending=False).iloc[0]
    return headline([f"{best['network']} is the most robust (R {plus_minus(best, 1, 3)})"])


def effects_tables(effects: pd.DataFrame) -> list[DisplayTable]:
    """The effects on each measure that is asked about, one table each; then those on all others."""
    return [table for measure in WRITTEN if (table := _effects(effects, measure)).rows]


def _effects(effects: pd.DataFrame, measure: str) -> DisplayTable:
    title, factor, digits = WRITTEN[measure]
    rows = [
        (contrast(row), plus_minus(row, factor, digits, "+"), p_holm(row), verdict(row))
        for row in effects[effects["measure"] == measure].dropna(subset="mean").to_dict("records")
    ]
    return DisplayTable(f"Effects on {title}", ("", "difference", "p", "verdict"), rows)


def contrast(row: Mapping[str, Any]) -> str:
    """What an effect compares, in words."""
    at = f" at {row['at']:,} parameters" if row["at"] else ""
    level, first, factor = row["level"], row["against"], row["factor"]
    if factor == "layers":
        return f"{level} hidden layers instead of {first}{at}"
    if factor == "parameters":
        return f"{level:,} parameters instead of {first:,}"
    return f"{factor} {level} instead of {first}"


def shares_table(shares: pd.DataFrame) -> DisplayTable:
    """The share of the variance between conditions that each factor explains."""
    columns = [name for name in WRITTEN if name in shares and shares[name].notna().any()]
    rows = [(row["factor"], *(f"{100 * row[name]:.0f}" for name in columns)) for row in shares.to_dict("records")]
    titles = ("", *(WRITTEN[name][0].partition(",")[0] for name in columns))
    return DisplayTable("Variance between conditions explained, %", titles, rows)


def conditions_table(means: pd.DataFrame, by: Sequence[str]) -> DisplayTable:
    """Every condition's means; beside them what the notebooks report of the same shape."""
    shown = ("accuracy", "robustness", "f50", "drop", "aged", "retrained")
    rows = []
    for key, group in means.groupby(list(by), sort=False, dropna=False):
        network, _, _, dropout, normalization = key
        cells = group.set_index("measure")
        trained = ", ".join([*([f"dropout {dropout:g}"] if dropout else []), *({normalization} - {"none"})])
        size, units = (f"{int(cells[name].iloc[0]):,}" for name in ("size", "units"))
        numbers = [plus_minus(cells.loc[name], *WRITTEN[name][1:]) for name in shown]
        rows.append((network, trained, size, units, *numbers, NOTEBOOK_SHAPES.get(network, "–")))
    names = ("accuracy, %", "R", "f50, %", "largest drop, points", "aged, %", "retrained, %", SHIN_MIZ)
    return DisplayTable("Every condition: means over replicates", ("", "", "parameters", "units", *names), rows)


def explanation(settings: ArchitecturesSettings) -> str:
    """What the numbers mean."""
    s = settings
    return (
        "Differences are means over all other factors, paired by replicate; ± is half a 95 % interval (Student's t over"
        " replicates); p is Holm-corrected over the contrasts of a measure. R is the share of the accuracy above chance"
        " that is left, its mean over the removal of all units at random, layers in proportion (Schneider et al. 2011);"
        " up to and beyond the rate of dropout: of the removals up to that share of the units, and of the others. f50:"
        f" the share of the units without which half of it is lost. Aged: after {s.cycles} cycles in each of which"
        f" {100 * s.death_rate:g} % of the units die; retrained: with {s.retraining} training steps in each cycle;"
        " recovered: their difference. Variance explained is η²; together: by factors in combination. Lesions are"
        " measured on test examples, which decide nothing."
    )
