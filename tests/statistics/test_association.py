"""Against scipy, against regression by the normal equations, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import partial_spearman, pooled_spearman, replicated_spearman, spearman

SEEDS = st.integers(0, 2**16)


def _tied(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 6, shape).astype(float)


@given(SEEDS, st.integers(3, 40))
def test_spearman_is_scipys(seed, units):
    x, y = _tied(seed, 2, units)
    if np.ptp(x) and np.ptp(y):
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    else:
        assert np.isnan(spearman(x, y))


def test_every_score_with_every_other():
    scores = _tied(0, 5, 30)
    assert spearman(scores[:, None], scores) == pytest.approx(stats.spearmanr(scores.T).statistic)


@pytest.mark.parametrize("bad", [[1.0, 1, 1, 1], [1.0, np.nan, 3, 4]])
def test_what_is_constant_or_unknown_has_no_correlation(bad):
    good = np.array([1.0, 2, 3, 5])
    assert np.isnan(spearman(np.array(bad), good))
    assert np.isnan(partial_spearman(np.array(bad), good, np.array([[1.0, 3, 2, 4]])))
    assert spearman(np.array([good, bad]), good)[0] == 1


def test_given_what_is_unknown():
    x, y, z = np.random.default_rng(0).random((3, 8))
    z[0] = np.nan
    assert np.isnan(partial_spearman(x, y, z[None]))


@pytest.mark.parametrize("seed", range(20))
def test_rounding_never_leads_beyond_one(seed):
    values = np.random.default_rng(seed).random((8, 8))
    rho = partial_spearman(values[0], values[1], values[2:])  # one degree of freedom is left
    assert 1 - 1e-9 < abs(rho) <= 1


def test_infinite_scores_are_only_the_largest():
    assert spearman(np.array([1.0, np.inf, 3]), np.array([1.0, 3, 2])) == 1


@given(SEEDS, st.integers(8, 40))
def test_partial_is_pearson_of_the_residuals(seed, units):
    x, y, *given_ = _tied(seed, 4, units) + np.random.default_rng(seed).random((4, units)) * (seed % 2)
    design = np.column_stack([np.ones(units), *(stats.rankdata(g) for g in given_)])
    left = [r - design @ np.linalg.lstsq(design, r)[0] for r in (stats.rankdata(x), stats.rankdata(y))]
    if min(np.linalg.norm(r) for r in left) > 1e-6:
        assert partial_spearman(x, y, np.array(given_)) == pytest.approx(stats.pearsonr(*left).statistic)


@given(SEEDS)
def test_partial_given_one_has_a_closed_form(seed):
    x, y, z = np.random.default_rng(seed).random((3, 12))
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_spearman(x, y, z[None]) == pytest.approx(expected)


def test_a_score_given_itself_has_nothing_left():
    x, y, z = np.random.default_rng(0).random((3, 256))
    assert np.isnan(partial_spearman(x, y, np.array([z, np.exp(x)])))
    assert np.isnan(partial_spearman(y, x, np.array([z, -x])))


def test_variables_that_say_the_same_or_nothing_change_nothing():
    x, y, z = np.random.default_rng(0).random((3, 256))
    once = partial_spearman(x, y, z[None])
    assert partial_spearman(x, y, np.array([z, z**3, -z, np.ones(256)])) == pytest.approx(once)
    assert partial_spearman(x, y, np.ones((1, 256))) == pytest.approx(spearman(x, y))


def test_partial_takes_many_scores_at_once():
    rng = np.random.default_rng(0)
    scores, drop, held = rng.random((4, 20)), rng.random(20), rng.random((2, 20))
    each = [float(partial_spearman(score, drop, held)) for score in scores]
    assert partial_spearman(scores, drop, held) == pytest.approx(np.array(each))


@given(st.floats(-0.95, 0.95), st.integers(5, 500))
def test_one_group_has_the_interval_of_bonett_and_wright(rho, units):
    found = pooled_spearman(np.array([rho]), np.array([units]))
    half = stats.norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / (units - 3))
    assert found[:3] == pytest.approx((rho, np.tanh(np.arctanh(rho) - half), np.tanh(np.arctanh(rho) + half)))
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_alike_groups_are_as_one_with_more_units():
    apart = pooled_spearman(np.full(4, 0.3), np.full(4, 28))
    assert apart == pytest.approx(pooled_spearman(np.array([0.3]), np.array([4 * 25 + 3])))


def test_groups_that_say_nothing_are_left_out():
    alone = pooled_spearman(np.array([0.3]), np.array([50]))
    assert pooled_spearman(np.array([0.3, np.nan, 1.0, -1.0, np.nan]), np.array([50, 50, 3, 2, 1])) == alone
    assert np.isnan(pooled_spearman(np.array([np.nan]), np.array([50]))).all()


def test_a_perfect_correlation_of_few_units_does_not_outweigh_all_others():
    found = pooled_spearman(np.array([1.0, 0.0]), np.array([5, 200]))
    assert 0 < found.rho < 0.1
    assert pooled_spearman(np.array([-1.0, 1.0]), np.array([6, 6])).rho == 0


def test_pooled_intervals_hold_the_truth_and_do_not_lean():
    rng = np.random.default_rng(0)
    sizes, pearson = np.array([16, 32, 64]), 0.6
    truth = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's ρ of a bivariate normal
    found = []
    for _ in range(1000):
        draws = [rng.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], size).T for size in sizes]
        found.append(pooled_spearman(np.array([spearman(*draw) for draw in draws]), sizes))
    rho, low, high, _ = np.array(found).T
    assert abs(np.mean((low <= truth) & (truth <= high)) - 0.95) < 0.02
    assert abs(rho.mean() - truth) < 0.015


def test_replicates_are_the_unit():
    rng = np.random.default_rng(0)
    rho, units = rng.uniform(-0.5, 0.9, (5, 3)), np.array([300, 100, 10])
    z = (np.arctanh(rho) * (units - 3)).sum(axis=1) / (units - 3).sum()
    expected = stats.ttest_1samp(z, 0)
    interval = expected.confidence_interval(0.95)
    found = replicated_spearman(rho, units)
    assert found == pytest.approx((*np.tanh([z.mean(), interval.low, interval.high]), expected.pvalue))
    assert replicated_spearman(rho, np.tile(units, (5, 1))) == found


def test_layers_and_replicates_without_a_correlation_are_left_out():
    rho = np.array([[0.2, np.nan], [0.3, 0.4], [np.nan, np.nan]])
    left = replicated_spearman(rho, np.array([50, 50]))
    assert left == pytest.approx(replicated_spearman(np.array([[0.2, 0.2], [0.3, 0.4]]), np.array([50, 50])))
    assert np.isnan(replicated_spearman(rho[2:], np.array([50, 50]))).all()
    assert np.isnan(replicated_spearman(rho[:1], np.array([50, 50]))[1:]).all()
