"""Against loops over steps, and curves whose robustness and half-life are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.statistics import f50, robustness

CURVES = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(lambda rest: [0.9, *rest])


@given(CURVES, st.integers(2, 12))
def test_robustness_is_the_mean_share_above_chance(curve, classes):
    chance = 1 / classes
    shares = [(a - chance) / (curve[0] - chance) for a in curve[1:]]
    assert robustness(np.array(curve), classes) == pytest.approx(sum(shares) / len(shares))


@given(CURVES, st.integers(2, 12))
def test_f50_is_where_the_line_between_two_steps_crosses_half(curve, classes):
    half, expected = 1 / classes + (curve[0] - 1 / classes) / 2, math.nan
    for step in range(1, len(curve)):
        before, after = curve[step - 1], curve[step]
        if after < half:
            expected = (step - 1 + (before - half) / (before - after)) / (len(curve) - 1)
            break
    near_half = any(abs(a - half) < 1e-9 for a in curve)
    assert near_half or float(f50(np.array(curve), classes)) == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_a_straight_line_to_chance():
    line = np.linspace(0.98, 0.1, 101)
    assert robustness(line, 10) == pytest.approx(0.495)  # (N − 1) / 2N
    assert f50(line, 10) == pytest.approx(0.5)


def test_exactly_half_counts_as_gone():
    assert f50(np.array([1.0, 1.0, 0.75]), 2) == 1


def test_a_curve_that_never_halves():
    assert np.isnan(f50(np.array([0.98, 0.97, 0.96]), 10))


@pytest.mark.parametrize("measure", [robustness, f50])
def test_no_better_than_chance(measure):
    found = measure(np.array([[0.1, 0.1, 0.1], [0.05, 0.1, 0.0], [0.9, 0.9, 0.1]]), 10)
    assert np.isnan(found).tolist() == [True, True, False]


@pytest.mark.parametrize("measure", [robustness, f50])
def test_leading_axes(measure):
    curves = np.random.default_rng(0).random((3, 4, 9))
    curves[..., 0] = 1
    each = [[float(measure(curve, 10)) for curve in row] for row in curves]
    assert measure(curves, 10) == pytest.approx(np.array(each), nan_ok=True)
