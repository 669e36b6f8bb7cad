"""The forest plot of claims."""

import numpy as np
import pandas as pd

from karikomi.figures.claims import forest


def test_a_strip_has_its_claim_s_numbers_and_reaches_to_the_end_where_a_claim_has_none():
    nan = np.nan
    rows = [
        ("level", "%", "holds", 97.9, 97.7, 98.1, 97.9, 97.6, 98.2),
        ("more", "points", "does not hold", -0.3, -0.4, -0.2, nan, 0.0, nan),
        ("one", "", "not decided at this scale", 4.0, nan, nan, 5.0, nan, 4.5),
    ]
    columns = ["name", "unit", "verdict", "mean", "low", "high", "published", "above", "below"]
    drawn = forest(pd.DataFrame(rows, columns=columns)).to_dict()
    assert [strip["title"]["text"] for strip in drawn["concat"]] == [
        "level, %: holds",
        "more, points: does not hold",
        "one: not decided at this scale",
    ]
    for strip, row in zip(drawn["concat"], rows, strict=True):
        _, _, _, mean, low, high, published, above, below = row
        [holds], [interval], [ours], [theirs] = (drawn["datasets"][layer["data"]["name"]] for layer in strip["layer"])
        left, right = strip["layer"][0]["encoding"]["x"]["scale"]["domain"]
        assert left < min(x for x in row[3:] if not np.isnan(x))
        assert right > max(x for x in row[3:] if not np.isnan(x))
        ends = [left if np.isnan(above) else above, right if np.isnan(below) else below]
        np.testing.assert_allclose([holds["x"], holds["x2"]], ends, rtol=1e-5)
        plain = [None if np.isnan(x) else x for x in (mean, low, high, published)]
        assert [ours["x"], interval["x"], interval["x2"], theirs["x"]] == plain
