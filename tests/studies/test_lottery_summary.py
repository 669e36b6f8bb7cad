"""The statistics and the words, against tables made by hand and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.statistics import holm
from karikomi.studies.lottery import summary as lottery
from karikomi.studies.lottery.answer import LOST, NOT_SHOWN, WINNING, in_a_sentence, percent, verdict
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.summary import MEASURES
from karikomi.studies.publications import LOTTERY_CONDITIONS
from karikomi.studies.words import HEADLINE_WORDS


def summarize(table, settings, **margins):
    return lottery.summarize({"table": table}, settings, **margins)


def table(replicates=5, reinits=2, noise=1.0):
    """Tickets win in round 1 and lose in round 2; re-initialized networks are worse by a known amount."""
    rng = np.random.default_rng(0)
    rows = []
    for replicate in range(replicates):
        arms = [("dense", 0, 0, 4000, 0.98), ("ticket", 0, 1, 3000, 0.982), ("ticket", 0, 2, 3900, 0.97)]
        arms += [("reinit", k, n, 4500, 0.965) for n in (1, 2) for k in range(1, reinits + 1)]
        for arm, reinit, number, stop, accuracy in arms:
            row = dict.fromkeys(MEASURES, 0.5) | {"replicate": replicate, "arm": arm, "reinit": reinit, "round": number}
            row |= {"density": 0.8**number, "links": round(266_200 * 0.8**number)}
            row["early_stop_iteration"] = stop + noise * rng.normal(0, 50)
            row["test_accuracy"] = accuracy + noise * rng.normal(0, 0.0005)
            row["final_test_accuracy"] = accuracy + noise * rng.normal(0, 0.0005)
            rows.append(row)
    return pd.DataFrame(rows)


def test_means_and_intervals_are_over_replicates_with_reinits_averaged_first():
    frame = table()
    arms = summarize(frame, LotterySettings(rounds=2)).arms
    found = arms.query("arm == 'reinit' and round == 1 and measure == 'test_accuracy'").iloc[0]
    each = frame.query("arm == 'reinit' and round == 1").groupby("replicate")["test_accuracy"].mean()
    expected = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((each.mean(), expected.low, expected.high))
    assert found["replicates"] == 5


def test_differences_are_paired_by_replicate_and_corrected_over_rounds():
    # Shuffled rows: pairing must go by the replicate's number, not by position.
    frame = table().sample(frac=1, random_state=1)
    differences = summarize(frame, LotterySettings(rounds=2)).differences
    p = []
    for number in (1, 2):
        against = differences.query("arm == 'ticket' and against == 'reinit' and measure == 'early_stop_iteration'")
        found = against[against["round"] == number].iloc[0]
        means = frame[frame["round"] == number].groupby(["arm", "replicate"])["early_stop_iteration"].mean()
        expected = stats.ttest_rel(means["ticket"], means["reinit"])
        interval = expected.confidence_interval(0.95)
        assert (found["low"], found["high"], found["p"]) == pytest.approx(
            (interval.low, interval.high, expected.pvalue)
        )
        p.append(found["p"])
    family = differences.query("arm == 'ticket' and against == 'reinit' and measure == 'early_stop_iteration'")
    assert family["p_holm"].to_numpy() == pytest.approx(holm(p))
    assert set(zip(differences["arm"], differences["against"], strict=True)) == {
        ("ticket", "dense"),
        ("ticket", "reinit"),
        ("reinit", "dense"),
    }


def test_verdicts_of_known_networks():
    verdicts = summarize(table(), LotterySettings(rounds=2)).verdicts
    assert verdicts["verdict"].tolist() == [WINNING, LOST]
    assert verdicts["density"].tolist() == [0.8, 0.8**2]
    assert summarize(table(), LotterySettings(rounds=2), accuracy_margin=0.05).verdicts["verdict"].tolist() == [
        WINNING,
        WINNING,
    ]


def test_one_replicate_shows_nothing():
    summary = summarize(table(replicates=1), LotterySettings(rounds=2, replicates=1))
    assert summary.verdicts["verdict"].tolist() == [NOT_SHOWN, NOT_SHOWN]
    assert "±" not in "".join(cell for t in (*summary.tables, *summary.details) for row in t.rows for cell in row)


def test_p_of_winning_and_of_lost_are_one_sided_tests_against_both_margins():
    frame = table()
    found = summarize(frame, LotterySettings(rounds=2)).verdicts
    dense = frame.query("arm == 'dense'").set_index("replicate")
    for _, row in found.iterrows():
        ticket = frame[(frame["arm"] == "ticket") & (frame["round"] == row["round"])].set_index("replicate")
        slower = ticket["early_stop_iteration"] - dense["early_stop_iteration"]
        worse = dense["test_accuracy"] - ticket["test_accuracy"]
        pairs = [(slower, 0.05 * dense["early_stop_iteration"].mean()), (worse, 0.002)]
        within, beyond = (
            [min(1, 2 * stats.ttest_1samp(d, bound, alternative=side).pvalue) for d, bound in pairs]
            for side in ("less", "greater")
        )
        assert (row["p_winning"], row["p_lost"]) == pytest.approx((max(within), min(beyond)))
    for name in ("p_winning", "p_lost"):
        assert found[f"{name}_holm"].to_numpy() == pytest.approx(holm(found[name]))


@pytest.mark.parametrize(
    ("p_winning", "p_lost", "expected"),
    [(0.049, 1, WINNING), (0.05, 1, NOT_SHOWN), (1, 0.049, LOST), (1, 0.05, NOT_SHOWN), (np.nan, np.nan, NOT_SHOWN)],
)
def test_verdict(p_winning, p_lost, expected):
    assert verdict(p_winning, p_lost) == expected


def test_a_p_that_shows_something_before_its_correction_alone_is_given_too():
    frame = table().query("arm != 'reinit'")
    late = frame.query("arm == 'ticket' and round == 1")
    rows = [frame]
    for number in range(3, 15):  # many densities of which nothing is shown
        accuracy = 0.978 + 0.004 * np.array([-1, 1, -1, 1, 0])
        rows.append(late.assign(round=number, density=0.8**number, test_accuracy=accuracy))
    rows.append(late.assign(round=15, density=0.8**15, test_accuracy=0.9768 + 0.0005 * np.array([-1, 1, -1, 1, 0])))
    summary = summarize(pd.concat(rows), LotterySettings(rounds=15))
    last = summary.verdicts.iloc[-1]
    assert last["p_lost"] < 0.05 <= last["p_lost_holm"]
    assert last["verdict"] == NOT_SHOWN
    [cells] = [row for row in summary.tables[-1].rows if row[0] == percent(0.8**15)]
    assert cells[4] == f"{last['p_lost_holm']:.3f} (uncorrected {last['p_lost']:.3f})"


def test_the_posts_rows_stand_beside_ours_only_for_its_experiment():
    frame = table().assign(round=lambda t: t["round"].replace({2: 10}))
    titles = [t.title for t in summarize(frame, LotterySettings()).tables]
    assert titles[0].startswith("As published by tmtk")
    rows = summarize(frame, LotterySettings(replicates=3, seed=9)).tables[0].rows
    assert [(row[0], row[2], row[4]) for row in rows] == [
        (each.name, each.early_stop, each.accuracy) for each in LOTTERY_CONDITIONS
    ]
    ours = float(rows[0][1].split(" ±")[0])
    assert ours == pytest.approx(frame.query("arm == 'dense'")["early_stop_iteration"].mean(), abs=0.5)
    others = summarize(frame, LotterySettings(rate=0.3)).tables
    assert not any(t.title.startswith("As published") for t in others)


def test_arms_that_were_not_run_are_no_rows():
    frame = table().query("arm != 'reinit'")
    summary = summarize(frame, LotterySettings(rounds=2, arms=("ticket",)))
    assert set(summary.differences["against"]) == {"dense"}
    only_random = table().query("arm == 'dense' or arm == 'reinit'").replace({"arm": {"reinit": "random"}})
    answer = summarize(only_random, LotterySettings(rounds=2, arms=("random",)))
    assert answer.verdicts.empty
    assert answer.headline == "No tickets were drawn in this run."


def test_a_margin_without_meaning_is_refused():
    with pytest.raises(InputError, match="between 0 and 1"):
        summarize(table(), LotterySettings(), accuracy_margin=2)


def test_answers_show_themselves():
    summary = summarize(table(), LotterySettings(rounds=2))
    html = summary._repr_html_()
    assert "winning ticket" in html
    assert html.count("<table>") == 1 + len(summary.details)
    assert "80.0 %" in summary.headline


@pytest.mark.parametrize("order", [(0, 1, 2) * 6, (0,) * 6 + (1,) * 6 + (2,) * 6])
def test_a_headline_has_at_most_25_words(order):
    kinds = (WINNING, NOT_SHOWN, LOST)
    verdicts = pd.DataFrame({"verdict": [kinds[i] for i in order], "density": 0.8 ** np.arange(1, 19)})
    transfer = {"arm": "transferred", "against": "transferred-reinit", "measure": "test_accuracy"}
    for given in ([], [{**transfer, "mean": 0.01, "p_holm": 0.01}]):
        differences = pd.DataFrame(given, columns=[*transfer, "mean", "p_holm"])
        assert len(in_a_sentence(verdicts, differences).split()) <= HEADLINE_WORDS


@pytest.mark.parametrize(("share", "text"), [(1, "100.0 %"), (0.512, "51.2 %"), (0.0094, "0.94 %"), (0.03604, "3.6 %")])
def test_percent(share, text):
    assert percent(share) == text
