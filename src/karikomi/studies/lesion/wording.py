"""The answer in words and display tables, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping, Sequence

import pandas as pd

from karikomi.studies.lesion.arms import MATCHED, RANDOM, TARGETED
from karikomi.studies.lesion.claims import ALMOST_NOTHING, POST_SHARE
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.verdict import ALPHA, BETTER, CLIFF, NOT_SHOWN, WORSE
from karikomi.studies.show import DisplayTable

Frames = Mapping[str, pd.DataFrame]

CLIFFS_NAMED = 3
SAYS = {"worse": "is worse than random", "stays": "costs almost nothing"}


def headline(found: Frames, settings: LesionSettings) -> str:
    """The answer in a few sentences."""
    verdicts = found["verdicts"]
    if verdicts.empty:
        return "No order was compared with random ones yet."
    parts = []
    for name, text in ((WORSE, "accuracy falls sooner with"), (BETTER, "it holds out longer with")):
        if not (arms := verdicts[verdicts["verdict"] == name]).empty:
            parts.append(f"{text} {_first(arms)} first")
    if not (arms := verdicts[verdicts["verdict"] == NOT_SHOWN]).empty:
        parts.append(f"not shown: {_first(arms)}")
    return f"Against random units of the same layers {'; '.join(parts)}. {_cliffs_in_words(found['cliffs'])}"


def _cliffs_in_words(cliffs: pd.DataFrame) -> str:
    shown = cliffs[cliffs["verdict"] == CLIFF].sort_values("size", ascending=False)
    if shown.empty:
        return "No drop by one unit is shown to be larger than random orders have."
    named = [
        f"{100 * row['size']:.1f} points when {100 * row['place']:.0f} % of the units are gone, {_arm(row)} first"
        for _, row in shown.head(CLIFFS_NAMED).iterrows()
    ]
    more = f"; and {len(shown) - len(named)} more" if len(shown) > len(named) else ""
    return f"Cliffs, drops by one unit larger than random orders have: {'; '.join(named)}{more}."


def explanation(settings: LesionSettings) -> str:
    """What the numbers mean."""
    s = settings
    scope = (
        "Layers lose their units in proportion, so that targeted orders differ from random ones in which units go."
        if s.scope == "layer"
        else "Units of all layers compete, so that against random orders it counts, too, which layer goes first."
    )
    return (
        "R is the mean share of the accuracy above chance that is left over all removals (Schneider et al. 2011): 1 if"
        " nothing were ever lost; f50 the share of the units with which half of it is gone. ± is half a 95 % interval:"
        f" Student's t over replicates; of differences a bootstrap of replicates and of their {s.orders} random orders."
        f" p is Holm-corrected over the orders; a verdict needs p < {ALPHA} against layer-matched random orders, which"
        f" take a random unit of the same layer at every step. {scope} A cliff is a largest drop by one unit that"
        " layer-matched orders do not show (Monte Carlo test in each replicate, combined by Fisher's method)."
        f" Units are scored on training examples; curves are of the test set (ablation: {s.ablation})."
    )


def main_tables(found: Frames, settings: LesionSettings) -> list[DisplayTable]:
    """The post's claims, if it is the post's experiment; the verdicts; the cliffs."""
    shown = [_claims(found["claims"]), _verdicts(found), _cliffs(found["cliffs"])]
    return [table for table in shown if table.rows]


def detail_tables(found: Frames, settings: LesionSettings) -> list[DisplayTable]:
    """Against random orders of all units, loss, and where half is gone."""
    shown = [_against_random(found), _halves(found["arms"])]
    return [table for table in shown if table.rows]


def _claims(claims: pd.DataFrame) -> DisplayTable:
    rows = [
        (
            f"{_order(row)} first {SAYS[row['says']]}",
            row["post"],
            f"{100 * row['accuracy']:.2f}",
            AGAINST[row["says"]],
            _difference(row, 100, 2),
            row["verdict"],
        )
        for _, row in claims.iterrows()
    ]
    title = f"What the post saw once: accuracy, %, with {100 * POST_SHARE:.0f} % of the parameters left"
    return DisplayTable(title, ("", "the post's", "ours", "minus", "points", "verdict"), rows)


def _verdicts(found: Frames) -> DisplayTable:
    robustness = found["arms"].query("measure == 'robustness'")
    rows = []
    for key, row in _compared(found, "robustness", MATCHED).iterrows():
        ours, matched = _cells(robustness, key, TARGETED), _cells(robustness, key, MATCHED)
        verdict = found["verdicts"].set_index(ARM).loc[key, "verdict"]
        cells = (_mean(ours, 1, 3), f"{matched['mean']:.3f}", _difference(row, 1, 3), _p(row["p_holm"]))
        rows.append((_order(row), *cells, verdict))
    return DisplayTable("Robustness R", ("first", "R", "layer-matched", "difference", "p", "verdict"), rows)


def _cliffs(cliffs: pd.DataFrame) -> DisplayTable:
    rows = [
        (
            _order(row),
            _half(row, "size", 100, 2),
            f"{100 * row['random']:.2f}",
            _half(row, "place", 100, 0),
            _p(row["p_holm"]),
            row["verdict"],
        )
        for _, row in cliffs.iterrows()
    ]
    columns = ("first", "points", "layer-matched", "units gone, %", "p", "verdict")
    return DisplayTable("The largest drop by one unit", columns, rows)


def _against_random(found: Frames) -> DisplayTable:
    loss = _compared(found, "loss_rise", MATCHED)
    rows = []
    for key, row in _compared(found, "robustness", RANDOM).iterrows():
        cells = (_difference(row, 1, 3), _p(row["p_holm"]), _difference(loss.loc[key], 1, 2), _p(loss.loc[key, "p_holm"]))
        rows.append((_order(row), *cells))
    columns = ("first", "R minus random", "p", "loss minus layer-matched, nats", "p")
    return DisplayTable("Against random orders of all units; mean rise in loss", columns, rows)


def _levels(arms: pd.DataFrame) -> DisplayTable:
    measures = (("robustness", 1, 3), ("f50", 100, 1), ("accuracy_at_half", 100, 2), ("loss_rise", 1, 2))
    # Layer-matched orders that belong to one arm stand beside it in the table of verdicts.
    shown = arms[(arms["control"] == TARGETED) | (arms["criterion"] == "")]
    wide = shown.set_index(["measure"])
    rows = []
    for _, row in wide.loc[["robustness"]].iterrows():
        ...
    columns = ("first", "R", "f50, %", "accuracy with half the units, %", "mean rise in loss, nats")
    return DisplayTable("Every kind of order: means over replicates", columns, rows)
