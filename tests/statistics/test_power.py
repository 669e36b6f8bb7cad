"""Power against SciPy's noncentral t, against simulated tests, and the numbers of replicates that follow from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import mean_interval
from karikomi.statistics.power import deviation, effect_shown, power, replicates_for

EFFECTS, ALPHAS = st.floats(0.05, 5), st.sampled_from([0.05, 0.01, 0.05 / 40])


@given(st.integers(2, 400), st.floats(0.01, 2), ALPHAS)
def test_power_is_that_of_the_noncentral_t_and_of_its_square(replicates, effect, alpha):
    freedom, shift = replicates - 1, effect * np.sqrt(replicates)
    critical = stats.t(freedom).isf(alpha / 2)
    found = power(replicates, effect, alpha)
    # T² is of the noncentral F distribution.
    assert found == pytest.approx(stats.ncf(1, freedom, shift**2).sf(critical**2), abs=1e-6)
    assert found >= stats.nct(freedom, shift).sf(critical) - 1e-12


@pytest.mark.parametrize(("replicates", "effect", "alpha"), [(5, 1.5, 0.05), (12, 0.7, 0.05), (8, 1.5, 0.005)])
def test_power_is_the_share_of_tests_that_show_the_difference(replicates, effect, alpha):
    many = 40_000
    differences = np.random.default_rng(0).normal(effect, 1, (many, replicates))
    shown = (stats.ttest_1samp(differences, 0, axis=1).pvalue < alpha).mean()
    expected = power(replicates, effect, alpha)
    assert abs(shown - expected) < 4 * np.sqrt(expected * (1 - expected) / many)


def test_without_a_difference_power_is_alpha():
    assert power(9, 0.0, 0.05) == pytest.approx(0.05)


# G*Power 3.1 and Cohen (1988, table 2.4.1, paired): two-sided, 0.05, power 0.8.
@pytest.mark.parametrize(("effect", "replicates"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_replicates_are_those_of_the_tables(effect, replicates):
    assert replicates_for(effect, 0.8) == replicates


@given(EFFECTS, st.floats(0.1, 0.99), ALPHAS)
def test_so_many_replicates_are_enough_and_one_less_is_not(effect, wanted, alpha):
    needed = int(replicates_for(effect, wanted, alpha))
    assert power(needed, effect, alpha) >= wanted
    assert needed == 2 or power(needed - 1, effect, alpha) < wanted


@given(st.integers(2, 200), st.floats(0.1, 0.99), ALPHAS)
def test_the_effect_that_is_shown_has_the_wanted_power(replicates, wanted, alpha):
    effect = effect_shown(replicates, wanted, alpha)
    assert power(replicates, effect, alpha) == pytest.approx(wanted, abs=1e-5)
    assert replicates_for(1.001 * effect, wanted, alpha) <= replicates


def test_what_no_number_shows_and_what_any_does():
    assert replicates_for(1e-9, 0.8) == np.inf
    assert replicates_for(np.inf, 0.8) == 2
    assert np.isnan(replicates_for(np.nan, 0.8))
    assert np.isnan(effect_shown(1, 0.8))
    assert np.isnan(deviation(np.nan, 1)).all()


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30).filter(lambda x: np.std(x) > 1e-3))
def test_the_deviation_comes_back_from_the_interval(values):
    interval = mean_interval(values)
    found = deviation((interval.high - interval.low) / 2, len(values))
    assert found.value == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    freedom = len(values) - 1
    ends = found.value * np.sqrt(freedom / stats.chi2(freedom).ppf([0.975, 0.025]))
    np.testing.assert_allclose([found.low, found.high], ends, rtol=1e-9)


def test_the_deviation_s_interval_holds_the_true_one_in_95_of_100_cases():
    rng, many = np.random.default_rng(1), 4000
    held = 0
    for sample in rng.normal(0, 2, (many, 6)):
        interval = mean_interval(sample)
        found = deviation((interval.high - interval.low) / 2, 6)
        held += found.low <= 2 <= found.high
    assert abs(held / many - 0.95) < 4 * np.sqrt(0.95 * 0.05 / many)
