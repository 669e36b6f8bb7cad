"""The figures of the lesion study, drawn from a result."""

import altair as alt

from karikomi.figures import lesion
from karikomi.studies.result import Result


def accuracy(result: Result) -> alt.TopLevelMixin:
    return lesion.curves(result.tables["curves"])


def loss(result: Result) -> alt.TopLevelMixin:
    return lesion.curves(result.tables["curves"], "loss")


def accuracy_by_parameters(result: Result) -> alt.TopLevelMixin | None:
    curves = result.tables["curves"]
    return None if curves["parameters_left"].isna().all() else lesion.curves(curves, against="parameters_left")


def differences(result: Result) -> alt.TopLevelMixin:
    return lesion.differences(result.summary().differences)


def cliffs(result: Result) -> alt.TopLevelMixin:
    return lesion.cliffs(result.table)


def class_accuracy(result: Result) -> alt.TopLevelMixin:
    differences = result.summary().differences.query("measure == 'robustness' and against == 'layer-matched'")
    # Without accuracy above chance there is no robustness, and any criterion will do.
    strongest = str(differences.loc[differences["mean"].abs().fillna(0).idxmax(), "criterion"])
    return lesion.class_accuracy(result.tables["curves"], strongest)
