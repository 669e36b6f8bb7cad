"""When a claim holds: by the interval over replicates, against where the claim says that the number lies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from karikomi.claims.claim import Region
from karikomi.statistics import ALPHA, paired_difference
from karikomi.studies.verdict import Verdict, by_text

HOLDS, FAILS = Verdict("holds", "good"), Verdict("does not hold", "bad")
UNDECIDED = Verdict("not decided at this scale", "open")
VERDICTS = by_text((HOLDS, FAILS, UNDECIDED))


def p_of(values: Sequence[float] | np.ndarray, region: Region) -> float:
    """The p-value of a t-test of the mean of ``values`` against the nearest end of the region.

    Below 0.05 exactly where the 95 % interval lies wholly within the region, or wholly outside of it: to lie within two
    ends both tests must say so, and the nearer one is the stricter (Schuirmann 1987). NaN for a single value.
    """
    middle = float(np.mean(values))
    nearest = min(region.bounds, key=lambda bound: abs(middle - bound))
    return paired_difference(values, np.full(len(values), nearest)).p


def verdict(mean: float, p_holm: float, region: Region) -> Verdict:
    """The verdict from the corrected p-value; a NaN decides nothing.

    >>> above = Region(above=0)
    >>> [str(verdict(mean, p, above)) for mean, p in ((0.3, 0.01), (-0.3, 0.01), (0.3, 0.2))]
    ['holds', 'does not hold', 'not decided at this scale']
    """
    if not p_holm < ALPHA:
        return UNDECIDED
    return HOLDS if mean in region else FAILS


def why(found: Mapping[str, Any], region: Region, tests: int, too_small: str) -> str:
    """The reason for the verdict, in a sentence.

    Args:
        found: mean, low, high, p, p_holm and replicates.
        region: where the claim says that the number lies.
        tests: how many p-values Holm's correction is for.
        too_small: why this scale does not decide; "" if it does.
    """
    if too_small:
        return too_small
    if np.isnan(found["mean"]):
        return "It is not defined in every replicate."
    if found["replicates"] < 2:
        return "One replicate has no interval."
    inside = found["mean"] in region
    where = f"{'' if inside else 'not '}{region}"
    if found["p_holm"] < ALPHA:
        return f"The whole interval is {where}."
    if found["p"] < ALPHA:
        return f"The interval is {where}, yet p = {found['p_holm']:.3f} by Holm's correction over {tests} claims."
    return f"The interval is in part {region}, in part not; {found['replicates']} replicates."
