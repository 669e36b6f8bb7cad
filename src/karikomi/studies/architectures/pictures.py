"""The figures of the study of architectures, drawn from a result."""

import altair as alt

from karikomi.figures import architectures
from karikomi.studies.result import Result


def curves(result: Result) -> alt.TopLevelMixin:
    return architectures.curves(result.tables["curves"])


def effects(result: Result) -> alt.TopLevelMixin | None:
    found = result.summary().effects
    return architectures.effects(found) if len(found) else None


def recovery(result: Result) -> alt.TopLevelMixin:
    return architectures.recovery(result.table)
