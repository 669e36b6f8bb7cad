"""The figures of the stability study, drawn from a result."""

import altair as alt

from karikomi.figures import stability
from karikomi.studies.result import Result
from karikomi.studies.stability.answer import STABLE_BELOW


def error(result: Result) -> alt.TopLevelMixin:
    return stability.along(result.tables["lines"], "error")


def loss(result: Result) -> alt.TopLevelMixin:
    return stability.along(result.tables["lines"], "loss")


def barrier_over_iteration(result: Result) -> alt.TopLevelMixin | None:
    means = result.summary().means
    return stability.over_iteration(means, STABLE_BELOW) if means["after"].nunique() > 1 else None


def barrier_over_density(result: Result) -> alt.TopLevelMixin | None:
    means = result.summary().means
    return stability.over_density(means, STABLE_BELOW) if means["round"].max() > 0 else None
