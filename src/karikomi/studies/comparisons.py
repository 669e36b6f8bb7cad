"""Every comparison of a run in one form, whatever its study: for the forest plot, and to plan replicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karikomi.errors import InputError
from karikomi.statistics import Difference

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from karikomi.studies.result import Result

COLUMNS = ["comparison", "at", "family", "measure", *Difference._fields, "p_holm", "replicates"]


def every_comparison(result: Result) -> pd.DataFrame:
    """The paired differences of a run, of the measures that tell runs of its study apart.

    Returns:
        A row per comparison, condition and measure: comparison and at (in words; "" where there is one condition
        alone), family (of Holm's correction, with the measure), measure, mean, low, high (95 %, Student's t over
        replicates), p, p_holm, replicates.

    Raises:
        InputError: if the study compares nothing.
    """
    study = result.study
    if study.comparisons is None:
        raise InputError(f"a {study.name} run compares no two conditions with each other")
    found = study.comparisons(result)
    return found[found["measure"].isin(list(study.compared))].reset_index(drop=True)[COLUMNS]


def comparisons(result: Result) -> alt.TopLevelMixin | None:
    """The figure of that name, of every study that has it; None where no comparison has an interval."""
    from karikomi.figures.forest import forest  # loads Altair, which a plan does not need

    found, formats = every_comparison(result), result.study.compared
    found = found.dropna(subset=["low", "high"])
    if found.empty:
        return None
    # Of two conditions compared with each other in two families, the first way round.
    pair = found["comparison"].map(lambda words: " ".join(sorted(words.split(" minus "))))
    found = found[~found.assign(pair=pair).duplicated(["pair", "at", "measure"])]
    factors = found["measure"].map({name: shown.factor for name, shown in formats.items()})
    panels = {name: f"{shown.title} ({shown.points})" for name, shown in formats.items()}
    scaled = {name: factors * found[name] for name in ("mean", "low", "high")}
    return forest(found.assign(panel=found["measure"].map(panels), **scaled))
