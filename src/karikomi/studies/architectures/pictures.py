"""The figures of the study of architectures, drawn from a result."""

import altair as alt

from karikomi.figures import architectures
from karikomi.studies.architectures.answer import contrast
from karikomi.studies.result import Result


def curves(result: Result) -> alt.TopLevelMixin:
    return architectures.curves(result.tables["curves"])


def effects(result: Result) -> alt.TopLevelMixin | None:
    found = result.summary().effects
    if found.empty:
        return None
    return architectures.effects(found.assign(contrast=[contrast(row) for row in found.to_dict("records")]))


def recovery(result: Result) -> alt.TopLevelMixin:
    return architectures.recovery(result.table)
