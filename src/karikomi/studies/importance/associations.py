"""How the scores of units go together with what their loss costs, and with each other.

Always within a layer: between layers both differ for reasons of the architecture, such as how many links a unit has.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from karikomi.statistics import (
    Correlation,
    Difference,
    benjamini_hochberg,
    paired_difference,
    partial_spearman,
    pooled_spearman,
    replicated_spearman,
    spearman,
)
from karikomi.statistics.frames import Question, differences
from karikomi.studies.healthy.settings import null_score

IMPORTANCE = "loss_rise"
"""Units are ranked by the rise in loss: one unit's effect on accuracy is below that one's standard error."""


def within_layers(table: pd.DataFrame, criteria: Sequence[str], given: Sequence[str]) -> pd.DataFrame:
    """Spearman's ρ of each score with unit importance in each layer: replicate, layer, units, criterion, rho, partial.

    Args:
        table: a row per unit with replicate, layer, loss_rise, and a column per score.
        criteria: the scores.
        given: the scores held constant in ``partial``; NaN for a score that is itself among them.
    """
    frames = []
    for (replicate, layer), units in table.groupby(["replicate", "layer"], sort=False):
        scores, rise = _columns(units, criteria), units[IMPORTANCE].to_numpy()
        partial = partial_spearman(scores, rise, _columns(units, given)) if given else np.full(len(scores), np.nan)
        where = {"replicate": replicate, "layer": layer, "units": len(units), "criterion": list(criteria)}
        frames.append(pd.DataFrame({**where, "rho": spearman(scores, rise), "partial": partial}))
    return pd.concat(frames, ignore_index=True)


def pooled(within: pd.DataFrame, held: int) -> pd.DataFrame:
    """Over layers and replicates: criterion, rho, low, high, p, q, and the same of the partial correlation.

    q is Benjamini and Hochberg's over the criteria. With a single replicate the interval is over its units, and speaks
    of that one network. The highest ρ comes first.

    Args:
        within: as :func:`within_layers` gives it.
        held: how many scores the partial correlations hold constant.
    """
    rows = []
    for criterion, group in within.groupby("criterion", sort=False):
        whole, part = _correlation(group, "rho"), _correlation(group, "partial", held)
        rows.append(
            {"criterion": criterion, **whole._asdict()} | {f"partial_{k}": v for k, v in part._asdict().items()}
        )
    found = pd.DataFrame(rows)
    found.insert(5, "q", benjamini_hochberg(found["p"].to_numpy()))
    found["partial_q"] = benjamini_hochberg(found["partial_p"].to_numpy())
    return found.sort_values("rho", ascending=False, ignore_index=True)


def by_layer(within: pd.DataFrame) -> pd.DataFrame:
    """The same for each layer alone: criterion, layer, rho, low, high, p."""
    groups = within.groupby(["criterion", "layer"], sort=False)
    rows = [
        {"criterion": criterion, "layer": layer, **_correlation(group, "rho")._asdict()}
        for (criterion, layer), group in groups
    ]
    return pd.DataFrame(rows)


def difference(within: pd.DataFrame, first: str, second: str) -> Difference:
    """By how much the first score's correlation is higher, in Fisher's z, paired by replicate."""
    return paired_difference(*(fisher_z(within, name).to_numpy() for name in (first, second)))


def fisher_z(within: pd.DataFrame, criterion: str) -> pd.Series:
    """Fisher's z of a score's correlation with unit importance, pooled over layers, by replicate."""
    groups = within[within["criterion"] == criterion].groupby("replicate")[["rho", "units"]]
    return groups.apply(lambda layers: np.arctanh(pooled_spearman(layers["rho"], layers["units"]).rho))


def against_nulls(table: pd.DataFrame, criteria: Sequence[str], nulls: Sequence[str]) -> pd.DataFrame:
    """How much better scores of the trained network predict unit importance than those of its null networks.

    Returns:
        A row per null and criterion: null, criterion; rho and null_rho (Spearman's, pooled over layers and replicates);
        mean, low, high, p and replicates of the difference in Fisher's z, paired by replicate; p_holm (Holm over the
        criteria).
    """
    names = {(null, criterion): null_score(null, criterion) for null in nulls for criterion in criteria}
    labels = ["null", "criterion", "rho", "null_rho"]
    if not names:
        return differences([], labels, ["null"])
    within, questions = within_layers(table, [*criteria, *names.values()], ()), []
    for (null, criterion), name in names.items():
        ours, theirs = fisher_z(within, criterion), fisher_z(within, name)
        rhos = {"rho": np.tanh(ours.mean()), "null_rho": np.tanh(theirs.mean())}
        questions.append(Question({"null": null, "criterion": criterion, **rhos}, ours, theirs))
    return differences(questions, labels, ["null"])


def between_scores(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Median over layers and replicates of Spearman's ρ of every column with every other, ``[names, names]``."""
    columns = (_columns(units, names) for _, units in table.groupby(["replicate", "layer"], sort=False))
    each = np.stack([spearman(scores[:, None], scores[None]) for scores in columns])
    # A score that is constant in every layer has no correlation: NaN, and no warning of a mean of nothing.
    medians = np.ma.median(np.ma.masked_invalid(each), axis=0).filled(np.nan)
    return pd.DataFrame(medians, index=pd.Index(names), columns=pd.Index(names))


def _correlation(group: pd.DataFrame, column: str, held: int = 0) -> Correlation:
    wide = group.pivot_table(index="replicate", columns="layer", values=[column, "units"], dropna=False, sort=False)
    rho, units = wide[column].to_numpy(), wide["units"].to_numpy() - held
    return replicated_spearman(rho, units) if len(rho) > 1 else pooled_spearman(rho[0], units[0])


def _columns(units: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    return units[list(names)].to_numpy(float).T
