"""The answer in words and display tables, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping

import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.lesion.arms import MATCHED, RANDOM, TARGETED, Arm
from karikomi.studies.lesion.claims import POST_SHARE
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.verdict import BETTER, CLIFF, NOT_SHOWN, WORSE
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import listed, p_value, plus_minus

Frames = Mapping[str, pd.DataFrame]

ARM = list(Arm._fields)
CLIFFS_NAMED = 3
SAYS = {"worse": ("is worse than random", "random"), "stays": ("costs next to nothing", "healthy")}


def headline(found: Frames) -> str:
    """The answer in a few sentences."""
    verdicts = found["verdicts"]
    if verdicts.empty:
        return "No order has been compared with random ones yet."
    if set(verdicts["verdict"]) == {NOT_SHOWN}:
        return f"No order is shown to differ from random units of the same layers. {_cliffs_in_words(found)}"
    texts = {
        WORSE: "accuracy falls sooner with the {} first",
        BETTER: "it lasts longer with the {} first",
        NOT_SHOWN: "neither is shown for the {}",
    }
    parts = [
        text.format(_together(verdicts[verdicts["verdict"] == name]))
        for name, text in texts.items()
        if name in set(verdicts["verdict"])
    ]
    return f"Against random units of the same layers, {'; '.join(parts)}. {_cliffs_in_words(found)}"


def _cliffs_in_words(found: Frames) -> str:
    cliffs, arms = found["cliffs"], found["arms"]
    random = arms[arms["control"] == RANDOM].set_index("measure")["mean"]
    usual = f"A random order's largest drop by a single unit is {_drop(random['drop'], random['drop_at'])} on average"
    shown = cliffs[cliffs["verdict"] == CLIFF].sort_values("size", ascending=False)
    if shown.empty:
        return f"{usual}; no other order is shown to have a larger one, a cliff."
    named = [f"{_order(row)} ({_drop(row['size'], row['place'])})" for _, row in shown.head(CLIFFS_NAMED).iterrows()]
    more = [f"{len(shown) - len(named)} more"] if len(shown) > len(named) else []
    return f"{usual}; larger ones, cliffs, are shown for the {listed([*named, *more])}."


def _drop(size: float, place: float) -> str:
    return f"{100 * size:.1f} points with {100 * place:.0f} % of the units gone"


def explanation(settings: LesionSettings) -> str:
    """What the numbers mean."""
    s = settings
    scope = (
        "Layers lose their units in proportion, so orders differ in which units go, not in which layers."
        if s.scope == "layer"
        else "Units of all layers compete, so against random orders it counts, too, which layer goes first."
    )
    return (
        "R is the share of the accuracy above chance that is left, its mean over all removals (Schneider et al. 2011):"
        " 1 if nothing is ever lost; f50 is the share of the units without which half of it is gone. ± is half a 95 %"
        " interval: of means Student's t over replicates, of differences a bootstrap of replicates and of their"
        f" {s.orders} random orders. p is Holm-corrected over the orders; verdicts need p < {ALPHA} against"
        f" layer-matched random orders, which take a random unit of the same layer at every step. {scope} A cliff is a"
        " largest drop by a single unit that layer-matched orders do not show (a Monte Carlo test in each replicate,"
        " combined by Fisher's method). Units are scored on training examples; accuracy is that of the test set"
        f" (ablation: {s.ablation})."
    )


def main_tables(found: Frames) -> list[DisplayTable]:
    """The post's claims, if it is the post's experiment; the verdicts; the cliffs."""
    tables = [_claims(found["claims"]), _verdicts(found), _cliffs(found["cliffs"])]
    return [table for table in tables if table.rows]


def detail_tables(found: Frames) -> list[DisplayTable]:
    """Every kind of order, and the other comparisons."""
    return [_levels(found["arms"]), _comparisons(found["differences"])]


def _claims(claims: pd.DataFrame) -> DisplayTable:
    rows = []
    for _, row in claims.iterrows():
        says, against = SAYS[row["says"]]
        accuracies = (row["post"], f"{100 * row['accuracy']:.2f}", against, plus_minus(row, 100, 2, "+"))
        rows.append((f"{_order(row)} {says}", *accuracies, row["verdict"]))
    title = f"What the post saw once: accuracy, %, with {100 * POST_SHARE:.0f} % of the parameters left"
    return DisplayTable(title, ("first", "the post's", "ours", "minus", "points", "verdict"), rows)


def _verdicts(found: Frames) -> DisplayTable:
    means = found["arms"].query("measure == 'robustness'").set_index([*ARM, "control"])
    differences = _differences(found["differences"], "robustness", MATCHED)
    rows = []
    for _, judged in found["verdicts"].iterrows():
        key = tuple(judged[ARM])
        matched = (*key, MATCHED) if (*key, MATCHED) in means.index else (*Arm(), MATCHED)
        cells = (plus_minus(means.loc[(*key, TARGETED)], 1, 3), _number(means.loc[matched, "mean"], ".3f"))
        difference = differences.loc[key]
        rows.append(
            (
                _order(judged),
                *cells,
                plus_minus(difference, 1, 3, "+"),
                p_value(difference["p_holm"]),
                judged["verdict"],
            )
        )
    return DisplayTable("Robustness", ("first", "R", "layer-matched", "difference", "p", "verdict"), rows)


def _cliffs(cliffs: pd.DataFrame) -> DisplayTable:
    rows = []
    for _, row in cliffs.iterrows():
        size, place = (
            plus_minus(row.rename({name: "mean", f"{name}_low": "low", f"{name}_high": "high"}), 100, digits)
            for name, digits in (("size", 2), ("place", 0))
        )
        rows.append((_order(row), size, f"{100 * row['random']:.2f}", place, p_value(row["p_holm"]), row["verdict"]))
    columns = ("first", "points", "layer-matched", "units gone, %", "p", "verdict")
    return DisplayTable("The largest drop by a single unit", columns, rows)


def _levels(arms: pd.DataFrame) -> DisplayTable:
    measures = (("robustness", 1, 3), ("f50", 100, 1), ("accuracy_at_half", 100, 2), ("loss_rise", 1, 2))
    rows = []
    for (*arm, control), group in arms.groupby([*ARM, "control"], sort=False):
        by_measure = group.set_index("measure")
        cells = [plus_minus(by_measure.loc[measure], factor, digits) for measure, factor, digits in measures]
        order = _order(by_measure.iloc[0]) if arm[0] else ""
        name = order if control == TARGETED else f"{control} {order}".strip()
        rows.append((name, *cells))
    columns = ("first", "R", "f50, %", "accuracy at half, %", "loss rise, nats")
    return DisplayTable("Every kind of order", columns, rows)


def _comparisons(differences: pd.DataFrame) -> DisplayTable:
    """Robustness against random orders of all units, and loss against layer-matched ones."""
    random, loss = _differences(differences, "robustness", RANDOM), _differences(differences, "loss_rise", MATCHED)
    rows = []
    for key, row in random.iterrows():
        its = loss.loc[key]
        cells = (plus_minus(row, 1, 3, "+"), p_value(row["p_holm"]), plus_minus(its, 1, 2, "+"), p_value(its["p_holm"]))
        rows.append((_order(dict(zip(ARM, key, strict=True))), *cells))
    columns = ("first", "R minus random", "p", "loss minus layer-matched, nats", "p")
    return DisplayTable("Other comparisons", columns, rows)


def _differences(differences: pd.DataFrame, measure: str, against: str) -> pd.DataFrame:
    return differences.query("measure == @measure and against == @against").set_index(ARM)


def _order(arm: Mapping[str, str]) -> str:
    """What goes first: lowest taylor; lowest adaptive taylor."""
    adaptive = "adaptive " if arm["timing"] == "adaptive" else ""
    return f"{arm['direction']}est {adaptive}{arm['criterion']}"


def _together(arms: pd.DataFrame) -> str:
    """What goes first in several arms: highest taylor and knock-out, and lowest taylor."""
    alike = arms.groupby(["direction", "timing"], sort=False)["criterion"]
    groups = [_order({"direction": d, "timing": t, "criterion": listed(list(names))}) for (d, t), names in alike]
    return listed(groups, ", and the ")


def _number(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form)
