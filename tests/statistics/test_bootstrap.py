"""Against scipy's bootstrap, against the closed form for two replicates, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from karikomi.errors import InputError
from karikomi.statistics import hierarchical_difference, hierarchical_interval, mean_interval, paired_difference


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _stretch(replicates: int) -> float:
    t, z = stats.t.ppf(0.975, replicates - 1), stats.norm.ppf(0.975)
    return float(np.sqrt(replicates / (replicates - 1)) * t / z)


@pytest.mark.parametrize("replicates", [3, 5, 12])
def test_ends_are_scipys_percentiles_stretched(replicates):
    values = _rng().exponential(size=replicates)
    percentile = stats.bootstrap((values,), np.mean, n_resamples=100_000, method="percentile", rng=_rng(1))
    low, high = percentile.confidence_interval
    mean = values.mean()
    found = hierarchical_interval(values[:, None], _rng(2), resamples=100_000)
    assert found.mean == mean
    expected = (mean + (low - mean) * _stretch(replicates), mean + (high - mean) * _stretch(replicates))
    assert found[1:3] == pytest.approx(expected, rel=0.03)


def test_two_replicates_have_a_closed_form():
    """A quarter of all resamples has the first alone, a quarter the second, half has both."""
    found = hierarchical_interval(np.array([[1.0], [3.0]]), _rng())
    assert found[1:3] == pytest.approx((2 - _stretch(2), 2 + _stretch(2)), rel=0.01)


def test_spread_between_orders_widens_the_interval():
    between = np.arange(5.0)[:, None] * np.ones(4)
    spread = between + np.array([-30, -10, 10, 30])  # the same means of replicates
    narrow, wide = (hierarchical_interval(v, _rng(), resamples=50_000) for v in (between, spread))
    # The variance of a resampled mean: that of replicates' means / 5, and that within them / (5 · 4).
    ratio = np.sqrt((2 / 5 + 500 / 20) / (2 / 5))
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(ratio, rel=0.05)


def test_many_replicates_give_students_interval():
    values = _rng().normal(0.1, 1, (300, 1))
    found, expected = hierarchical_interval(values, _rng(1)), mean_interval(values[:, 0])
    assert found[:3] == pytest.approx(expected, abs=0.01)
    assert found.p == pytest.approx(paired_difference(values[:, 0], np.zeros(300)).p, abs=0.02)


def test_intervals_of_five_replicates_hold_the_truth():
    rng = _rng()
    values = rng.normal(size=(1000, 5, 1)) + rng.normal(size=(1000, 5, 30))
    found = np.array([hierarchical_interval(v, rng, resamples=1000) for v in values])
    assert 0.94 < np.mean((found[:, 1] <= 0) & (found[:, 2] >= 0)) < 0.985
    assert 0.01 < np.mean(found[:, 3] <= 0.05) < 0.06


@pytest.mark.parametrize("shift", np.linspace(-3, 3, 13))
def test_p_and_interval_agree(shift):
    found = hierarchical_interval(_rng(4).normal(shift, 1, (6, 3)), _rng())
    outside = found.low > 0 or found.high < 0
    assert outside == (found.p < 0.05)


def test_mirrored_values_have_the_mirrored_interval():
    values = _rng().normal(0.5, 1, (5, 4))
    mean, low, high, p = hierarchical_interval(values, _rng())
    assert hierarchical_interval(-values, _rng()) == pytest.approx((-mean, -high, -low, p))


def test_difference_is_paired_by_replicate():
    random = _rng().normal(size=(5, 30)) + 100 * np.arange(5)[:, None]
    targeted = random.mean(axis=1) - 1
    found = hierarchical_difference(targeted, random, _rng())
    assert found.mean == pytest.approx(-1)
    assert -2 < found.low < found.high < 0
    assert found == hierarchical_interval(targeted[:, None] - random, _rng())


def test_equal_differences():
    assert hierarchical_interval(np.zeros((3, 2)), _rng()) == (0, 0, 0, 1)
    assert hierarchical_interval(np.ones((3, 2)), _rng(), resamples=999) == (1, 1, 1, 0.002)


def test_one_replicate_has_no_interval():
    found = hierarchical_interval(np.array([[1.0, 3.0]]), _rng())
    assert found.mean == 2
    assert np.isnan(found[1:]).all()


def test_targeted_and_random_must_have_the_same_replicates():
    with pytest.raises(InputError, match=r"they are \[4\] and \[5, 30\]"):
        hierarchical_difference(np.zeros(4), np.zeros((5, 30)), _rng())


def test_what_is_undefined_in_one_replicate_shows_nothing():
    values = np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, 5.0]])
    assert np.isnan(hierarchical_interval(values, np.random.default_rng(0))).all()
