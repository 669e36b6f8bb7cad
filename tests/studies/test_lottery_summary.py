"""The statistics and the words, against tables made by hand and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.statistics import holm
from karikomi.studies.lottery import summary as lottery
from karikomi.studies.lottery.answer import LOST, NOT_SHOWN, WINNING, percent
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.summary import MEASURES
from karikomi.studies.publications import LOTTERY_CONDITIONS


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


def of_variants(**shifts):
    """The table once for each variant, whose tickets' accuracy is shifted; the dense networks are shared."""
    whole, rng = table(), np.random.default_rng(1)
    dense, others = (whole[(whole["arm"] == "dense") == is_dense] for is_dense in (True, False))
    frames = [dense.assign(variant="")]
    for label, shift in shifts.items():
        noise = shift + rng.normal(0, 0.0002, len(others))
        frames.append(others.assign(variant=label, test_accuracy=others["test_accuracy"] + noise))
    return pd.concat(frames, ignore_index=True)


def test_variants_are_compared_with_the_first_paired_and_corrected_over_variants_and_rounds():
    frame = of_variants(one=0, same=0, worse=-0.02).sample(frac=1, random_state=2)
    frame["variant"] = pd.Categorical(frame["variant"], ["", "one", "same", "worse"])
    frame = frame.sort_values("variant", kind="stable").astype({"variant": str})
    summary = summarize(frame, LotterySettings(rounds=2, criteria=("magnitude", "snip", "taylor")))
    found = summary.comparison.query("measure == 'test_accuracy'")
    p = []
    for row in found.to_dict("records"):
        tickets = frame[(frame["arm"] == "ticket") & (frame["round"] == row["round"])]
        tickets = tickets.set_index(["variant", "replicate"]).sort_index()
        ours, theirs = (tickets.loc[name, "test_accuracy"] for name in (row["variant"], row["against"]))
        expected = stats.ttest_rel(ours, theirs)
        assert (row["p"], row["low"]) == pytest.approx((expected.pvalue, expected.confidence_interval(0.95).low))
        p.append(expected.pvalue)
    assert [(row["variant"], row["round"]) for row in found.to_dict("records")] == [
        ("same", 1),
        ("same", 2),
        ("worse", 1),
        ("worse", 2),
    ]
    assert found["p_holm"].to_numpy() == pytest.approx(holm(p))
    assert summary.headline == (
        "Against one, same is not shown to differ in accuracy; worse is less accurate at 2 of 2 densities."
    )
    [compared] = summary.tables
    assert [row[1] for row in compared.rows] == 2 * ["one", "same", "worse"]


def test_a_variant_s_arms_are_those_of_a_run_of_it_alone():
    frame = of_variants(one=0, worse=-0.02)
    together = summarize(frame, LotterySettings(rounds=2, criteria=("magnitude", "snip")))
    for label in ("one", "worse"):
        alone = summarize(frame[frame["variant"].isin(["", label])].drop(columns="variant"), LotterySettings(rounds=2))
        for name in ("arms", "differences", "verdicts"):
            part = getattr(together, name).query("variant == @label").drop(columns="variant").reset_index(drop=True)
            pd.testing.assert_frame_equal(part, getattr(alone, name).reset_index(drop=True))


def test_tickets_are_compared_with_every_control():
    frame = table()
    frame = pd.concat([frame, frame[frame["arm"] == "reinit"].assign(arm="shuffled", reinit=0)])
    found = summarize(frame, LotterySettings(rounds=2, arms=("reinit", "shuffled"))).differences
    pairs = set(zip(found["arm"], found["against"], strict=True))
    assert {("ticket", "shuffled"), ("ticket", "reinit"), ("shuffled", "reinit")} < pairs
    assert ("shuffled", "ticket") not in pairs


