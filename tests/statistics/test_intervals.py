"""Against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import ALPHA, mean_interval, one_sided, paired_difference

VALUES = st.lists(st.floats(-100, 100), min_size=3, max_size=12).filter(lambda v: np.std(v) > 1e-6)


@given(VALUES)
def test_interval_is_scipys(values):
    mean, low, high = mean_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx((expected.low, expected.high))


@given(VALUES, st.integers(0, 1000))
def test_paired_difference_is_scipys(values, seed):
    other = np.random.default_rng(seed).normal(size=len(values))
    found, expected = paired_difference(values, other), stats.ttest_rel(values, other)
    interval = expected.confidence_interval(0.95)
    assert found == pytest.approx((np.mean(values - other), interval.low, interval.high, expected.pvalue))


def test_one_replicate_has_no_interval():
    assert np.isnan([*mean_interval([3.0])[1:], *paired_difference([3.0], [1.0])[1:]]).all()
    assert paired_difference([3.0], [1.0]).mean == 2


def test_equal_differences():
    assert paired_difference([2.0, 3, 4], [1.0, 2, 3]) == (1, 1, 1, 0)
    assert paired_difference([2.0, 3, 4], [2.0, 3, 4]) == (0, 0, 0, 1)


@given(VALUES, st.floats(-5, 5))
def test_one_sided_tests_are_scipys_and_say_what_the_interval_says(values, bound):
    below, above = one_sided(values, bound)
    for found, side in ((below, "less"), (above, "greater")):
        expected = min(1, 2 * stats.ttest_1samp(values, bound, alternative=side).pvalue)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)
    _, low, high = mean_interval(values)
    if min(abs(bound - low), abs(bound - high)) > 1e-6:
        assert (below < ALPHA, above < ALPHA) == (high < bound, low > bound)


def test_one_sided_tests_of_one_value_and_of_equal_values():
    assert np.isnan(one_sided([3.0], 1)).all()
    assert one_sided([2.0, 2.0], 1) == (1, 0)
    assert one_sided([2.0, 2.0], 2) == (1, 1)
