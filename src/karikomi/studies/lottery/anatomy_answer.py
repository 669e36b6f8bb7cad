"""The anatomy of tickets in words and tables."""

import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.lottery.anatomy_summary import CHANCES, Anatomy
from karikomi.studies.lottery.answer import percent
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import few, p_holm, plus_minus

EXPLANATION = (
    "Weights move from the start to the end of training, in σ, the standard deviation of the layer's initial weights."
    " Dispersion: the variance of the links of units over that of links at random places of the layer; 1 is chance."
    " Links in common: 2 |A ∩ B| / (|A| + |B|) of two replicates' masks; chance: the exact mean over masks shuffled in"
    " the layer, or so that units keep their number of links out or in; intervals by the jackknife over replicates,"
    " which pairs share. Calibration error: 15 bins of equal width (Guo et al. 2017). Where most tickets and most dense"
    " networks answer differently are the pruning identified exemplars of Hooker et al. 2019; answers are those at the"
    " early stop."
)


def in_words(anatomy: Anatomy) -> str:
    """At the last density: where replicates' masks have more in common than by chance, and which classes pay."""
    said = [f"At {percent(_last(anatomy.recalls)['density'].iloc[0])} of the links {_masks(_last(anatomy.shared))}"]
    return f"{'; '.join([*said, _classes(_last(anatomy.recalls))])}."


def _masks(shared: pd.DataFrame) -> str:
    above = shared[(shared["p_holm"] < ALPHA) & (shared["mean"] > 0)].groupby("against")["layer"].agg(list)
    by_layer = above.get("chance", [])
    if not len(by_layer):
        return "masks of two replicates are not shown to have more links in common than by chance"
    # What neither side's numbers of links explain.
    beyond = [layer for layer in by_layer if all(layer in above.get(kind, []) for kind in CHANCES)]
    known = f"masks of two replicates have more links in common than by chance in {few(by_layer)}"
    explained = "more than the links of their units explain"
    return f"{known} ({explained}{f' in {few(beyond)}' if beyond else ': not shown'})"


def _classes(recalls: pd.DataFrame) -> str:
    rows = recalls[(recalls["measure"] == "recall") & (recalls["p_holm"] < ALPHA)]
    found = [
        f"recall {verb} in {'class' if len(names) == 1 else 'classes'} {few(names)}"
        for verb, names in (
            ("falls", [str(name) for name in rows.loc[rows["mean"] < 0, "class"]]),
            ("rises", [str(name) for name in rows.loc[rows["mean"] > 0, "class"]]),
        )
        if names
    ]
    return " and ".join(found) or "recall is not shown to change in any class"


def anatomy_tables(anatomy: Anatomy) -> list[DisplayTable]:
    """Weights, links of units and links in common at the last density, classes there, and answers at each."""
    left = percent(_last(anatomy.predictions)["density"].iloc[0])
    tables = [
        _movement(_last(anatomy.movement), left),
        _degrees(_last(anatomy.degrees), left),
        _shared(_last(anatomy.shared), left),
        _classes_table(_last(anatomy.recalls), left),
        _answers(anatomy),
    ]
    return [table for table in tables if table.rows]


def _last(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["round"] == table["round"].max()]


def _movement(found: pd.DataFrame, left: str) -> DisplayTable:
    cells, rows = found.set_index(["layer", "links", "measure"]).sort_index(), []
    for layer in found["layer"].unique():
        here = [cells.loc[(layer, "ticket", measure)] for measure in ("distance", "outward", "sign_kept")]
        there = [(layer, links, "distance") for links in ("survivors", "removed")]
        rows.append(
            (
                layer,
                plus_minus(here[0]),
                plus_minus(here[1], sign="+"),
                plus_minus(here[2], 100, 1),
                plus_minus(cells.loc[(layer, "ticket", "rank_correlation")]),
                *(plus_minus(cells.loc[where]) if where in cells.index else "–" for where in there),
            )
        )
    columns = ("layer", "distance, σ", "away from 0, σ", "sign kept, %", "rank correlation")
    columns += ("distance in dense, σ", "of removed links")
    return DisplayTable(f"Movement of the weights of tickets with {left} of the links", columns, rows)


def _degrees(found: pd.DataFrame, left: str) -> DisplayTable:
    cells, rows = found.set_index(["layer", "side"]), []
    for layer in found["layer"].unique():
        row = [layer]
        for side in ("into", "out of"):
            one = cells.loc[(layer, side)]
            dispersion = {name: one[name] + 1 for name in ("mean", "low", "high")}
            row += [plus_minus(dispersion), p_holm(one), f"{100 * one['empty']:.1f}"]
        rows.append(tuple(row))
    columns = (
        "layer",
        *(c for side in ("into", "out of") for c in (f"{side}: dispersion", "p of chance", "without, %")),
    )
    return DisplayTable(f"Links into and out of the units of tickets with {left} of the links", columns, rows)


def _shared(found: pd.DataFrame, left: str) -> DisplayTable:
    cells, rows = found.set_index(["layer", "against"]), []
    for layer in found["layer"].unique():
        each = [cells.loc[(layer, against)] for against in CHANCES]
        known = (f"{100 * each[0][name]:.2f}" for name in ("shared", "expected"))
        rows.append((layer, *known, *(cell for one in each for cell in (plus_minus(one, 100, 2, "+"), p_holm(one)))))
    columns = ("layer", "in common, %", "by chance, %", "more, points", "p")
    columns += ("given links out", "p", "given links in", "p")
    return DisplayTable(f"Links in common of two replicates' tickets with {left} of the links", columns, rows)


def _classes_table(found: pd.DataFrame, left: str) -> DisplayTable:
    cells, rows = found.set_index(["class", "measure"]), []
    for label in found["class"].unique():
        each = [cells.loc[(label, measure)] for measure in ("recall", "beyond")]
        rows.append((str(label), *(cell for one in each for cell in (plus_minus(one, 100, 2, "+"), p_holm(one)))))
    columns = ("class", "recall, points", "p", "beyond accuracy, points", "p")
    return DisplayTable(f"Tickets with {left} of the links minus dense, by class", columns, rows)


def _answers(anatomy: Anatomy) -> DisplayTable:
    own = anatomy.predictions.set_index(["round", "measure"])
    between, images = anatomy.agreement.set_index("round"), anatomy.exemplars.set_index("round")
    calibration, rows = anatomy.calibration.set_index("round"), []
    for number in anatomy.predictions["round"].unique():
        agreement = between.loc[number] if number in between.index else None
        row = [
            percent(own.loc[(number, "accuracy")]["density"]),
            plus_minus(own.loc[(number, "agreement")], 100, 2) if number else "–",
            "–" if agreement is None else plus_minus(agreement, 100, 2),
            *_of_images(images.loc[number] if number in images.index else None),
            plus_minus(own.loc[(number, "calibration_error")], 100, 2),
        ]
        changed = calibration.loc[number] if number in calibration.index else None
        row += ["–", "–"] if changed is None else [plus_minus(changed, 100, 2, "+"), p_holm(changed)]
        rows.append(tuple(row))
    columns = ("links left", "as dense, %", "as another replicate, %", "majority differs, %", "lost", "gained")
    columns += ("calibration error, %", "minus dense", "p")
    return DisplayTable("Answers of tickets on the test set", columns, rows)


def _of_images(found: pd.Series | None) -> list[str]:
    return ["–"] * 3 if found is None else [f"{100 * found[name]:.2f}" for name in ("share", "lost", "gained")]
