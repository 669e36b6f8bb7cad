"""Against a loop over steps, a count by hand, and by simulation of targeted orders that are random ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import Cliff, compare_drops, hierarchical_interval, largest_drop


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=20))
def test_largest_drop_counts_examples(right):
    size, step = max((right[q - 1] - right[q], -q) for q in range(1, len(right)))
    found = largest_drop(np.array(right) / 10_000)
    assert found.size == pytest.approx(size / 10_000)
    assert found.step == -step


def test_leading_axes():
    curves = np.random.default_rng(0).random((3, 4, 9))
    size, step = largest_drop(curves)
    each = [[largest_drop(curve) for curve in row] for row in curves]
    assert size.tolist() == [[float(drop.size) for drop in row] for row in each]
    assert step.tolist() == [[int(drop.step) for drop in row] for row in each]


def _walks(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Right answers of 100,000 while 20 units are lost, as shares."""
    right = 100_000 - np.cumsum(rng.integers(0, 3000, (*shape, 21)), axis=-1)
    return right / 100_000


def _compared(targeted: np.ndarray, random: np.ndarray, rng: np.random.Generator) -> Cliff:
    return compare_drops(largest_drop(targeted), largest_drop(random).size, rng)


def test_p_is_the_rank_among_random_orders():
    rng = np.random.default_rng(0)
    targeted, random = _walks(rng, 4), _walks(rng, 4, 30)
    found = _compared(targeted, random, rng)
    examples = np.rint(-np.diff(random) * 100_000).max(axis=-1)
    observed = np.rint(-np.diff(targeted) * 100_000).max(axis=-1)
    expected = [(1 + sum(e >= o for e in each)) / 31 for each, o in zip(examples, observed, strict=True)]
    assert found.replicate_p.tolist() == expected
    assert found.p == pytest.approx(stats.combine_pvalues(expected).pvalue)


def test_drops_of_as_many_examples_are_equal():
    """As differences of shares they are not: 0.94 − 0.93 < 0.93 − 0.92 = 0.96 − 0.95."""
    targeted, random = np.array([[0.96, 0.95, 0.95]]), np.array([[[0.94, 0.93, 0.93]]])
    assert largest_drop(np.array([0.94, 0.93, 0.92])).step == 1
    assert _compared(targeted, random, np.random.default_rng(0)).replicate_p.tolist() == [1]


def test_a_cliff_is_found_where_it_is():
    rng = np.random.default_rng(0)
    targeted, random = _walks(rng, 5), _walks(rng, 5, 30)
    places = np.array([7, 8, 8, 9, 10])
    for curve, place in zip(targeted, places, strict=True):
        curve[place:] -= 0.3
    found = _compared(targeted, random, np.random.default_rng(1))
    drops = largest_drop(targeted)
    assert drops.step.tolist() == places.tolist()
    assert found.replicate_p == pytest.approx(1 / 31)
    assert found.p == pytest.approx(stats.chi2.sf(10 * np.log(31), 10))
    rng = np.random.default_rng(1)
    assert found.size == hierarchical_interval(drops.size[:, None], rng)[:3]
    assert found.step == hierarchical_interval(places[:, None], rng)[:3]
    assert found.step.low < 8.4 < found.step.high


def test_random_orders_are_seldom_called_cliffs():
    rng = np.random.default_rng(0)
    p = [_compared(walks[:, 0], walks[:, 1:], rng).p for walks in (_walks(rng, 3, 31) for _ in range(300))]
    assert 0.13 < np.mean(np.array(p) <= 0.2) < 0.24