def with_controls(*controls):
    """The table with controls that are 1 point less accurate than tickets each, and a supermask of 95 %."""
    frame, rng = table(), np.random.default_rng(3)
    tickets, dense = (frame[frame["arm"] == arm] for arm in ("ticket", "dense"))
    worse = [
        tickets.assign(arm=arm, test_accuracy=tickets["test_accuracy"] - 0.01 * (k + 1))
        for k, arm in enumerate(controls)
    ]
    mask = dense.assign(arm="supermask", density=0.51, test_accuracy=0.95 + rng.normal(0, 0.001, len(dense)))
    both = pd.concat([frame[frame["arm"].isin(["dense", "ticket"])], mask, *worse], ignore_index=True)
    before = {"dense": 0.1, "ticket": 0.3, "constant": 0.8, "supermask": 0.95}
    return both.assign(initial_test_accuracy=[before.get(arm, 0.1) + rng.normal(0, 0.001) for arm in both["arm"]])


def test_what_a_ticket_owes_to_what_is_said_of_several_controls():
    frame = with_controls("constant", "signed-reinit")
    settings = LotterySettings(rounds=2, arms=("signed-reinit", "constant", "supermask"))
    summary = summarize(frame, settings)
    [owed] = [t for t in summary.tables if t.title.startswith("What a ticket owes")]
    assert [row[:3] for row in owed.rows] == [
        ("signed-reinit", "2 of 2", "0 of 2"),
        ("constant", "2 of 2", "0 of 2"),
        ("supermask", "2 of 2", "0 of 2"),
    ]
    assert [row[3].split(" ±")[0] for row in owed.rows[:2]] == ["+2.00", "+1.00"]
    assert owed.rows[2][4] == "80.0 %", "there tickets are ahead the most"
    assert not any(t.title.startswith("What a ticket owes") for t in summarize(table(), settings).tables)


def test_a_supermask_stands_beside_every_density():
    summary = summarize(with_controls("constant"), LotterySettings(rounds=2, arms=("constant", "supermask")))
    pairs = summary.differences.query("against == 'supermask' and measure == 'test_accuracy'")
    assert list(zip(pairs["arm"], pairs["round"], strict=True)) == [("ticket", 1), ("ticket", 2)]
    own = summary.differences.query("arm == 'supermask'")
    assert set(zip(own["against"], own["round"], strict=True)) == {("dense", 0)}
    assert summary.headline.startswith(
        "Untrained networks are at best 95.0 % accurate, supermask with 51.0 % of the links; "
    )
    before = {row[1]: row[2] for t in summary.details if t.title.startswith("Every arm") for row in t.rows}
    assert before["constant"].startswith("80.")


def test_a_run_without_pruned_networks_is_answered():
    frame = with_controls().query("round == 0")
    summary = summarize(frame, LotterySettings(arms=("supermask",)))
    assert summary.headline == "Untrained networks are at best 95.0 % accurate, supermask with 51.0 % of the links."


def test_runs_of_earlier_versions_have_no_accuracy_before_training():
    frame = with_controls("constant")
    old = frame.drop(columns="initial_test_accuracy")
    now, then = (summarize(each, LotterySettings(rounds=2, arms=("constant",))) for each in (frame, old))
    assert "initial_test_accuracy" not in set(then.arms["measure"]) | set(then.differences["measure"])
    pd.testing.assert_frame_equal(now.verdicts, then.verdicts)
    assert "at best" not in then.headline
    assert {row[2] for t in then.details if t.title.startswith("Every arm") for row in t.rows} == {"–"}


def test_what_is_cut_off_is_said():
    frame = table()
    at = (frame["arm"] == "ticket") & (frame["round"] == 2) & (frame["replicate"] < 2)
    frame.loc[at, "cut_off"] = ["fc1, output", "output"]
    summary = summarize(frame, LotterySettings(rounds=2))
    assert summary.tables[0].title.startswith("Cut off")
    assert summary.tables[0].rows == [("64.0 %", "ticket", "fc1, output", "2 of 5")]
    assert summarize(table(), LotterySettings(rounds=2)).cut_off.empty


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
    assert answer.headline == "This run has no tickets."


def test_a_margin_without_meaning_is_refused():
    with pytest.raises(InputError, match="between 0 and 1"):
        summarize(table(), LotterySettings(), accuracy_margin=2)


def test_answers_show_themselves():
    summary = summarize(table(), LotterySettings(rounds=2))
    html = summary._repr_html_()
    assert "winning ticket" in html
    assert html.count("<table>") == 1 + len(summary.details)
    assert "80.0 %" in summary.headline
