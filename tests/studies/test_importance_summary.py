"""The statistics and the words, against tables made by hand and scipy."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from karikomi.statistics import benjamini_hochberg, replicated_spearman
from karikomi.studies.importance.answer import NOT_SHOWN, PREDICTS, REVERSED
from karikomi.studies.importance.associations import between_scores, difference, pooled, within_layers
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.importance.summary import redundant, summarize

CRITERIA = ("good", "weak", "backwards", "blind")
SETTINGS = ImportanceSettings.of().model_copy(update={"criteria": CRITERIA, "given": ("weak",)})


def tables(replicates=5, units=40):
    """``good`` and ``weak`` follow the rise in loss closely and loosely, ``backwards`` falls; fc2 costs 1 nat more."""
    rng = np.random.default_rng(0)
    frames = []
    for replicate in range(replicates):
        for number, layer in enumerate(("fc1", "fc2")):
            rise = rng.normal(size=units)
            noise = rng.normal(size=(5, units))
            columns = {
                "loss_rise": rise + number + 0.01 * replicate,
                "accuracy_drop": 0.01 * rise + 0.001 * number,
                "shapley_value": 0.02 + 0.001 * noise[4],
                "shapley_error": 0.001,
                "good": rise + 0.2 * noise[0] + 5 * number,
                "weak": rise + 2 * noise[1],
                "backwards": noise[2] - rise,
                "blind": noise[3],
            }
            where = {"replicate": replicate, "layer": layer, "unit": np.arange(units) + units * number}
            frames.append(pd.DataFrame({**where, "index": np.arange(units), **columns}))
    table = pd.concat(frames, ignore_index=True)
    classes = pd.concat(table[["replicate", "unit", "accuracy_drop"]].assign(**{"class": label}) for label in range(3))
    first = {"first_unit": 0, "first_layer": "fc1", "first_index": 0}
    pairs = pd.DataFrame(
        {"replicate": r, **first, "second_layer": layer, "interaction": value}
        for r in range(replicates)
        for layer, value in (("fc1", 0.3), ("fc1", -0.1), ("fc2", 0.1))
    )
    networks = pd.DataFrame({"replicate": range(replicates), "accuracy": 0.98, "loss": 0.07, "examples": 10_000})
    return {"table": table, "classes": classes, "pairs": pairs, "networks": networks}


@pytest.fixture(scope="module")
def made():
    return tables()


@pytest.fixture(scope="module")
def summary(made):
    return summarize(made, SETTINGS)


def test_correlations_are_within_layers(made, summary):
    table = made["table"]
    for row in summary.within.itertuples():
        units = table[(table["replicate"] == row.replicate) & (table["layer"] == row.layer)]
        assert row.rho == pytest.approx(stats.spearmanr(units[row.criterion], units["loss_rise"]).statistic)
        assert row.units == 40
    # Layers alone would make ``good`` and the rise in loss go together.
    swapped = table.assign(good=table["good"].where(table["layer"] == "fc1", table["good"] - 100))
    again = within_layers(swapped, CRITERIA, ())
    assert again["rho"].to_numpy() == pytest.approx(summary.within["rho"].to_numpy())


def test_partial_correlations_hold_ranks_constant(made, summary):
    units = made["table"].query("replicate == 2 and layer == 'fc2'")
    x, y, z = (stats.rankdata(units[name]) for name in ("good", "loss_rise", "weak"))
    left = [a - np.polyval(np.polyfit(z, a, 1), z) for a in (x, y)]
    expected = stats.pearsonr(*left).statistic
    found = summary.within.query("replicate == 2 and layer == 'fc2' and criterion == 'good'")["partial"].item()
    assert found == pytest.approx(expected)
    # What is held constant has nothing left.
    assert summary.within.query("criterion == 'weak'")["partial"].isna().all()


def test_the_replicate_is_the_unit_and_q_is_over_the_scores(summary):
    wide = summary.within.query("criterion == 'good'").pivot(index="replicate", columns="layer", values="rho")
    expected = replicated_spearman(wide.to_numpy(), np.array([40, 40]))
    row = summary.associations.set_index("criterion").loc["good"]
    assert tuple(row[["rho", "low", "high", "p"]]) == pytest.approx(tuple(expected))
    assert summary.associations["q"].to_numpy() == pytest.approx(
        benjamini_hochberg(summary.associations["p"].to_numpy())
    )
    assert summary.associations["criterion"].tolist() == ["good", "weak", "blind", "backwards"]


def test_the_verdicts_and_the_headline(summary):
    verdicts = {row[0]: row[3] for row in summary.tables[0].rows}
    assert verdicts == {"good": PREDICTS, "weak": PREDICTS, "backwards": REVERSED, "blind": NOT_SHOWN}
    assert summary.headline.startswith("Good predicts unit importance best, ρ = 0.9")
    assert "next: weak, 0." in summary.headline
    assert "Predictors of unit importance: good, weak. Reversed: backwards. Inconclusive: blind." in summary.explanation


def test_what_is_not_shown_to_be_ahead_is_said_not_to_be(made):
    near = made["table"].assign(twin=made["table"]["good"] + np.random.default_rng(1).normal(0, 0.01, 400))
    both = SETTINGS.model_copy(update={"criteria": ("good", "twin")})
    found = summarize({**made, "table": near}, both)
    apart = difference(found.within, "good", "twin")
    assert apart.low < 0 < apart.high
    assert found.headline.startswith("Good predicts unit importance, ρ = 0.9")
    assert found.headline.endswith("1 other not shown to be worse.")


def test_scores_that_tell_nothing_are_not_called_best(made):
    blind = SETTINGS.model_copy(update={"criteria": ("blind",)})
    assert summarize(made, blind).headline.startswith("No score is shown to predict unit importance; highest: blind")


def test_layers_are_compared_by_replicate(made, summary):
    means = made["table"].pivot_table(index="replicate", columns="layer", values="loss_rise")
    expected = stats.ttest_rel(means["fc2"], means["fc1"])
    (row,) = summary.layer_differences.to_dict("records")
    interval = expected.confidence_interval()
    assert (row["layer"], row["against"]) == ("fc2", "fc1")
    assert (row["low"], row["high"], row["p_holm"]) == pytest.approx((interval.low, interval.high, expected.pvalue))
    largest = made["table"].groupby(["replicate", "layer"])["accuracy_drop"].max().xs("fc2", level="layer")
    found = summary.layers.set_index(["layer", "measure"]).loc[("fc2", "largest_accuracy_drop"), "mean"]
    assert found == pytest.approx(largest.mean())


def test_redundant_units_cost_little_alone_and_much_together(made, summary):
    table = made["table"].query("replicate == 0 and layer == 'fc1'").reset_index(drop=True)
    table["shapley_value"] = np.arange(40.0)
    cheap, dear = table["loss_rise"].idxmin(), table["loss_rise"].idxmax()
    table.loc[[cheap, dear], "shapley_value"] = [101, 100]
    flagged = redundant(table)
    assert flagged[cheap]
    assert not flagged[dear]
    assert set(table.index[flagged]) <= set(table["shapley_value"].nlargest(4).index)
    assert (table["loss_rise"][flagged] <= table["loss_rise"].median()).all()
    sums = summary.redundancy.set_index("measure")["mean"]
    by_replicate = made["table"].groupby("replicate")
    assert sums["singles"] == pytest.approx(by_replicate["accuracy_drop"].sum().mean())
    assert sums["whole"] == pytest.approx(by_replicate["shapley_value"].sum().mean())
    assert 0 < sums["redundant"] < 0.1


def test_pairs_by_kind(summary):
    pairs = summary.pairs.set_index(["kind", "measure"])["mean"]
    assert pairs["within fc1", "interaction"] == pytest.approx(0.1)
    assert pairs["within fc1", "share"] == pytest.approx(0.5)
    assert pairs["fc1 and fc2", "share"] == pytest.approx(1)


def test_one_network_has_intervals_over_its_units(made):
    alone = {name: table[table["replicate"] == 0] for name, table in made.items()}
    found = summarize(alone, SETTINGS)
    good = found.associations.set_index("criterion").loc["good"]
    assert good["low"] < good["rho"] < good["high"]
    assert "over the units of this one network" in found.explanation
    assert np.isnan(found.layer_differences["p_holm"]).all()


def test_without_shapley_values_and_pairs_there_is_nothing_of_them(made):
    table = made["table"].drop(columns=["shapley_value", "shapley_error"])
    found = summarize({**made, "table": table, "pairs": pd.DataFrame()}, SETTINGS)
    titles = [shown.title for shown in (*found.tables, *found.details)]
    assert "Redundancy" not in titles
    assert not any(title.startswith("Pairs") for title in titles)
    assert found.redundancy.empty
    assert found.pairs.empty


def test_correlations_between_scores_are_medians_over_layers_and_replicates(made):
    matrix = between_scores(made["table"], ["loss_rise", "good", "blind"])
    each = [
        stats.spearmanr(units["good"], units["blind"]).statistic
        for _, units in made["table"].groupby(["replicate", "layer"])
    ]
    assert matrix.loc["good", "blind"] == pytest.approx(np.median(each))
    assert np.diag(matrix) == pytest.approx(1)
    constant = between_scores(made["table"].assign(blind=1.0), ["good", "blind"])
    assert np.isnan(constant.loc["good", "blind"])


def test_a_score_that_is_constant_is_no_finding(made):
    table = made["table"].assign(blind=1.0)
    found = pooled(within_layers(table, CRITERIA, ()), held=0).set_index("criterion")
    assert np.isnan(found.loc["blind", "rho"])
    assert found["rho"].index[-1] == "blind"
    assert summarize({**made, "table": table}, SETTINGS).tables[0].rows[-1][1:4] == ("–", "–", NOT_SHOWN)


def test_the_tables_fit_a_screen(summary):
    screen = io.StringIO()
    Console(width=100, file=screen).print(summary)
    assert "…" not in screen.getvalue()
