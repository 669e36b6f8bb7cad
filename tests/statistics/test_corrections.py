"""Against scipy and against Holm's definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.statistics import benjamini_hochberg, fisher_combined, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(P_VALUES)
def test_holm_rejects_what_the_step_down_rule_rejects(p):
    adjusted = holm(p)
    for alpha in (0.01, 0.05, 0.3):
        rejected, order = set(), np.argsort(p, kind="stable")
        for step, place in enumerate(order):
            if p[place] * (len(p) - step) > alpha:
                break
            rejected.add(int(place))
        assert set(np.flatnonzero(adjusted <= alpha).tolist()) == rejected
    assert (adjusted <= 1).all()


@given(P_VALUES)
def test_benjamini_hochberg_is_scipys(p):
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


@given(P_VALUES)
def test_benjamini_hochberg_finds_more_than_holm(p):
    assert (benjamini_hochberg(p) <= holm(p) + 1e-15).all()


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_was_not_tested_is_left_out(adjust):
    assert adjust([0.01, np.nan, 0.02]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert np.isnan(adjust([np.nan])).all()
    assert adjust([]).shape == (0,)


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=8))
def test_fisher_is_scipys(p):
    assert fisher_combined(p) == pytest.approx(stats.combine_pvalues(p, "fisher").pvalue)
