"""The statistics and the words, against tables made by hand and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.statistics import Difference, holm
from karikomi.studies.lesion.answer import (
    BETTER,
    CLIFF,
    FAILS,
    HOLDS,
    NOT_SHOWN,
    VERDICTS,
    WORSE,
    cliff_verdict,
    judge,
)
from karikomi.studies.lesion.arms import Arm
from karikomi.studies.lesion.paired import by_kind, paired
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.summary import summarize

ROBUSTNESS = {"in-strength": {"high": 0.3, "low": 0.8}, "taylor": {"high": 0.6, "low": 0.6}}
"""Of the targeted orders; of random ones it is 0.6."""


def row(replicate, arm, control, order, robustness, drop=0.05, at_post=0.9):
    where = {"replicate": replicate, **arm._asdict(), "control": control, "order": order}
    return where | {
        "robustness": robustness,
        "loss_rise": 1 - robustness,
        "f50": robustness,
        "drop": drop,
        "drop_at": 0.8,
        "accuracy": 0.98,
        "accuracy_at_half": robustness,
        "accuracy_at_post": at_post,
        "loss": 0.1,
    }


def tables(replicates=5, orders=20, scope="layer"):
    rng, rows = np.random.default_rng(0), []
    for replicate in range(replicates):
        level = rng.normal(0, 0.05)  # Replicates differ; what is paired does not see it.
        for control in ("random", "layer-matched")[: 2 if scope == "layer" else 1]:
            rows += [row(replicate, Arm(), control, n, 0.6 + level + rng.normal(0, 0.02)) for n in range(orders)]
        for criterion, by_direction in ROBUSTNESS.items():
            for direction, robustness in by_direction.items():
                arm = Arm(criterion, direction, "static")
                drop = 0.2 if arm == Arm("taylor", "high", "static") else 0.04
                at_post = {"high": 0.8, "low": 0.978}[direction]
                rows.append(
                    row(replicate, arm, "targeted", 0, robustness + level + rng.normal(0, 0.005), drop, at_post)
                )
                if scope == "global":
                    own = [row(replicate, arm, "layer-matched", n, robustness + level) for n in range(orders)]
                    rows += own
    return {"table": pd.DataFrame(rows)}


SETTINGS = LesionSettings(criteria=tuple(ROBUSTNESS), orders=20)


@pytest.fixture(scope="module")
def summary():
    return summarize(tables(), SETTINGS)


def by_arm(frame):
    return frame.set_index(list(Arm._fields))


def test_verdicts_of_known_orders(summary):
    verdicts = by_arm(summary.verdicts)["verdict"]
    assert verdicts.to_dict() == {
        ("in-strength", "high", "static"): WORSE,
        ("in-strength", "low", "static"): BETTER,
        ("taylor", "high", "static"): NOT_SHOWN,
        ("taylor", "low", "static"): NOT_SHOWN,
    }
    assert summary.headline.startswith("Accuracy declines earliest when units with the highest in-strength are removed")
    assert "same layers when the highest in-strength are removed first." in summary.explanation
    assert "It declines later when the lowest in-strength are." in summary.explanation


def test_means_are_over_replicates_with_orders_averaged_first(summary):
    table = tables()["table"]
    for arm, control in ((Arm(), "random"), (Arm("taylor", "low", "static"), "targeted")):
        chosen = table[(table[list(Arm._fields)] == list(arm)).all(axis=1) & (table["control"] == control)]
        each = chosen.groupby("replicate")["robustness"].mean()
        expected = stats.ttest_1samp(each, 0).confidence_interval(0.95)
        rows = summary.arms[summary.arms["measure"] == "robustness"]
        found = by_arm(rows[rows["control"] == control]).loc[tuple(arm)]
        assert (found["mean"], found["low"], found["high"]) == pytest.approx((each.mean(), expected.low, expected.high))


def test_differences_are_paired_by_replicate_and_corrected_over_arms(summary):
    # Replicates differ by ten times what an arm does: an interval that did not pair would hold 0.
    found = summary.differences.query("measure == 'robustness' and against == 'random'")
    for _, difference in found.iterrows():
        expected = ROBUSTNESS[difference["criterion"]][difference["direction"]] - 0.6
        assert difference["mean"] == pytest.approx(expected, abs=0.01)
        assert difference["low"] - 1e-9 <= difference["mean"] <= difference["high"]
        assert difference["high"] - difference["low"] < 0.03
    np.testing.assert_allclose(found["p_holm"], holm(found["p"].to_numpy()))


def test_rows_are_paired_by_their_numbers_not_by_their_places():
    table = tables()["table"]
    orders = by_kind(table), by_kind(table.sample(frac=1, random_state=0))
    for arm in (Arm("in-strength", "high", "static"), Arm("taylor", "low", "static")):
        targeted, random = (paired(some, arm, "layer-matched", "robustness") for some in orders)
        np.testing.assert_array_equal(targeted[0], random[0])
        np.testing.assert_array_equal(targeted[1], random[1])
    last = table[(table["replicate"] != 4) | (table["criterion"] != "taylor")]
    assert len(paired(by_kind(last), Arm("taylor", "low", "static"), "random", "robustness")[0]) == 4


def test_where_every_arm_has_its_own_matched_orders_it_is_compared_with_those():
    settings = LesionSettings(criteria=tuple(ROBUSTNESS), orders=20, scope="global")
    found = summarize(tables(scope="global"), settings)
    assert set(found.verdicts["verdict"]) == {NOT_SHOWN}
    assert found.headline.startswith("No order is shown to differ")
    against_random = found.differences.query("measure == 'robustness' and against == 'random'")
    assert by_arm(against_random).loc[("in-strength", "high", "static"), "p_holm"] < 0.01


def test_a_cliff_is_a_drop_that_random_orders_do_not_show(summary):
    cliffs = by_arm(summary.cliffs)
    assert cliffs["verdict"].to_dict() == {
        ("in-strength", "high", "static"): NOT_SHOWN,
        ("in-strength", "low", "static"): NOT_SHOWN,
        ("taylor", "high", "static"): CLIFF,
        ("taylor", "low", "static"): NOT_SHOWN,
    }
    cliff = cliffs.loc[("taylor", "high", "static")]
    # In each of 5 replicates none of 20 random orders is as large: Fisher's method of five times 1 / 21.
    assert cliff["p"] == pytest.approx(stats.combine_pvalues([1 / 21] * 5).pvalue)
    assert (cliff["size"], cliff["place"], cliff["random"]) == pytest.approx((0.2, 0.8, 0.05))
    assert (
        "cliffs, are shown for the highest taylor (20.0 points with 80 % of the units removed)" in summary.explanation
    )


def test_the_posts_claims_stand_beside_ours_only_for_its_experiment(summary):
    claims = by_arm(summary.claims)
    assert list(claims.index) == [("in-strength", "high", "static"), ("in-strength", "low", "static")]
    worse, stays = claims.loc[("in-strength", "high", "static")], claims.loc[("in-strength", "low", "static")]
    assert (worse["verdict"], worse["mean"]) == (HOLDS, pytest.approx(0.8 - 0.9))
    assert (stays["verdict"], stays["mean"]) == (HOLDS, pytest.approx(0.978 - 0.98))
    assert summary.tables[0].title.startswith("As published by Shin_Miz")
    for other in ({"network": "mlp-256"}, {"ablation": "mean"}, {"data": "own"}):
        found = summarize(tables(), SETTINGS.changed(**other))
        assert found.claims.empty
        assert not any(table.title.startswith("As published") for table in found.tables)


@pytest.mark.parametrize(
    ("says", "low", "high", "expected"),
    [
        ("worse", -0.2, -0.01, HOLDS),
        ("worse", -0.2, 0.01, NOT_SHOWN),
        ("worse", 0.01, 0.2, FAILS),
        ("stays", -0.009, 0.1, HOLDS),
        ("stays", -0.011, 0.1, NOT_SHOWN),
        ("stays", -0.2, -0.011, FAILS),
        ("stays", np.nan, np.nan, NOT_SHOWN),
    ],
)
def test_claims_are_judged_by_the_interval(says, low, high, expected):
    assert judge(says, Difference((low + high) / 2, low, high, 0.5)) == expected


def test_one_replicate_shows_nothing():
    found = summarize(tables(replicates=1), SETTINGS)
    assert set(found.verdicts["verdict"]) == {NOT_SHOWN}
    cells = [cell for table in (*found.tables, *found.details) for row in table.rows for cell in row]
    assert not any("±" in cell or "nan" in cell for cell in cells)


def test_networks_no_better_than_chance_show_nothing():
    table = tables()["table"].assign(robustness=np.nan, f50=np.nan)
    found = summarize({"table": table}, SETTINGS)
    assert set(found.verdicts["verdict"]) == {NOT_SHOWN}
    assert not any("nan" in cell for table in found.tables for row in table.rows for cell in row)


def test_answers_fit_a_terminal_and_show_themselves(summary):
    for table in (*summary.tables, *summary.details):
        widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 100, table.title
    assert "worse than random" in summary._repr_html_()


def test_every_verdict_has_its_colour():
    words = {WORSE, BETTER} | {cliff_verdict(0.01), cliff_verdict(1), HOLDS, FAILS}
    assert words <= VERDICTS.keys()
    assert {VERDICTS[word].tone for word in words} == {"good", "bad", "open"}
