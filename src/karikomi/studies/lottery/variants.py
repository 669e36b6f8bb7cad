"""Several variants in one run: what is said of them, in words and tables."""

from itertools import product

import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.lottery.answer import COMPARED, MEASURED, percent
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import few, headline, listed, p_holm, plus_minus

EXPLANATION = (
    " Variants are compared by their tickets, paired by replicate, with the first one; every p of that table is"
    " Holm-corrected over variants and densities."
)


def in_a_sentence(comparison: pd.DataFrame) -> str:
    """Where each variant is shown to be more or less accurate than the first."""
    alike: dict[str, list[str]] = {}
    for variant, rows in comparison[comparison["measure"] == MEASURED].groupby("variant", sort=False):
        shown = rows.loc[rows["p_holm"] < ALPHA, "mean"]
        counts = [(word, int(found.sum())) for word, found in (("less", shown < 0), ("more", shown > 0))]
        found = [f"{word} accurate at {many} of {len(rows)} densities" for word, many in counts if many]
        alike.setdefault(listed(found) if found else "not shown to differ in accuracy", []).append(str(variant))
    first, *others = (f"{few(names)} {'is' if len(names) == 1 else 'are'} {said}" for said, names in alike.items())
    return headline([f"against {comparison['against'].iloc[0]}, {first}", *others])


def comparison_table(arms: pd.DataFrame, comparison: pd.DataFrame) -> DisplayTable:
    """The tickets of every variant at each density, and what they differ by from the first."""
    tickets = arms[arms["arm"] == "ticket"].set_index(["round", "variant", "measure"])
    differing = comparison.set_index(["round", "variant", "measure"])
    against = "" if comparison.empty else comparison["against"].iloc[0]
    rows = []
    for number, variant in product(sorted(tickets.index.unique("round")), tickets.index.unique("variant")):
        cells = [percent(tickets.loc[(number, variant, MEASURED)]["density"]), str(variant)]
        for measure, (factor, digits) in COMPARED.items():
            where = (number, variant, measure)
            cells.append(plus_minus(tickets.loc[where], factor, digits))
            other = differing.loc[where] if where in differing.index else None
            cells += ["–", "–"] if other is None else [plus_minus(other, factor, digits, "+"), p_holm(other)]
        rows.append(tuple(cells))
    less = f"minus {against}"
    columns = ("links left", "tickets", "early stop", less, "p", "test accuracy, %", f"{less}, points", "p")
    return DisplayTable("Tickets of every variant", columns, rows)


def cut_off_table(cut: pd.DataFrame) -> DisplayTable:
    """Layers that no path leads through."""
    several = "variant" in cut
    rows = [
        (
            percent(row["density"]),
            *((row["variant"],) if several else ()),
            row["arm"],
            row["layers"],
            f"{row['replicates']} of {row['of']}",
        )
        for row in cut.to_dict("records")
    ]
    columns = ("links left", *(("variant",) if several else ()), "arm", "layers", "replicates")
    return DisplayTable("Cut off: no path from inputs to outputs leads through these layers", columns, rows)
