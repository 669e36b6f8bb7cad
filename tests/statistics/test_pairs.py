"""Means over pairs of replicates: the jackknife by its definition, and how often its intervals hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import pair_interval


def mean_over_pairs(values, members):
    return np.mean([values[a, b] for a in members for b in members if a < b])


@given(st.integers(3, 8), st.integers(0, 1000))
def test_the_jackknife_by_its_definition(many, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(1, 1, (many, many))
    values = values + values.T
    without = np.array([mean_over_pairs(values, [r for r in range(many) if r != gone]) for gone in range(many)])
    error = np.sqrt((many - 1) / many * ((without - without.mean()) ** 2).sum())
    found = pair_interval(values)
    assert found.mean == pytest.approx(mean_over_pairs(values, range(many)))
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, many - 1) * error)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.mean) / error, many - 1))
    changed = values.copy()
    np.fill_diagonal(changed, np.nan)
    assert pair_interval(changed) == found, "the diagonal does not count"


def test_a_sum_of_what_each_replicate_adds_has_the_interval_of_the_replicates():
    own = np.array([1.0, 2, 4, 8])
    found, expected = pair_interval(own[:, None] + own), stats.ttest_1samp(own, 0)
    interval = expected.confidence_interval(0.95)
    assert found == pytest.approx((2 * own.mean(), 2 * interval.low, 2 * interval.high, expected.pvalue))


@pytest.mark.parametrize(("own", "shared"), [(1, 0), (1, 1), (0, 1)])
def test_intervals_hold_the_truth_at_least_as_often_as_they_say(own, shared):
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        each, pair = rng.normal(0, own, 5), rng.normal(0, shared, (5, 5))
        found = pair_interval(each[:, None] + each + pair + pair.T)
        held += found.low <= 0 <= found.high
    assert held / 2000 > 0.95 - 0.012


def test_too_few_replicates_have_a_mean_alone():
    assert pair_interval(np.array([[0, 3.0], [3, 0]]))[:1] == (3.0,)
    assert np.isnan(pair_interval(np.array([[0, 3.0], [3, 0]]))[1:]).all()
    assert np.isnan(pair_interval(np.zeros((1, 1)))).all()
    assert np.isnan(pair_interval(np.array([[0, 1, np.nan], [1, 0, 2], [np.nan, 2, 0]]))).all()
