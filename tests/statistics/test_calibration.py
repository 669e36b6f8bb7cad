"""The calibration error, bin by bin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.statistics import calibration_error


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 20))
def test_the_calibration_error_by_its_definition(answers, bins):
    confidence, correct = (np.array(column) for column in zip(*answers, strict=True))
    edges, expected = [k / bins for k in range(bins + 1)], 0.0
    # A confidence on an edge belongs to the lower bin; whether k / bins is on it is decided as in floats.
    bin_of = [max(1, int(np.ceil(bins * c))) for c in confidence]
    for k in range(1, bins + 1):
        inside = np.array(bin_of) == k
        if inside.any():
            assert (confidence[inside] <= edges[k] + 1e-12).all()
            assert (confidence[inside] >= edges[k - 1] - 1e-12).all()
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert calibration_error(confidence, correct, bins) == pytest.approx(expected, abs=1e-12)


def test_a_network_that_is_right_as_often_as_it_says_has_none():
    confidence = np.repeat([0.55, 0.75, 0.95], 100)
    correct = np.concatenate([np.arange(100) < round(100 * c) for c in (0.55, 0.75, 0.95)])
    assert calibration_error(confidence, correct) == pytest.approx(0)
    assert calibration_error(confidence, np.ones(300, bool)) == pytest.approx(0.25)
    assert np.isnan(calibration_error(np.array([0.5, np.nan]), np.array([True, True])))
