"""The display tables of the lesion study, the same on the terminal, in a notebook and on the page."""

import pandas as pd

from karikomi.studies.healthy.settings import NULLS
from karikomi.studies.lesion.answer import ARM, VERDICTS, Frames, order_name
from karikomi.studies.lesion.arms import MATCHED, RANDOM, TARGETED, Arm
from karikomi.studies.publications import PARAMETER_SHARE, SHIN_MIZ
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import number, p_holm, plus_minus

SAYS = {"worse": ("is worse than random", "random"), "stays": ("leaves accuracy unchanged", "healthy")}


def main_tables(found: Frames) -> list[DisplayTable]:
    """Published claims, if the run repeats their experiment; the verdicts; the cliffs."""
    tables = [_claims(found["claims"]), _verdicts(found), _nulls(found), _cliffs(found["cliffs"])]
    return [table for table in tables if table.rows]


def detail_tables(found: Frames) -> list[DisplayTable]:
    """Every kind of order, and the other comparisons."""
    return [_levels(found["arms"]), _comparisons(found["differences"])]


def _claims(claims: pd.DataFrame) -> DisplayTable:
    rows = []
    for _, row in claims.iterrows():
        says, against = SAYS[row["says"]]
        accuracies = (row["published"], f"{100 * row['accuracy']:.2f}", against, plus_minus(row, 100, 2, "+"))
        rows.append((f"{order_name(row)} {says}", *accuracies, VERDICTS[row["verdict"]]))
    share = f"{100 * PARAMETER_SHARE:.0f} % of the parameters left"
    title = f"As published by {SHIN_MIZ} (one network): accuracy, %, with {share}"
    return DisplayTable(title, ("removed first", SHIN_MIZ, "here", "minus", "points", "verdict"), rows)


def _verdicts(found: Frames) -> DisplayTable:
    means = found["arms"].query("measure == 'robustness'").set_index([*ARM, "control"])
    differences = _differences(found["differences"], "robustness", MATCHED)
    rows = []
    for _, judged in found["verdicts"].iterrows():
        key = tuple(judged[ARM])
        matched = (*key, MATCHED) if (*key, MATCHED) in means.index else (*Arm(), MATCHED)
        levels = (plus_minus(means.loc[(*key, TARGETED)], 1, 3), number(means.loc[matched, "mean"], 3))
        difference = (plus_minus(differences.loc[key], 1, 3, "+"), p_holm(differences.loc[key]))
        rows.append((order_name(judged), *levels, *difference, VERDICTS[judged["verdict"]]))
    return DisplayTable("Robustness", ("removed first", "R", "layer-matched", "difference", "p", "verdict"), rows)


def _nulls(found: Frames) -> DisplayTable:
    means = found["arms"].query("measure == 'robustness'").set_index([*ARM, "control"])
    rows = []
    differences = found["differences"]
    for _, row in differences[differences["against"].isin(NULLS)].iterrows():
        ours, null = (means.loc[(*row[ARM], control)] for control in (TARGETED, row["against"]))
        cells = (
            plus_minus(ours, 1, 3),
            plus_minus(null, 1, 3),
            plus_minus(row, 1, 3, "+"),
            p_holm(row),
        )
        rows.append((order_name(row), row["against"], *cells))
    columns = ("removed first", "null network", "R", "by its scores", "difference", "p")
    return DisplayTable("Robustness, orders by the scores of a null network", columns, rows)


def _cliffs(cliffs: pd.DataFrame) -> DisplayTable:
    rows = []
    for _, row in cliffs.iterrows():
        size, place = (
            plus_minus(row.rename({name: "mean", f"{name}_low": "low", f"{name}_high": "high"}), 100, digits)
            for name, digits in (("size", 2), ("place", 0))
        )
        cells = (size, f"{100 * row['random']:.2f}", place, p_holm(row))
        rows.append((order_name(row), *cells, VERDICTS[row["verdict"]]))
    columns = ("removed first", "points", "layer-matched", "units removed, %", "p", "verdict")
    return DisplayTable("The largest drop by a single unit", columns, rows)


def _levels(arms: pd.DataFrame) -> DisplayTable:
    measures = (("robustness", 1, 3), ("f50", 100, 1), ("accuracy_at_half", 100, 2), ("loss_rise", 1, 2))
    rows = []
    for (*arm, control), group in arms.groupby([*ARM, "control"], sort=False):
        by_measure = group.set_index("measure")
        cells = [plus_minus(by_measure.loc[measure], factor, digits) for measure, factor, digits in measures]
        order = order_name(by_measure.iloc[0]) if arm[0] else ""
        name = order if control == TARGETED else f"{control} {order}".strip()
        rows.append((name, *cells))
    columns = ("removed first", "R", "f50, %", "accuracy at half, %", "loss rise, nats")
    return DisplayTable("Every kind of order", columns, rows)


def _comparisons(differences: pd.DataFrame) -> DisplayTable:
    """Robustness against random orders of all units, and loss against layer-matched ones."""
    random, loss = _differences(differences, "robustness", RANDOM), _differences(differences, "loss_rise", MATCHED)
    rows = []
    for key, row in random.iterrows():
        its = loss.loc[key]
        cells = (
            plus_minus(row, 1, 3, "+"),
            p_holm(row),
            plus_minus(its, 1, 2, "+"),
            p_holm(its),
        )
        rows.append((order_name(dict(zip(ARM, key, strict=True))), *cells))
    columns = ("removed first", "R minus random", "p", "loss minus layer-matched, nats", "p")
    return DisplayTable("Other comparisons", columns, rows)


def _differences(differences: pd.DataFrame, measure: str, against: str) -> pd.DataFrame:
    return differences.query("measure == @measure and against == @against").set_index(ARM)
