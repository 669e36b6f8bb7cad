"""Against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import mean_interval, paired_difference

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
