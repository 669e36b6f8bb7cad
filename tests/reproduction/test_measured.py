"""A measure is what a loop over the rows gives."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.claims.claim import Measure
from karikomi.errors import InputError
from karikomi.reproduction.measured import values

ARMS = ("a", "b", "c")
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(ARMS), st.integers(0, 2), st.floats(1, 9)), min_size=1, max_size=40
)
LOOPS = {
    "mean": lambda found: sum(found) / len(found),
    "min": min,
    "max": max,
    "sum": sum,
    "last": lambda found: found[-1],
}


def results(table: pd.DataFrame, **more: pd.DataFrame) -> Any:
    study = SimpleNamespace(by_replicate=lambda tables: tables["table"].set_index(["arm", "replicate"]))
    return {"one": SimpleNamespace(tables={"table": table, **more}, study=study)}


def table_of(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["replicate", "arm", "round", "x"])


def by_loop(rows, arm: str, rounds: list[int], aggregate: str) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for replicate, its, number, x in rows:
        if its == arm and number in rounds:
            found.setdefault(replicate, []).append(x)
    return {replicate: LOOPS[aggregate](xs) for replicate, xs in found.items()}


@given(ROWS, st.sampled_from(sorted(LOOPS)), st.sampled_from(["minus", "over", None]))
def test_it_is_what_a_loop_gives(rows, aggregate, relation):
    other = {relation: {"where": {"arm": "b"}}} if relation else {}
    where = {"arm": "a", "round": [0, 2]}
    given = {"run": "one", "column": "x", "where": where, "aggregate": aggregate, "times": 3, "plus": 1, **other}
    measure = Measure.model_validate(given)
    a, b = (by_loop(rows, arm, [0, 2], aggregate) for arm in "ab")
    if not a or (relation and not b):
        with pytest.raises(InputError, match="no row of the table"):
            values(measure, results(table_of(rows)))
        return
    if relation and not set(a) & set(b):
        with pytest.raises(InputError, match="no replicate has both"):
            values(measure, results(table_of(rows)))
        return
    combine = {"minus": lambda x, y: x - y, "over": lambda x, y: x / y}
    expected = {r: combine[relation](x, b[r]) for r, x in a.items() if r in b} if relation else a
    found = values(measure, results(table_of(rows)))
    assert found.to_dict() == pytest.approx({r: 3 * x + 1 for r, x in expected.items()})


def test_a_missing_value_is_not_averaged_away():
    rows = [(0, "a", 0, 1.0), (0, "a", 1, float("nan")), (1, "a", 0, 2.0)]
    found = values(Measure(run="one", column="x"), results(table_of(rows)))
    assert found.isna().tolist() == [True, False]


def test_nothing_over_zero_is_missing():
    measure = Measure.model_validate(
        {"run": "one", "column": "x", "where": {"arm": "a"}, "over": {"where": {"arm": "b"}}}
    )
    found = values(measure, results(table_of([(0, "a", 0, 1.0), (0, "b", 0, 0.0), (1, "a", 0, 1.0), (1, "b", 0, 2.0)])))
    assert found.isna().tolist() == [True, False]


def test_the_measures_of_a_study_are_a_table():
    rows = [(0, "a", 0, 1.0), (1, "b", 1, 2.0)]
    found = values(Measure(run="one", table="measures", column="x", where={"arm": "b"}), results(table_of(rows)))
    assert found.to_dict() == {1: 2.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"column": "y"}, "unknown column of the table table 'y'"),
        ({"column": "x", "where": {"arn": "a"}}, "did you mean 'arm'?"),
        ({"column": "x", "where": {"arm": "d"}}, "has arm 'd'; there are: a, b"),
        ({"column": "arm"}, "holds no numbers"),
        ({"column": "x", "table": "tabel"}, "did you mean 'table'?"),
    ],
)
def test_what_is_not_there_is_said(given, message):
    rows = [(0, "a", 0, 1.0), (1, "b", 1, 2.0)]
    with pytest.raises(InputError) as problem:
        values(Measure(run="one", **given), results(table_of(rows)))
    assert message in str(problem.value)
