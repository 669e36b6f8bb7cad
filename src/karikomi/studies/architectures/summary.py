"""From the tables to the answer: effects of the factors, and every condition's means."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from karikomi.statistics.frames import intervals
from karikomi.studies.architectures import answer
from karikomi.studies.architectures.conditions import Condition
from karikomi.studies.architectures.effects import MEASURES, completed, main_effects, variance_shares
from karikomi.studies.architectures.settings import ArchitecturesSettings
from karikomi.studies.result import Result
from karikomi.studies.show import Answer

CONDITION = list(Condition._fields)


@dataclass(frozen=True, repr=False)
class ArchitecturesSummary(Answer):
    """What a run of the study of architectures says. Intervals are 95 %.

    Attributes:
        means: per condition and measure the mean over replicates: network, parameters, layers, dropout, normalization,
            size, units, measure, mean, low, high, replicates.
        effects: of the perceptrons, see :func:`~karikomi.studies.architectures.effects.main_effects`.
        shares: η², see :func:`~karikomi.studies.architectures.effects.variance_shares`.
    """

    means: pd.DataFrame
    effects: pd.DataFrame
    shares: pd.DataFrame


def summarize(tables: Mapping[str, pd.DataFrame], settings: ArchitecturesSettings) -> ArchitecturesSummary:
    """Summarize the tables of a run."""
    table = completed(tables["table"])
    if table.empty:
        table = pd.DataFrame(columns=["replicate", *CONDITION, "size", "units", *MEASURES])
    perceptrons = table[table["parameters"] > 0]
    means = intervals(table, [*CONDITION, "size", "units"], MEASURES)
    effects, shares = main_effects(perceptrons), variance_shares(perceptrons)
    by_factor = answer.effects_tables(effects)
    asked = [table for table in by_factor if table.title.removeprefix("Effects on ") in answer.ASKED_TITLES]
    every = answer.conditions_table(means, CONDITION)
    return ArchitecturesSummary(
        headline=answer.in_a_sentence(effects, means),
        explanation=answer.explanation(settings),
        tables=[*asked, *([answer.shares_table(shares)] if len(perceptrons) else [every])],
        details=[*([every] if len(perceptrons) else []), *(table for table in by_factor if table not in asked)],
        means=means,
        effects=effects,
        shares=shares,
    )


def comparisons(result: Result) -> pd.DataFrame:
    """The main effects, which are one family."""
    found = result.summary().effects
    effects = [answer.contrast(row) for row in found.to_dict("records")]
    return found.assign(comparison=effects, family="effects", at="")


def by_replicate(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measures by condition and replicate."""
    return completed(tables["table"]).set_index([*CONDITION, "replicate"])[list(MEASURES)]
