"""The figures of the importance study, drawn from a result."""

import altair as alt

from karikomi.figures import importance, layers
from karikomi.figures import scores as drawn
from karikomi.studies.comparisons import comparisons as comparisons
from karikomi.studies.importance.associations import IMPORTANCE, between_scores
from karikomi.studies.importance.summary import redundant
from karikomi.studies.importance.tables import wiring
from karikomi.studies.result import Result


def scores(result: Result) -> alt.TopLevelMixin:
    return drawn.scatter(result.table, result.summary().associations)


def associations(result: Result) -> alt.TopLevelMixin:
    return drawn.associations(result.summary().associations, result.settings.given)


def cost_by_layer(result: Result) -> alt.TopLevelMixin:
    return importance.cost_by_layer(result.table)


def score_correlations(result: Result) -> alt.TopLevelMixin:
    matrix = between_scores(result.table, [IMPORTANCE, *_best_first(result)])
    named = {IMPORTANCE: "rise in loss"}
    return drawn.correlations(matrix.rename(index=named, columns=named))


def ranks(result: Result) -> alt.TopLevelMixin:
    return drawn.ranks(result.table, _best_first(result))


def network(result: Result) -> alt.TopLevelMixin | None:
    drawn = wiring(result.folder)
    return layers.network(*drawn) if drawn else None


def shapley(result: Result) -> alt.TopLevelMixin | None:
    table = result.table
    return importance.shapley(table, redundant(table)) if "shapley_value" in table else None


def pairs(result: Result) -> alt.TopLevelMixin | None:
    table = result.tables["pairs"]
    return importance.pairs(table) if len(table) else None


def _best_first(result: Result) -> list[str]:
    return result.summary().associations["criterion"].tolist()
