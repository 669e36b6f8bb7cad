"""The figures of the study of architectures, drawn from a result."""

import altair as alt

from karikomi.figures import architectures
from karikomi.studies.comparisons import comparisons
from karikomi.studies.result import Result

effects = comparisons
"""What is compared are effects, here."""


def curves(result: Result) -> alt.TopLevelMixin:
    return architectures.curves(result.tables["curves"])


def recovery(result: Result) -> alt.TopLevelMixin:
    return architectures.recovery(result.table)
