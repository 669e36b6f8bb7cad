"""The statistics and the words, on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.statistics import holm
from karikomi.studies.ageing.answer import FALLS, HIGHER, HOLDS, LOWER, NOT_SHOWN
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.ageing.summary import AgeingSummary, summarize
from karikomi.studies.words import HEADLINE_WORDS

CYCLES = 5


def table(gains, replicates=5, patterns=("random",), noise=2e-4):
    """Every arm moves by its gain in each cycle; its accuracy before training is 0.01 below that after it."""
    rng, rows = np.random.default_rng(0), []
    lives = {(arm, "" if arm == "sham" else pattern) for arm in gains for pattern in patterns}
    for replicate in range(replicates):
        where = {"loss": 0.1, "dormant": 2, "cka": 0.9, "norm": 20.0, "units_left": 9}
        healthy = 0.97 + noise * rng.normal()
        rows.append({"replicate": replicate, "arm": "healthy", "pattern": "", "cycle": 0, "accuracy": healthy} | where)
        for arm, pattern in sorted(lives):
            for cycle in range(1, CYCLES + 1):
                gain = gains[arm] * cycle - 0.004 * cycle * pattern.startswith("scattered")
                accuracy = healthy + gain + noise * rng.normal()
                at = {"replicate": replicate, "arm": arm, "pattern": pattern, "cycle": cycle}
                rows.append({**at, "when": "after", "accuracy": accuracy} | where)
                if arm != "scratch":
                    rows.append({**at, "when": "before", "accuracy": accuracy - 0.01} | where)
    return pd.DataFrame(rows).fillna({"when": "after"})


def summary(frame, **settings) -> AgeingSummary:
    return summarize({"table": frame}, AgeingSettings.of(**settings))


def found(answer, question, measure="final", **where):
    rows = answer.differences.query("question == @question and measure == @measure")
    for column, value in where.items():
        rows = rows[rows[column] == value]
    (row,) = rows.to_dict("records")
    return row


GAINS = {"none": -0.004, "retrain": 0.0, "sham": 0.002, "scratch": -0.002}


def test_what_holds_and_what_falls():
    answer = summary(table(GAINS))
    verdicts = answer.differences.query("question == 'healthy'").set_index("arm")["verdict"].to_dict()
    assert verdicts == {"none": FALLS, "retrain": HOLDS, "sham": HOLDS}
    assert answer.headline.startswith(f"After {CYCLES} cycles accuracy falls in arm none (-")
    assert "points; it holds in arms retrain (" in answer.headline
    assert "none -1.98 ± 0.03 (falls); retrain" in answer.explanation


def test_differences_are_paired_by_replicate_at_the_end_and_over_life():
    frame = table(GAINS).sample(frac=1, random_state=0)
    answer = summary(frame)
    after = frame[(frame["when"] == "after") & (frame["cycle"] > 0)]
    measures = {"final": after[after["cycle"] == CYCLES], "life": after}
    p = {}
    for measure, chosen in measures.items():
        means = chosen.groupby(["arm", "replicate"])["accuracy"].mean()
        for against in ("none", "sham"):
            row = found(answer, "arms", measure, against_arm=against)
            expected = stats.ttest_rel(means["retrain"], means[against])
            interval = expected.confidence_interval(0.95)
            assert (row["low"], row["high"], row["p"]) == pytest.approx((interval.low, interval.high, expected.pvalue))
            p[measure, against] = row
    both = [p["final", against] for against in ("none", "sham")]
    assert [row["p_holm"] for row in both] == pytest.approx(holm([row["p"] for row in both]))
    assert [row["verdict"] for row in both] == [HIGHER, LOWER]
    assert found(answer, "scratch")["verdict"] == HIGHER


def test_the_measures_of_a_life():
    frame = table(GAINS)
    lives = summary(frame).lives.set_index(["arm", "measure"])
    after = frame[(frame["arm"] == "retrain") & (frame["when"] == "after")].groupby("replicate")["accuracy"]
    for measure, each in (("lowest", after.min()), ("highest", after.max()), ("life", after.mean())):
        row, expected = lives.loc["retrain", measure], stats.ttest_1samp(each, 0).confidence_interval(0.95)
        assert (row["mean"], row["low"], row["high"]) == pytest.approx((each.mean(), expected.low, expected.high))
    assert lives.loc[("retrain", "recovered"), "mean"] == pytest.approx(0.01)
    assert np.isnan(lives.loc[("scratch", "recovered"), "mean"])


def test_a_pattern_against_its_control():
    frame = table(GAINS, patterns=("regional", "scattered-regional"))
    answer = summary(frame, network="modular-3-9-14-9", patterns=("regional", "scattered"))
    for arm in ("none", "retrain"):
        row = found(answer, "patterns", arm=arm)
        assert (row["pattern"], row["against_pattern"], row["verdict"]) == ("regional", "scattered-regional", HIGHER)
        assert row["mean"] == pytest.approx(0.02, abs=1e-3)
        assert found(answer, "patterns", "life", arm=arm)["mean"] == pytest.approx(0.012, abs=1e-3)
    assert "Regional deaths against scattered-regional: none +2.0" in answer.explanation


def test_local_links_are_compared_with_long_range_ones():
    settings = {"network": "modular-3-9-14-9", "patterns": ("long-range", "local"), "arms": ("none",)}
    answer = summary(table({"none": -0.001}, patterns=("local", "long-range")), **settings)
    assert found(answer, "patterns")["against_pattern"] == "long-range"
    assert found(answer, "patterns")["verdict"] == NOT_SHOWN


def test_one_replicate_shows_nothing():
    answer = summary(table(GAINS, replicates=1), replicates=1)
    assert set(answer.differences["verdict"]) == {NOT_SHOWN}
    assert "±" not in "".join(cell for t in (*answer.tables, *answer.details) for row in t.rows for cell in row)


def test_the_posts_claims_are_judged_for_its_experiment_only():
    claims = summary(table(GAINS)).claims
    assert claims["verdict"].tolist() == ["does not hold", "holds", "does not hold"]
    assert summary(table(GAINS), cycles=5).claims.empty
    true = table({"none": -0.002, "retrain": 0.0}).assign(accuracy=lambda t: t["accuracy"] + 0.0105)
    claims = summary(true.assign(accuracy=lambda t: t["accuracy"] - 0.009 * (t["arm"] == "none"))).claims
    assert claims["verdict"].tolist() == ["holds", "holds", "holds"]


def test_replicates_that_are_ahead_wait_for_the_others():
    frame = table(GAINS)
    behind = frame[(frame["replicate"] != 2) | (frame["cycle"] <= 3)]
    assert summary(behind).headline == summary(frame[frame["cycle"] <= 3]).headline


def test_before_the_first_cycle_there_is_no_answer():
    frame = table(GAINS)
    assert summary(frame[frame["cycle"] == 0]).headline == "No cycle has passed yet."


def test_margins():
    frame = table(GAINS)
    wide = summarize({"table": frame}, AgeingSettings(), accuracy_margin=0.5)
    assert set(wide.differences.query("question == 'healthy'")["verdict"]) == {HOLDS}
    with pytest.raises(InputError, match="between 0 and 1"):
        summarize({"table": frame}, AgeingSettings(), accuracy_margin=2)


def test_tables_fit_a_terminal():
    answer = summary(table(GAINS))
    for shown in (*answer.tables, *answer.details):
        widths = [max(map(len, column)) for column in zip(shown.columns, *shown.rows, strict=True)]
        assert sum(widths) + 2 * len(widths) <= 100


@pytest.mark.parametrize("patterns", [("random",), ("regional", "scattered-regional", "cluster", "scattered-cluster")])
def test_a_headline_has_at_most_25_words(patterns):
    settings = (
        {} if len(patterns) == 1 else {"network": "modular-3-9-14-9", "patterns": ("regional", "cluster", "scattered")}
    )
    for replicates in (1, 4):
        answer = summary(table(GAINS, patterns=patterns, replicates=replicates), replicates=replicates, **settings)
        assert len(answer.headline.split()) <= HEADLINE_WORDS
