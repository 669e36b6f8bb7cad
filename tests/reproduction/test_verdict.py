"""The verdict is the interval against where the claim holds, by its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi.claims.claim import Region
from karikomi.reproduction.verdict import FAILS, HOLDS, UNDECIDED, p_of, verdict, why

NUMBERS = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 2))
ENDS = st.lists(NUMBERS, min_size=2, max_size=2, unique=True).map(sorted)
REGIONS = st.one_of(
    NUMBERS.map(lambda x: Region(above=x)),
    NUMBERS.map(lambda x: Region(below=x)),
    ENDS.map(lambda ends: Region(above=ends[0], below=ends[1])),
)


@given(st.lists(NUMBERS, min_size=2, max_size=12), REGIONS)
def test_it_follows_from_where_the_interval_lies(values, region):
    mean, error = np.mean(values), stats.sem(values)
    low, high = stats.t.interval(0.95, len(values) - 1, mean, error) if error > 0 else (mean, mean)
    # A rounding error off an end either way is as good.
    if any(abs(end - bound) < 1e-6 for end in (low, high) for bound in region.bounds):
        return
    above, below = (
        (-np.inf if region.above is None else region.above),
        (np.inf if region.below is None else region.below),
    )
    inside, outside = above < low and high < below, high < above or low > below
    expected = HOLDS if inside else FAILS if outside else UNDECIDED
    assert verdict(float(mean), p_of(values, region), region) == expected


@pytest.mark.parametrize(
    ("values", "p_holm", "too_small", "said"),
    [
        ([1.0, 1.1, 1.2], 0.01, "", "The whole interval is above 0."),
        ([-1.0, -1.1, -1.2], 0.01, "", "The whole interval is not above 0."),
        ([1.0, 1.1, 1.2], 0.2, "", "The interval is above 0, yet p = 0.200 by Holm's correction over 7 claims."),
        ([-1.0, 1.1, 1.2], 0.9, "", "The interval is in part above 0, in part not; 3 replicates."),
        ([1.0], np.nan, "", "One replicate has no interval."),
        ([1.0, np.nan], np.nan, "", "It is not defined in every replicate."),
        ([1.0, 1.1, 1.2], np.nan, "Too short.", "Too short."),
    ],
)
def test_it_says_why(values, p_holm, too_small, said):
    region = Region(above=0)
    found = {"mean": np.mean(values), "p": p_of(values, region), "p_holm": p_holm, "replicates": len(values)}
    assert why(found, region, 7, too_small) == said


def test_one_replicate_decides_nothing():
    assert verdict(1.0, p_of([1.0], Region(above=0)), Region(above=0)) == UNDECIDED
