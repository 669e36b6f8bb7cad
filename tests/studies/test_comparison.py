"""Two runs side by side, against SciPy's paired t-test."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.statistics import holm
from karikomi.studies import find_study
from karikomi.studies.comparison import compare

LOTTERY = find_study("lottery")


def table(seed: int, replicates: int = 6, rounds: int = 3, arms: tuple[str, ...] = ("dense", "ticket")) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {"arm": arm, "round": number, "replicate": replicate, "density": 0.8**number, "links": 100}
        | {"early_stop_iteration": rng.integers(100, 900), "test_accuracy": rng.uniform(0.9, 1)}
        | dict.fromkeys(("test_loss", "final_test_accuracy", "train_accuracy", "validation_loss"), 1.0)
        for arm in arms
        for number in ([0] if arm == "dense" else range(1, rounds + 1))
        for replicate in range(replicates)
    ]
    return pd.DataFrame(rows)


def a_run(name: str, frame: pd.DataFrame, study: Any = LOTTERY, **settings: Any) -> Any:
    folder = SimpleNamespace(settings={"network": "mlp-9", **settings}, path=SimpleNamespace(name=name))
    return SimpleNamespace(study=study, tables={"table": frame}, folder=folder)


def test_every_shared_condition_is_compared_by_a_paired_t_test() -> None:
    ours, theirs = table(0, replicates=6, rounds=3), table(1, replicates=5, rounds=2)
    found = compare(a_run("a", ours, control="none"), a_run("b", theirs, control="matched"))
    rows = found.differences.set_index(["measure", "arm", "round"])
    assert set(rows.index) == {
        (measure, arm, number)
        for measure in ("test_accuracy", "early_stop_iteration")
        for arm, number in (("dense", 0), ("ticket", 1), ("ticket", 2))
    }
    for (measure, arm, number), row in rows.iterrows():
        a, b = (
            frame[(frame["arm"] == arm) & (frame["round"] == number) & (frame["replicate"] < 5)][measure]
            for frame in (ours, theirs)
        )
        expected = stats.ttest_rel(a.to_numpy(), b.to_numpy())
        low, high = expected.confidence_interval(0.95)
        measured = row[["run", "against", "mean", "low", "high", "p"]].to_numpy(float)
        np.testing.assert_allclose(measured, [a.mean(), b.mean(), a.mean() - b.mean(), low, high, expected.pvalue])
        assert row["replicates"] == 5
    for measure in ("test_accuracy", "early_stop_iteration"):
        family = found.differences[found.differences["measure"] == measure]
        np.testing.assert_allclose(family["p_holm"], holm(family["p"].to_numpy()))
    assert found.settings.to_dict("records") == [{"setting": "control", "run": "none", "against": "matched"}]


def test_the_answer_counts_what_is_shown() -> None:
    ours = table(0)
    theirs = ours.assign(test_accuracy=ours["test_accuracy"] + np.where(ours["round"] == 2, 0.2, 0.0))
    theirs["test_accuracy"] += np.random.default_rng(2).normal(0, 1e-3, len(theirs))
    found = compare(a_run("a", ours, seed=0), a_run("b", theirs, seed=1, arms=["ticket", "reinit"], rate=0.2))
    assert found.headline == (
        "Accuracy at the early stop is lower in 1 of 4; early stop is not shown to differ in any of 4 compared."
    )
    settings = "seed (0 minus 1), arms (none minus ticket reinit) and rate (none minus 0.2)"
    assert f"a minus b, which differ in {settings}." in found.explanation
    shown = next(each for each in found.tables if each.title == "accuracy at the early stop, %")
    assert shown.columns == ("arm", "round", "run", "against", "difference", "p")
    assert [row[:2] for row in shown.rows] == [("dense", "0"), ("ticket", "1"), ("ticket", "2"), ("ticket", "3")]
    assert float(shown.rows[2][4].split(" ± ")[0]) == pytest.approx(-20, abs=0.2)
    assert shown.rows[2][5] == "< 0.001"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (a_run("b", table(0)), "the same settings"),
        (a_run("b", table(0), find_study("lesion"), seed=1), "of one study compare; these are lottery and lesion"),
        (a_run("b", table(0, arms=("random",)), seed=1), "share no condition"),
        (a_run("b", table(0, replicates=1), seed=1), "share no condition that both have two replicates of"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(other: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        compare(a_run("a", table(0)), other)
    assert "\n" not in str(refused.value)
