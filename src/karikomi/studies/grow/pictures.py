"""The figures of the study of growing networks, drawn from a result."""

import altair as alt

from karikomi.figures import grow
from karikomi.studies.grow import tables
from karikomi.studies.result import Result


def accuracy(result: Result) -> alt.TopLevelMixin | None:
    return grow.accuracy(result.summary().arms)
